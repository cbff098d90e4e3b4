/**
 * The second stage of a search: the best candidates of the first are read together with the question by a reranker, and
 * its scores take the place of the first stage's. What it did not read is not shown, for the two kinds of scores do not
 * compare.
 */
import { AppError } from "../errors.ts";
import { shown } from "../platform/words.ts";
import type { Storage } from "../storage/storage.ts";
import { rerankError } from "../models/failures.ts";
import type { RankerCatalog } from "../models/ranker-catalog.ts";
import { OPENAI_RANKERS, RANKERS } from "./rankers.ts";
import type { Ranked } from "./ranking.ts";
import type { SearchRequest } from "./request.ts";

const PARAM = "ranking_options.ranker";

/** One question and what the first stage found for it, best first. */
export interface Found {
  query: string;
  ranked: readonly Ranked[];
}

export interface RerankDeps extends Pick<Storage, "chunks"> {
  rankers: RankerCatalog;
}

/** What a search says of rerankers: `auto` where it says nothing; `model` goes with `neural`. */
export interface RankerWish {
  ranker?: string | undefined;
  model?: string | undefined;
}

/**
 * The reranker that a search runs through, or null for none: the one it names; the operator's where it names none or
 * says `auto`. Throws a 400 for a name that means nothing, a 503 for a reranker that cannot be used now.
 */
export function chooseRanker(
  { ranker = "auto", model }: RankerWish,
  { asked }: Pick<SearchRequest, "asked">,
  { openaiRankersOnly, rankers }: { openaiRankersOnly: boolean; rankers: RankerCatalog },
): string | null {
  const hasText = asked.every((query) => query.trim() !== "");
  if (openaiRankersOnly && !OPENAI_RANKERS.includes(ranker))
    throw unknown(`'${shown(ranker)}' is none of OpenAI's rankers`, OPENAI_RANKERS);
  if (ranker === "auto") return hasText ? rankers.preferred : null;
  if (ranker === "neural") return hasText ? neural(model, rankers) : null;
  if (RANKERS.some((name) => name === ranker)) return null;
  const choice = rankers.choose(ranker);
  if (!choice.ok) {
    if (choice.reason === "unavailable") throw new AppError("reranker_unavailable", choice.message, { param: PARAM });
    throw unknown(choice.message, [...RANKERS, ...rankers.names()]);
  }
  if (choice.model !== null && !hasText) {
    const text = `Invalid '${PARAM}': a reranker reads the text of 'query', which is empty.`;
    throw new AppError("invalid_value", text, { param: PARAM });
  }
  return choice.model;
}

export interface Reranking {
  tenantId: string;
  /** The reranker. */
  ranker: string;
  found: readonly Found[];
  request: Pick<SearchRequest, "maxResults" | "maxChunksPerFile">;
}

/** Reranks the best candidates of every question; the best score of a chunk counts. Best first. */
export async function rerank(
  { chunks, rankers }: RerankDeps,
  { tenantId, ranker, found, request }: Reranking,
  signal: AbortSignal,
): Promise<Ranked[]> {
  const most = Math.ceil(Math.max(rankers.candidates, request.maxResults) / Math.max(1, found.length));
  const best = new Map<number, Ranked>();
  for (const { query, ranked } of found) {
    const chosen = candidatesOf(ranked, most, request);
    const ids = chosen.map((one) => one.chunkId);
    const texts = await chunks.texts(tenantId, ids);
    const read = chosen.filter((one) => texts.has(one.chunkId));
    const documents = read.map((one) => texts.get(one.chunkId) ?? "");
    const result = await rankers.rerank(ranker, { tenant: tenantId, query, documents, signal });
    if (!result.ok) throw rerankError(result, ranker);
    read.forEach((one, i) => {
      const score = result.scores[i] ?? 0;
      const known = best.get(one.chunkId);
      if (known === undefined || score > known.score) best.set(one.chunkId, { ...one, score, rescored: score });
    });
  }
  // The sort is stable: of equal scores the first stage's better one comes first.
  return [...best.values()].sort((a, b) => b.score - a.score);
}

/**
 * The best candidates. Where one file may give only so many results, it may give only so many candidates too that the
 * results wanted are among them.
 */
function candidatesOf(
  ranked: readonly Ranked[],
  most: number,
  { maxResults, maxChunksPerFile }: Pick<SearchRequest, "maxResults" | "maxChunksPerFile">,
): Ranked[] {
  if (maxChunksPerFile === null) return ranked.slice(0, most);
  const ofFile = Math.max(maxChunksPerFile, Math.floor((most * maxChunksPerFile) / maxResults));
  const taken = new Map<number, number>();
  const chosen: Ranked[] = [];
  for (const one of ranked) {
    const before = taken.get(one.fileKey) ?? 0;
    if (before >= ofFile) continue;
    taken.set(one.fileKey, before + 1);
    if (chosen.push(one) === most) break;
  }
  return chosen;
}

/** Another API's word for a reranker, which it names beside; a name that is not here has always been accepted. */
function neural(model: string | undefined, rankers: RankerCatalog): string | null {
  const choice = model === undefined ? null : rankers.choose(model);
  if (choice?.ok === true) return choice.model;
  const installed = rankers.installed();
  return rankers.preferred ?? (installed.length === 1 ? (installed[0] ?? null) : null);
}

function unknown(reason: string, names: readonly string[]): AppError {
  const list = [...new Set(names)].map((name) => `'${name}'`).join(", ");
  return new AppError("invalid_value", `Invalid '${PARAM}': ${reason}. Available: ${list}.`, { param: PARAM });
}
