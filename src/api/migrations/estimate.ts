import type { Embed } from "../../models/failures.ts";
import type { ChosenModel } from "../../models/model-catalog.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Strategy } from "../attaching/input.ts";

export interface EstimateDeps extends Pick<Storage, "chunks"> {
  embed: Embed;
  /** US dollars for a million tokens of this model; null where nothing is paid, or nobody knows. */
  priceOf: (model: string) => number | null;
}

export interface Wanted {
  store: StoreRow;
  live: GenerationRow;
  model: ChosenModel;
  /** Null: the chunks stay. */
  strategy: Strategy | null;
}

export interface Estimate {
  chunks: number;
  tokens: number;
  memoryBytes: number;
  seconds: number | null;
  costUsd: number | null;
  sampled: number;
}

/** Chunks that are looked at. */
const SAMPLED = 8;
/** Beside the model, a migration writes at most so many chunks a second. */
const WRITTEN_PER_SECOND = 2000;

/** What building the index would take, from some chunks spread over the store. Those are embedded, and perhaps paid. */
export async function estimate(deps: EstimateDeps, wanted: Wanted, signal: AbortSignal): Promise<Estimate> {
  const { store, live, model, strategy } = wanted;
  const { tenant_id: tenantId, id: storeId } = store;
  const ids = await deps.chunks.sampleIds(tenantId, storeId, live.chunk_set, SAMPLED);
  const sample = await deps.chunks.listed(tenantId, ids);
  const price = deps.priceOf(model.model);
  if (sample.length === 0)
    return { chunks: 0, tokens: 0, memoryBytes: 0, seconds: 0, costUsd: price === null ? null : 0, sampled: 0 };
  const measured = await measure(deps, { sample, model, tenantId }, signal);
  const fresh = mean(await Promise.all(sample.map((one) => freshPart(deps, tenantId, one))));
  const text = mean(sample.map((one) => one.tokens)) * store.n_chunks * fresh;
  const chunks = strategy === null ? store.n_chunks : Math.max(store.n_completed, newChunks(text, strategy));
  // Where windows are embedded, what chunks share is embedded once.
  const repeated = model.windowTokens === null ? (strategy === null ? 1 / fresh : overlapOf(strategy)) : 1;
  // Of all that stands in the chunks of the sample, as often as it is embedded.
  const share = (store.n_chunks / sample.length) * fresh * repeated;
  const tokens = Math.round(measured.tokens * share);
  const vectors = model.windowTokens === null ? Math.max(chunks, measured.windows * share) : measured.windows * share;
  const computing = measured.seconds === null ? null : measured.seconds * share;
  return {
    chunks: Math.round(chunks),
    tokens,
    memoryBytes: Math.round(vectors * model.dimensions) * Float32Array.BYTES_PER_ELEMENT,
    seconds: computing === null ? null : Math.ceil(computing + chunks / WRITTEN_PER_SECOND),
    costUsd: price === null ? null : (tokens / 1_000_000) * price,
    sampled: sample.length,
  };
}

interface Measured {
  tokens: number;
  windows: number;
  seconds: number | null;
}

async function measure(
  { embed }: EstimateDeps,
  { sample, model, tenantId }: { sample: readonly ChunkRow[]; model: ChosenModel; tenantId: string },
  signal: AbortSignal,
): Promise<Measured> {
  const texts = sample.map((one) => one.text);
  const startedAt = performance.now();
  const result = await embed(model.model, texts, { tenant: tenantId, signal, kind: "passage" });
  const seconds = (performance.now() - startedAt) / 1000;
  // The numbers of chunks and bytes are worth having without the model.
  if (!result.ok)
    return { tokens: sample.reduce((sum, one) => sum + one.tokens, 0), windows: sample.length, seconds: null };
  const sum = (of: "tokens" | "windows") => result.texts.reduce((all, one) => all + one[of], 0);
  return { tokens: sum("tokens"), windows: sum("windows"), seconds };
}

/** The part of a chunk that does not stand in the next one too. */
async function freshPart({ chunks }: EstimateDeps, tenantId: string, { id, start_cp, end_cp }: ChunkRow) {
  const next = (await chunks.neighbours(tenantId, id, 0, 1))[1];
  if (next === undefined || end_cp <= start_cp) return 1;
  return Math.min(1, Math.max(0.1, (next.start_cp - start_cp) / (end_cp - start_cp)));
}

function newChunks(tokens: number, { maxTokens, overlapTokens }: Strategy): number {
  return tokens / (maxTokens - overlapTokens);
}

/** How often a token stands in chunks of this kind. */
function overlapOf({ maxTokens, overlapTokens }: Strategy): number {
  return maxTokens / (maxTokens - overlapTokens);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
