import { embedFailure } from "../embed/provider.ts";
import type { RerankerInfo, RerankResult } from "../embed/reranker.ts";
import { messageOf } from "../errors.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { NativeLanes } from "../workers/native-lane.ts";

/** What a reranker did, for the metrics. */
export interface RerankUse {
  model: string;
  documents: number;
  tokens: number;
  seconds: number;
  ok: boolean;
}

export interface RerankersOptions {
  lanes: Pick<NativeLanes, "loadReranker" | "unloadReranker" | "rerank">;
  onUse: (use: RerankUse) => void;
}

interface Entry {
  info: RerankerInfo;
  path: string;
  /** Names the model and its revision in the lane, which keeps it open. */
  key: string;
}

/** Characters of all documents waiting at most; one request above it is taken while nothing else waits. */
const MOST_WAITING = 8_000_000;
const RETRY_AFTER_MS = 2000;

/** The rerankers of this server, which all lie in its models directory. */
export class Rerankers {
  readonly #options: RerankersOptions;
  readonly #entries = new Map<string, Entry>();
  #waiting = 0;

  constructor(options: RerankersOptions) {
    this.#options = options;
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  info(id: string): RerankerInfo | null {
    return this.#entries.get(id)?.info ?? null;
  }

  pathOf(id: string): string | null {
    return this.#entries.get(id)?.path ?? null;
  }

  /** Opens what a scan found, unless it is open in this revision. Answers what is wrong with it, nothing when it can be used. */
  async open(id: string, revision: string, path: string): Promise<readonly string[]> {
    if (this.#entries.get(id)?.info.revision === revision) return [];
    const key = `${id}@${revision}`;
    const loaded = await this.#options.lanes.loadReranker(key, path);
    if (!loaded.ok) return loaded.problems;
    this.forget(id);
    this.#entries.set(id, { info: { ...loaded.info, id }, path, key });
    return [];
  }

  forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    // It may end with the server; then there is nothing to free.
    this.#options.lanes.unloadReranker(entry.key).catch(() => undefined);
  }

  /** Scores of documents for a query. */
  async rerank(id: string, query: string, documents: readonly string[], signal: AbortSignal): Promise<RerankResult> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return embedFailure("unavailable", `the reranker '${id}' is not here`);
    if (documents.length === 0) return { ok: true, scores: new Float64Array(), tokens: 0 };
    const characters = documents.reduce((sum, text) => sum + text.length, query.length * documents.length);
    if (this.#waiting > 0 && this.#waiting + characters > MOST_WAITING)
      return embedFailure("overloaded", `the queue of reranker '${id}' is full`, RETRY_AFTER_MS);
    this.#waiting += characters;
    const startedAt = performance.now();
    const result = await this.#run(entry, query, documents, signal);
    this.#waiting -= characters;
    this.#options.onUse({
      model: id,
      documents: documents.length,
      tokens: result.ok ? result.tokens : 0,
      seconds: (performance.now() - startedAt) / 1000,
      ok: result.ok,
    });
    return result;
  }

  async #run(
    { key, path }: Entry,
    query: string,
    documents: readonly string[],
    signal: AbortSignal,
  ): Promise<RerankResult> {
    try {
      return { ok: true, ...(await this.#options.lanes.rerank(key, path, query, documents, signal)) };
    } catch (error) {
      if (error instanceof WorkerCallError && (error.reason === "aborted" || error.reason === "closed"))
        return embedFailure("aborted", error.message);
      return embedFailure("rejected", messageOf(error));
    }
  }
}
