import { sortedPlaces } from "../platform/sorted-places.ts";
import type { VectorHit } from "./exact.ts";
import type { KeywordPass } from "./keyword.ts";
import { type FetchTerms, refinement } from "./passages.ts";

export type LegHit = { readonly chunkId: number; readonly fileKey: number; readonly score: number };

export type IndexCandidate = {
  readonly chunkId: number;
  readonly fileKey: number;
  /** Cosine of the chunk's best window, -1 … 1; null without a query vector. */
  readonly vectorScore: number | null;
  /** BM25, >= 0; null without query terms. */
  readonly keywordScore: number | null;
  /** How much of what is rare in the question it has, 0 … 1: see coverage.ts. */
  readonly evidence: number;
};

/** A leg's hits as they are called outside: the candidates are those of the nearest, then what the keywords add, in order. */
export function legOf(
  hits: readonly VectorHit[],
  nearest: readonly VectorHit[],
  candidates: readonly IndexCandidate[],
): LegHit[] {
  const byOwner = new Map(nearest.map(({ owner }, i) => [owner, candidates[i]]));
  let next = nearest.length;
  return hits.map(({ owner, score }) => {
    const { chunkId, fileKey } = byOwner.get(owner) ?? candidates[next++]!;
    return { chunkId, fileKey, score };
  });
}

export type ShownLegs = {
  readonly nearest: readonly VectorHit[];
  /** `near`: the scores of those that are nearest, in their order. */
  readonly keyword: { readonly hits: readonly VectorHit[]; readonly near: ArrayLike<number> } | null;
};

type Showing = {
  /** Whom the search sees by now; null: everybody. */
  readonly isShown: ((owner: number) => boolean) | null;
  /** With it, keyword scores see where in a chunk the words stand. */
  readonly fetch: FetchTerms | null;
};

/** Both legs when nothing waits any more: the nearest, and what the words found, which were asked about the nearest too. */
export function shownLegs(
  near: readonly VectorHit[],
  pass: KeywordPass | null,
  { isShown, fetch }: Showing,
): ShownLegs {
  const nearest = isShown === null ? near : near.filter(({ owner }) => isShown(owner));
  if (pass === null) return { nearest, keyword: null };
  const { ids, scores } = pass.top;
  const found: VectorHit[] = [];
  for (let i = 0; i < ids.length; i++) found.push({ owner: ids[i]!, score: scores[i]! });
  const hits = isShown === null ? found : found.filter(({ owner }) => isShown(owner));
  const ofNear = isShown === null ? pass.also : pass.also.filter((_, i) => isShown(near[i]!.owner));
  const refine = fetch === null ? null : refinement(pass, fetch);
  if (refine === null) return { nearest, keyword: { hits, near: ofNear } };
  const refined = hits.map(({ owner, score }) => ({ owner, score: refine(owner, score) }));
  const places = sortedPlaces(refined.length, (a, b) => {
    const [one, other] = [refined[a]!, refined[b]!];
    return other.score - one.score || one.owner - other.owner;
  });
  const sorted: VectorHit[] = [];
  for (let i = 0; i < places.length; i++) sorted.push(refined[places[i]!]!);
  const scoresOfNear = new Float64Array(nearest.length);
  for (let i = 0; i < scoresOfNear.length; i++) scoresOfNear[i] = refine(nearest[i]!.owner, ofNear[i]!);
  return { nearest, keyword: { hits: sorted, near: scoresOfNear } };
}
