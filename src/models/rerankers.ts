import { embedFailure } from "../embed/provider.ts";
import type { Reranked, RerankerInfo, RerankResult } from "../embed/reranker.ts";
import { messageOf } from "../errors.ts";
import { FairLane } from "../platform/fair-lane.ts";
import type { Slice } from "../platform/fair-queue.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { NativeLanes, RerankCall } from "../workers/native-lane.ts";

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

/** What is to be ranked, and whose turn it takes. */
export interface RerankAsk {
  tenant: string;
  query: string;
  documents: readonly string[];
  signal: AbortSignal;
}

/** Characters of pairs that one call reads: some 2,000 tokens, a tenth of a second for a small model. */
const CALL_CHARACTERS = 8_000;
/** Characters of pairs that wait, of all tenants and of one. */
const MOST_WAITING = 16_000_000;
const MOST_OF_ONE = 8_000_000;
const RETRY_AFTER_MS = 2000;
/** A query is cut to half of a model's window, of tokens of about four characters. */
const QUERY_CHARACTERS_A_TOKEN = 2;

/** Documents of one call, with their places in the request. */
interface Part {
  call: RerankCall;
  indexes: number[];
}

/**
 * The rerankers of this server, which all lie in its models directory and share one worker. Tenants take turns in it, by
 * characters of the pairs that it reads.
 */
export class Rerankers {
  readonly #options: RerankersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #lane: FairLane<Part, Reranked>;

  constructor(options: RerankersOptions) {
    this.#options = options;
    this.#lane = new FairLane({
      quantum: CALL_CHARACTERS,
      most: MOST_WAITING,
      mostOfOne: MOST_OF_ONE,
      slots: 1,
      run: ({ call }, signal) => options.lanes.rerank(call, signal),
    });
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
  async rerank(id: string, asked: RerankAsk): Promise<RerankResult> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return embedFailure("unavailable", `the reranker '${id}' is not here`);
    const { tenant, documents, signal } = asked;
    if (documents.length === 0) return { ok: true, scores: new Float64Array(), tokens: 0 };
    const startedAt = performance.now();
    const parts = partsOf(entry, asked);
    const submitted = this.#lane.submit(tenant, parts, signal);
    if (submitted === null) return embedFailure("overloaded", `the queue of reranker '${id}' is full`, RETRY_AFTER_MS);
    const result = await resultOf(submitted, parts, documents.length);
    this.#options.onUse({
      model: id,
      documents: documents.length,
      tokens: result.ok ? result.tokens : 0,
      seconds: (performance.now() - startedAt) / 1000,
      ok: result.ok,
    });
    return result;
  }
}

/** Documents of about the same length together: a batch is as long as its longest row. */
function partsOf({ key, path, info }: Entry, { query, documents }: RerankAsk): Slice<Part>[] {
  const asked = Math.min(query.length, info.maxTokens * QUERY_CHARACTERS_A_TOKEN);
  const costOf = (i: number) => Math.max(1, asked + (documents[i]?.length ?? 0));
  const order = documents.map((_, i) => i).sort((a, b) => costOf(a) - costOf(b));
  const parts: Slice<Part>[] = [];
  let indexes: number[] = [];
  let cost = 0;
  const end = (): void => {
    const call = { key, path, query, documents: indexes.map((i) => documents[i] ?? "") };
    if (indexes.length > 0) parts.push({ item: { call, indexes }, cost });
    indexes = [];
    cost = 0;
  };
  for (const i of order) {
    if (cost + costOf(i) > CALL_CHARACTERS) end();
    indexes.push(i);
    cost += costOf(i);
  }
  end();
  return parts;
}

async function resultOf(
  submitted: Promise<Reranked[]>,
  parts: readonly Slice<Part>[],
  documents: number,
): Promise<RerankResult> {
  try {
    const scores = new Float64Array(documents);
    let tokens = 0;
    (await submitted).forEach((one, p) => {
      parts[p]?.item.indexes.forEach((index, i) => (scores[index] = one.scores[i] ?? 0));
      tokens += one.tokens;
    });
    return { ok: true, scores, tokens };
  } catch (error) {
    if (error instanceof WorkerCallError && (error.reason === "aborted" || error.reason === "closed"))
      return embedFailure("aborted", error.message);
    return embedFailure("rejected", messageOf(error));
  }
}
