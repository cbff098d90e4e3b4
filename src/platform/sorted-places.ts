/** Neighbours up to here are put in order one by one. */
const FEW = 8;

/**
 * The numbers 0 … count-1 in the order that `compare` says, equal ones as they were. A merge sort over whole numbers: every
 * search sorts some hundreds of candidates, and a list's own `sort` takes five times as long to ask a function.
 */
export function sortedPlaces(count: number, compare: (a: number, b: number) => number): Int32Array {
  let from = Int32Array.from({ length: count }, (_, i) => i);
  let to = new Int32Array(count);
  for (let start = 0; start < count; start += FEW) {
    const end = Math.min(count, start + FEW);
    for (let i = start + 1; i < end; i++) {
      const place = from[i]!;
      let at = i;
      for (; at > start && compare(from[at - 1]!, place) > 0; at--) from[at] = from[at - 1]!;
      from[at] = place;
    }
  }
  for (let width = FEW; width < count; width *= 2) {
    for (let start = 0; start < count; start += width * 2) {
      const middle = Math.min(count, start + width);
      const end = Math.min(count, start + width * 2);
      for (let at = start, a = start, b = middle; at < end; at++) {
        const isFirst = a < middle && (b >= end || compare(from[a]!, from[b]!) <= 0);
        to[at] = isFirst ? from[a++]! : from[b++]!;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
