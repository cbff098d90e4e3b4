import type { EmbeddedText, EmbedKind, ModelInfo } from "../embed/provider.ts";
import type { Reranked, RerankerInfo } from "../embed/reranker.ts";
import type { Natives } from "../platform/native.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import { threads } from "../platform/worker-link.ts";
import { createWorkerPool, type WorkerPool } from "../platform/worker-pool.ts";
import { nativeWorkerUrl } from "../worker-urls.ts";
import type { ModelSource, NativeInit, NativeMethods } from "./protocol.ts";
import { traced } from "../platform/tracing.ts";

/**
 * The native lanes: ingest workers at low priority with one thread each, and a lane of its own for what somebody waits
 * for (queries, /v1/embeddings), so that a query never stands behind a batch. Rerankers, which take a hundred times as
 * long, have another lane at the same priority, so that searches without one do not wait for those with one. Workers
 * start when first needed.
 */
export type LaneName = "query" | "ingest";

export interface NativeLanesOptions {
  natives: Natives;
  ingestWorkers: number;
  queryThreads: number;
  rerankThreads: number;
  /** Ingest workers that were not asked for so long close the models that they have open. */
  idleMs?: number | undefined;
}

/** Nobody misses a third of a second once in so long. */
const IDLE_MS = 5 * 60_000;
/** Characters of text per call to a worker (about 4,000 tokens): bounds how long a stop or another caller waits. */
const CALL_CHARACTERS = 16_000;

/** A reranker, and what it is to read: little enough that others have their turn soon. */
export type RerankCall = NativeMethods["rerank"]["args"];

export class NativeLanes implements AsyncDisposable {
  readonly #pools: Record<LaneName | "rerank", WorkerPool<NativeMethods>>;
  #unloading: Promise<unknown> = Promise.resolve();

  constructor(options: NativeLanesOptions) {
    const pool = (name: LaneName | "rerank", size: number, init: NativeInit) =>
      createWorkerPool<NativeMethods>({
        start: threads(nativeWorkerUrl),
        size,
        terminable: false,
        init,
        name: `${name}-lane`,
      });
    const { natives, idleMs = IDLE_MS } = options;
    this.#pools = {
      query: pool("query", 1, { natives, threads: options.queryThreads, nice: 0 }),
      ingest: pool("ingest", options.ingestWorkers, { natives, threads: 1, nice: BACKGROUND_NICE, idleMs }),
      rerank: pool("rerank", 1, { natives, threads: options.rerankThreads, nice: 0 }),
    };
  }

  /** Opens the model in the query lane, which says whether it can be used and what it is. */
  async load(
    key: string,
    source: ModelSource,
  ): Promise<{ ok: true; info: ModelInfo } | { ok: false; problems: string[] }> {
    return await this.#pools.query.call("load", { key, source });
  }

  /** Forgets a model that is not needed any more, wherever it is open. Ingest workers wait for the last of them to have it forgotten. */
  async unload(key: string): Promise<void> {
    // One after the other: two that each hold some of the workers would wait for each other.
    const ended = this.#unloading.then(() =>
      Promise.allSettled([this.#pools.query.call("unload", { key }), ...this.#unloadIngest(key)]),
    );
    this.#unloading = ended;
    await ended;
  }

  /** Each worker is held until all were told, or one that is idle again would be told in the place of one that is busy. */
  #unloadIngest(key: string): Promise<void>[] {
    const { ingest } = this.#pools;
    const told = Array.from({ length: ingest.stats().size }, () => Promise.withResolvers<void>());
    const all = Promise.all(told.map(({ promise }) => promise));
    return told.map(async ({ resolve }) => {
      try {
        await ingest.session(async (worker) => {
          try {
            await worker.call("unload", { key });
          } finally {
            resolve();
          }
          await all;
        });
      } finally {
        // Where the pool gives no worker any more, nobody waits for this one.
        resolve();
      }
    });
  }

  /** Vectors of texts, in order. Rejects with a WorkerCallError when aborted or stopping. */
  async embed(
    lane: LaneName,
    key: string,
    source: ModelSource,
    texts: readonly string[],
    kind: EmbedKind,
    signal: AbortSignal,
  ): Promise<EmbeddedText[]> {
    const slices = sliceByCharacters(texts, CALL_CHARACTERS);
    const settled = await traced("embed", { "lectern.lane": lane, "lectern.texts": texts.length }, () =>
      Promise.allSettled(
        slices.map((slice) => this.#pools[lane].call("embed", { key, source, texts: slice, kind }, { signal })),
      ),
    );
    const results: EmbeddedText[] = [];
    for (const outcome of settled) {
      if (outcome.status === "rejected") throw outcome.reason;
      results.push(...splitTexts(outcome.value));
    }
    return results;
  }

  /** Opens a reranker, which says whether it can be used and what it is. */
  async loadReranker(
    key: string,
    path: string,
  ): Promise<{ ok: true; info: RerankerInfo } | { ok: false; problems: string[] }> {
    return await this.#pools.rerank.call("loadReranker", { key, path });
  }

  async unloadReranker(key: string): Promise<void> {
    await this.#pools.rerank.call("unload", { key });
  }

  /** Scores of documents for a query, in order. Rejects with a WorkerCallError when aborted or stopping. */
  async rerank({ key, path, query, documents }: RerankCall, signal: AbortSignal): Promise<Reranked> {
    return await traced("rerank", { "lectern.documents": documents.length }, () =>
      this.#pools.rerank.call("rerank", { key, path, query, documents }, { signal }),
    );
  }

  stats() {
    const { query, ingest, rerank } = this.#pools;
    return { query: query.stats(), ingest: ingest.stats(), rerank: rerank.stats() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool[Symbol.asyncDispose]()));
  }
}

function sliceByCharacters(texts: readonly string[], budget: number): string[][] {
  const slices: string[][] = [];
  let current: string[] = [];
  let characters = 0;
  for (const text of texts) {
    if (current.length > 0 && characters + text.length > budget) {
      slices.push(current);
      current = [];
      characters = 0;
    }
    current.push(text);
    characters += text.length;
  }
  if (current.length > 0) slices.push(current);
  return slices;
}

function splitTexts({ vectors, windows, tokens }: NativeMethods["embed"]["result"]): EmbeddedText[] {
  const total = windows.reduce((sum, count) => sum + count, 0);
  const dimensions = total === 0 ? 0 : vectors.length / total;
  let at = 0;
  return windows.map((count, i) => {
    const own = vectors.subarray(at, at + count * dimensions);
    at += count * dimensions;
    return { vectors: own, windows: count, tokens: tokens[i] ?? 0 };
  });
}
