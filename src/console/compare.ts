/** Two lists of hits, and which of the one is which of the other. */

export interface ComparedHit {
  file_id: string;
  chunk_id?: string | undefined;
  start_offset?: number | undefined;
  end_offset?: number | undefined;
}

/** Of the hit in each place of one list its place in the other; null where it is not there. */
export interface Joined {
  left: (number | null)[];
  right: (number | null)[];
}

/** As much of the shorter passage must be in both for them to be the same. */
const SAME_PART = 0.5;

/**
 * Joins what is the same: chunks by their id, and where files were cut in another way, passages that have most of the
 * shorter one in common. Each hit is joined to one other at most, the best first.
 */
export function joined(left: readonly ComparedHit[], right: readonly ComparedHit[]): Joined {
  const result: Joined = { left: left.map(() => null), right: right.map(() => null) };
  const join = (l: number, r: number) => {
    result.left[l] = r;
    result.right[r] = l;
  };
  for (const [l, hit] of left.entries()) {
    if (hit.chunk_id === undefined) continue;
    const r = right.findIndex((other, at) => result.right[at] === null && other.chunk_id === hit.chunk_id);
    if (r >= 0) join(l, r);
  }
  const pairs = left.flatMap((one, l) =>
    right.flatMap((other, r) => {
      const part = result.left[l] === null && result.right[r] === null ? commonPart(one, other) : 0;
      return part >= SAME_PART ? [{ l, r, part }] : [];
    }),
  );
  for (const { l, r } of pairs.toSorted((a, b) => b.part - a.part || a.l - b.l))
    if (result.left[l] === null && result.right[r] === null) join(l, r);
  return result;
}

/** How many stand in the same place, moved, and are in one list only. */
export function countsOf({ left, right }: Joined) {
  const places = left.map((at, place) => (at === null ? "lost" : at === place ? "same" : "moved"));
  const count = (what: string) => places.filter((one) => one === what).length;
  return {
    same: count("same"),
    moved: count("moved"),
    lost: count("lost"),
    isNew: right.filter((at) => at === null).length,
  };
}

/** Of the shorter passage, the part that the other has too. */
function commonPart(one: ComparedHit, other: ComparedHit): number {
  if (one.file_id !== other.file_id) return 0;
  const [from, to] = [one.start_offset ?? 0, one.end_offset ?? 0];
  const [otherFrom, otherTo] = [other.start_offset ?? 0, other.end_offset ?? 0];
  const shorter = Math.min(to - from, otherTo - otherFrom);
  return shorter <= 0 ? 0 : Math.max(0, Math.min(to, otherTo) - Math.max(from, otherFrom)) / shorter;
}
