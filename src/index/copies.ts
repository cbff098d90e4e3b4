/** Two texts with so large a share of all their terms in common say the same. */
const SAME_SHARE = 0.95;

/**
 * Whether two chunks are the same text, or nearly, by the terms that each of them has (`unpackTerms`: ascending
 * hashes), so that no text is read. Order and counts of words do not matter: what two texts with the same words are,
 * if not copies, is forms and tables of another date, and those are meant too.
 */
export function isCopy(a: Int32Array, b: Int32Array): boolean {
  const least = Math.ceil((SAME_SHARE * (a.length + b.length)) / (1 + SAME_SHARE));
  // Terms that one of them has alone: of two unlike texts there are too many after a few terms.
  let spareOfA = a.length - least;
  let spareOfB = b.length - least;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length && spareOfA >= 0 && spareOfB >= 0) {
    const one = a[i]!;
    const other = b[j]!;
    if (one <= other) i++;
    if (other <= one) j++;
    if (one < other) spareOfA--;
    else if (other < one) spareOfB--;
  }
  return spareOfA >= a.length - i && spareOfB >= b.length - j;
}
