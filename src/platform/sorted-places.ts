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

/**
 * The first `most` of `sortedPlaces(values.length, compare)` where `compare` puts larger values first: only those that can be
 * among them are put in order.
 */
export function firstPlaces(values: Float64Array, most: number, compare: (a: number, b: number) => number): Int32Array {
  const count = values.length;
  if (most * 2 >= count) return sortedPlaces(count, compare).subarray(0, most);
  if (most <= 0) return new Int32Array(0);
  const least = largestAt(values.slice(), most - 1);
  const among: number[] = [];
  for (let i = 0; i < count; i++) if (values[i]! >= least) among.push(i);
  const places = sortedPlaces(among.length, (a, b) => compare(among[a]!, among[b]!)).subarray(0, most);
  for (let i = 0; i < places.length; i++) places[i] = among[places[i]!]!;
  return places;
}

/** The value in this place when the largest come first (Hoare 1961, "Algorithm 65: find"). Leaves the values in another order. */
function largestAt(values: Float64Array, place: number): number {
  let from = 0;
  let to = values.length - 1;
  while (from < to) {
    const pivot = values[(from + to) >>> 1]!;
    let i = from;
    let j = to;
    while (i <= j) {
      while (values[i]! > pivot) i++;
      while (values[j]! < pivot) j--;
      if (i > j) break;
      const value = values[i]!;
      values[i++] = values[j]!;
      values[j--] = value;
    }
    if (place <= j) to = j;
    else if (place >= i) from = i;
    else break;
  }
  return values[place]!;
}
