/** Two texts with so large a share of all their terms in common say the same. */
const SAME_SHARE = 0.95;

/**
 * Whether two chunks are the same text, or nearly, by the terms that each of them has (`unpackTerms`: ascending
 * hashes), so that no text is read. Order and counts of words do not matter: what two texts with the same words are,
 * if not copies, is forms and tables of another date, and those are meant too.
 */
export function isCopy(a: Int32Array, b: Int32Array): boolean {
  const least = Math.ceil((SAME_SHARE * (a.length + b.length)) / (1 + SAME_SHARE));
  let [i, j, shared] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    // What is left cannot make up for what differs: of two unlike texts that shows after a few terms.
    if (shared + Math.min(a.length - i, b.length - j) < least) return false;
    const difference = a[i]! - b[j]!;
    if (difference === 0) shared++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  return shared >= least;
}
