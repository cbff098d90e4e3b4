import { isCopy } from "../index/copies.ts";
import { unpackTerms } from "../index/term-blob.ts";
import type { Ranked } from "./ranking.ts";
import type { SearchRequest } from "./request.ts";

/**
 * A passage that repeats a better one is worth this much of its score: it gives its place up to one that says something
 * else and is at least half as good, and stays where there is none.
 */
const WORTH_OF_COPY = 0.5;
/** How far it is looked for something else, in results asked for. */
const MOST_LOOKED_AT = 5;
/** Copies have nearly the same combined score: others need not be compared. */
const LEAST_LIKE = 0.9;

/** Reads the term blobs of chunks by id, in the order asked; null for one that is gone. */
export type TermsOf = (chunkIds: readonly number[]) => readonly (Uint8Array | null)[];

export type Selection = Pick<SearchRequest, "scoreThreshold" | "maxChunksPerFile" | "maxResults" | "isRescored">;

/** How many of the best ranked chunks `select` looks at, at most. */
export function mostLookedAt({ maxChunksPerFile, maxResults }: Selection): number {
  // Of a file that may give no more of them any number may be passed over.
  return maxChunksPerFile === null ? maxResults * MOST_LOOKED_AT : Infinity;
}

/**
 * Which of the ranked chunks become results: threshold, chunks a file, copies, number; in this order. Best first, as
 * they came; however many copies there are, no result is missing for them.
 */
export function select(ranked: readonly Ranked[], request: Selection, termsOf: TermsOf): Ranked[] {
  const { scoreThreshold, maxChunksPerFile, maxResults, isRescored } = request;
  const repeats = isRescored ? copyFinder(ranked, maxResults, termsOf) : () => false;
  const perFile = new Map<number, number>();
  const kept: { one: Ranked; worth: number }[] = [];
  let distinct = 0;
  let leastOfCopies = 0;
  for (const [at, one] of ranked.entries()) {
    if (distinct === maxResults || one.score < scoreThreshold) break;
    // Nothing from here on takes a copy's place, or it is too far to look.
    const isTooLate = one.score < leastOfCopies * WORTH_OF_COPY || at >= maxResults * MOST_LOOKED_AT;
    if (kept.length >= maxResults && isTooLate) break;
    const taken = perFile.get(one.fileKey) ?? 0;
    if (maxChunksPerFile !== null && taken >= maxChunksPerFile) continue;
    perFile.set(one.fileKey, taken + 1);
    const isRepeated = repeats(at);
    kept.push({ one, worth: isRepeated ? one.score * WORTH_OF_COPY : one.score });
    if (isRepeated) leastOfCopies = one.score;
    else distinct++;
  }
  if (kept.length === distinct) return kept.map(({ one }) => one);
  const chosen = new Set(kept.toSorted((a, b) => b.worth - a.worth).slice(0, maxResults));
  return kept.filter((entry) => chosen.has(entry)).map(({ one }) => one);
}

/** Tells, of one place in the ranking after the other, whether a better one that was asked about says the same. */
function copyFinder(ranked: readonly Ranked[], batch: number, termsOf: TermsOf): (at: number) => boolean {
  const terms: (Int32Array | null)[] = [];
  const distinct: number[] = [];
  const termsAt = (at: number): Int32Array | null => {
    while (terms.length <= at) {
      const ids = ranked.slice(terms.length, terms.length + batch).map((one) => one.chunkId);
      for (const blob of termsOf(ids)) terms.push(blob === null ? null : textTerms(blob));
    }
    return terms[at] ?? null;
  };
  const isRepeated = (at: number, better: number): boolean => {
    const [a, b] = [ranked[at]?.fused ?? 0, ranked[better]?.fused ?? 0];
    if (Math.min(a, b) < Math.max(a, b) * LEAST_LIKE) return false;
    const [one, other] = [termsAt(at), termsAt(better)];
    return one !== null && other !== null && isCopy(one, other);
  };
  return (at) => {
    const found = distinct.some((better) => isRepeated(at, better));
    if (!found) distinct.push(at);
    return found;
  };
}

/** A copy under another name is a copy. */
function textTerms(blob: Uint8Array): Int32Array {
  const { hashes, names } = unpackTerms(blob);
  return hashes.subarray(0, hashes.length - names);
}
