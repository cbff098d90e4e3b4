/**
 * The queues in front of one model, on the main thread: they cut what is asked for into batches, give searches the next
 * free place before everything else, refuse what exceeds their bound, and hand batches to a `run` function (a worker
 * lane, a remote provider). They know neither threads nor HTTP.
 *
 * - Searches have a queue of their own, everything else another. In both the tenants take turns by characters, and each
 *   fills its own share only (fair-queue.ts): a request that does not fit is answered "overloaded" at once.
 * - A batch is never split after it has started; it is small (batch-size.ts), so a search waits at most one batch for a
 *   place. It holds several turns, so that a small request rides with the next one.
 * - Where the model has a lane for queries, searches use that one only, several that wait as one batch: behind a batch of
 *   passages they would wait longer than for their turn. Short requests have that lane too, in turns with searches, so
 *   that a question which a client has embedded does not wait for all files.
 */
import type { EmbeddedText, EmbedFailure, EmbedKind, EmbedResult, ModelInfo } from "./provider.ts";
import { embedFailure } from "./provider.ts";
import { BatchSize } from "./batch-size.ts";
import { messageOf } from "../errors.ts";
import { FairQueue, type Waiting } from "../platform/fair-queue.ts";

/** What texts are embedded for. */
export interface EmbedAsk {
  /** Decides what the model puts before a text. */
  kind: EmbedKind;
  /** Whose turn it takes. */
  tenant: string;
  /** A search waits for it, it is soon done, and nothing else waits in its place: `/v1/embeddings` of queries is none. */
  isSearch: boolean;
  /** A client waits for it; of what is no search, a job does otherwise. */
  isRequest?: boolean | undefined;
  signal: AbortSignal;
}

export interface Batch {
  texts: readonly string[];
  kind: EmbedKind;
  /** Which lane has the free place. */
  lane: EmbedKind;
  /** Aborted when nobody waits for any text of the batch any more. */
  signal: AbortSignal;
}

export interface BatcherOptions {
  model: ModelInfo;
  run: (batch: Batch) => Promise<EmbedResult>;
  /** Batches in flight for passages, and for queries where they have no lane of their own. */
  passageSlots: number;
  /** Batches in flight in the lane for queries; 0 where there is none. */
  querySlots: number;
  /** Text waiting in each queue, in UTF-16 units: of all tenants, and half of that of one. */
  maxQueuedChars?: number | undefined;
  /** Text of one batch of passages, in UTF-16 units, at most; a longer text is a batch of its own. */
  batchChars?: number | undefined;
  /** Milliseconds that a batch of passages, and one of queries, is to take; without them batches are as large as may be. */
  batchMs?: Record<EmbedKind, number> | undefined;
  batchTexts?: number | undefined;
  /** Counts the texts of a new batch instead: false for one that does not fit in any more. */
  newBatch?: (() => (text: string) => boolean) | undefined;
  /** Milliseconds; for tests. */
  now?: (() => number) | undefined;
}

export interface BatcherStats {
  waitingTexts: number;
  waitingChars: number;
  runningBatches: number;
  overloaded: number;
}

const MAX_QUEUED_CHARS = 16_000_000;
/** About 4 thousand tokens: a millisecond or two for a table of word vectors, some 200 for a transformer. */
const BATCH_CHARS = 16_000;
/** One query of the greatest length, or many of the usual. */
const QUERY_BATCH_CHARS = 8192;
/** A search waits for a batch of queries and has nothing from its size. */
const LEAST_CHARS: Record<EmbedKind, number> = { query: 512, passage: 1024 };
const BATCH_TEXTS = 256;
/** A request as short as a question, all its texts together. */
const SHORT_REQUEST_CHARS = 512;
/** Turns that fit into a batch. */
const TURNS = 4;
const RETRY_AFTER_MS = 1000;

/** One call of `embed`: done when every text has its result. */
interface Request {
  kind: EmbedKind;
  texts: readonly string[];
  results: (EmbeddedText | undefined)[];
  missing: number;
  signal: AbortSignal;
  settle: (result: EmbedResult) => void;
  settled: boolean;
}

interface Part {
  request: Request;
  index: number;
}

/** `short`: requests that share the lane for queries with searches. */
type QueueName = EmbedKind | "short";

export class EmbedBatcher {
  readonly model: ModelInfo;
  readonly #options: BatcherOptions;
  readonly #waiting: Record<QueueName, FairQueue<Part>>;
  readonly #newBatch: Record<QueueName, () => (text: string) => boolean>;
  /** By the lane. */
  readonly #size: Record<EmbedKind, BatchSize>;
  readonly #now: () => number;
  /** Whose batch the lane for queries had last. */
  #lastQuery: "query" | "short" = "short";
  readonly #running: Record<EmbedKind, number> = { query: 0, passage: 0 };
  #overloaded = 0;

  constructor(options: BatcherOptions) {
    const {
      model,
      maxQueuedChars: most = MAX_QUEUED_CHARS,
      batchChars = BATCH_CHARS,
      batchTexts = BATCH_TEXTS,
      newBatch,
    } = options;
    const size = (lane: EmbedKind, mostChars: number) =>
      new BatchSize({ least: LEAST_CHARS[lane], most: mostChars, targetMs: options.batchMs?.[lane] ?? null });
    const sizes = {
      query: size("query", Math.min(batchChars, QUERY_BATCH_CHARS)),
      passage: size("passage", batchChars),
    };
    const queue = (chars: () => number) =>
      new FairQueue<Part>({
        get quantum() {
          return Math.ceil(chars() / TURNS);
        },
        most,
        mostOfOne: most / 2,
      });
    this.model = model;
    this.#options = options;
    this.#size = sizes;
    this.#now = options.now ?? (() => performance.now());
    this.#waiting = {
      query: queue(() => sizes.query.chars),
      passage: queue(() => sizes.passage.chars),
      short: queue(() => SHORT_REQUEST_CHARS),
    };
    const short = () => bounded(batchTexts, Math.min(batchChars, SHORT_REQUEST_CHARS));
    this.#newBatch = {
      query: newBatch ?? (() => bounded(batchTexts, sizes.query.chars)),
      passage: newBatch ?? (() => bounded(batchTexts, sizes.passage.chars)),
      short: newBatch ?? short,
    };
  }

  /** One result per text, in order; a failure is a value. */
  embed(texts: readonly string[], asked: EmbedAsk): Promise<EmbedResult> {
    const { kind, tenant, signal } = asked;
    if (signal.aborted) return Promise.resolve(embedFailure("aborted", "the request was aborted"));
    if (texts.length === 0) return Promise.resolve({ ok: true, texts: [] });
    const { promise, resolve } = Promise.withResolvers<EmbedResult>();
    const request: Request = {
      kind,
      texts,
      results: new Array<EmbeddedText | undefined>(texts.length),
      missing: texts.length,
      signal,
      settled: false,
      settle: (result) => {
        if (request.settled) return;
        request.settled = true;
        signal.removeEventListener("abort", onAbort);
        waiting?.leave();
        resolve(result);
      },
    };
    const onAbort = (): void => request.settle(embedFailure("aborted", "the request was aborted"));
    const parts = texts.map((text, index) => ({ item: { request, index }, cost: Math.max(1, text.length) }));
    const waiting: Waiting | null = this.#waiting[this.#queueFor(asked, texts)].add(tenant, parts);
    if (waiting === null) {
      this.#overloaded++;
      const detail = `the queue of model '${this.model.id}' is full`;
      return Promise.resolve(embedFailure("overloaded", detail, RETRY_AFTER_MS));
    }
    signal.addEventListener("abort", onAbort, { once: true });
    this.#fill();
    return promise;
  }

  stats(): BatcherStats {
    const waiting = Object.values(this.#waiting).map((queue) => queue.waiting);
    return {
      waitingTexts: waiting.reduce((sum, { slices }) => sum + slices, 0),
      waitingChars: waiting.reduce((sum, { cost }) => sum + cost, 0),
      runningBatches: this.#running.query + this.#running.passage,
      overloaded: this.#overloaded,
    };
  }

  #queueFor({ isSearch, isRequest }: EmbedAsk, texts: readonly string[]): QueueName {
    if (isSearch) return "query";
    if (isRequest !== true || this.#options.querySlots === 0) return "passage";
    return charsOf(texts) <= SHORT_REQUEST_CHARS ? "short" : "passage";
  }

  /** Starts batches while there is a place and something waits for it. */
  #fill(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      void this.#runBatch(this.#take(next.queue), next.lane);
    }
  }

  #next(): { queue: QueueName; lane: EmbedKind } | null {
    const { querySlots, passageSlots } = this.#options;
    const waits = (queue: QueueName) => this.#waiting[queue].waiting.slices > 0;
    const passageFree = this.#running.passage < passageSlots;
    const queryFree = this.#running.query < querySlots;
    if (querySlots === 0 && waits("query") && passageFree) return { queue: "query", lane: "passage" };
    if (queryFree && (waits("query") || waits("short"))) {
      const isShort = waits("short") && (this.#lastQuery === "query" || !waits("query"));
      this.#lastQuery = isShort ? "short" : "query";
      return { queue: this.#lastQuery, lane: "query" };
    }
    return waits("passage") && passageFree ? { queue: "passage", lane: "passage" } : null;
  }

  /**
   * The next batch of a queue, from one request or several. A request that does not fit whole goes behind the others of
   * its tenant, so that a small file does not wait for all of a large one.
   */
  #take(from: QueueName): Part[] {
    const fits = this.#newBatch[from]();
    const queue = this.#waiting[from];
    const parts: Part[] = [];
    const belongs = ({ request, index }: Part): boolean => {
      const [head] = parts;
      if (head !== undefined && head.request.kind !== request.kind) return false;
      // A text that is too much for any batch is one of its own.
      return fits(request.texts[index] ?? "") || head === undefined;
    };
    for (let part = queue.take(belongs); part !== undefined; part = queue.take(belongs)) parts.push(part);
    queue.passOn();
    return parts;
  }

  async #runBatch(parts: Part[], lane: EmbedKind): Promise<void> {
    const kind = parts[0]?.request.kind ?? lane;
    this.#running[lane]++;
    const requests = [...new Set(parts.map((part) => part.request))];
    const controller = new AbortController();
    const onAbort = (): void => {
      if (requests.every((request) => request.settled || request.signal.aborted)) controller.abort();
    };
    for (const request of requests) request.signal.addEventListener("abort", onAbort);
    try {
      const shared = { kind, lane, signal: controller.signal };
      const texts = textsOf(parts);
      const startedMs = this.#now();
      const result = await this.#call({ ...shared, texts });
      if (result.ok) this.#size[lane].took(charsOf(texts), this.#now() - startedMs);
      if (result.ok) deliver(parts, result.texts);
      else if (requests.length === 1 || !isAboutTheText(result)) for (const request of requests) request.settle(result);
      else {
        // Something is wrong with one of the texts: only the request that it belongs to shall fail.
        for (const request of requests) {
          const own = parts.filter((part) => part.request === request);
          const single = await this.#call({ ...shared, texts: textsOf(own) });
          if (single.ok) deliver(own, single.texts);
          else request.settle(single);
        }
      }
    } finally {
      for (const request of requests) request.signal.removeEventListener("abort", onAbort);
      this.#running[lane]--;
      this.#fill();
    }
  }

  async #call(batch: Batch): Promise<EmbedResult> {
    try {
      const result = await this.#options.run(batch);
      if (!result.ok || result.texts.length === batch.texts.length) return result;
      return embedFailure(
        "rejected",
        `model '${this.model.id}' answered ${result.texts.length} of ${batch.texts.length} texts`,
      );
    } catch (error) {
      return failureOf(error);
    }
  }
}

function bounded(most: number, mostChars: number): (text: string) => boolean {
  let texts = 0;
  let chars = 0;
  return (text) => {
    chars += text.length;
    return ++texts <= most && chars <= mostChars;
  };
}

function charsOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function textsOf(parts: Part[]): string[] {
  return parts.map(({ request, index }) => request.texts[index] ?? "");
}

function isAboutTheText(failure: EmbedFailure): boolean {
  return failure.reason === "rejected" || failure.reason === "too_long";
}

function deliver(parts: Part[], texts: EmbeddedText[]): void {
  parts.forEach(({ request, index }, i) => {
    const text = texts[i];
    if (text === undefined || request.results[index] !== undefined) return;
    request.results[index] = text;
    if (--request.missing === 0) request.settle({ ok: true, texts: request.results as EmbeddedText[] });
  });
}

function failureOf(error: unknown): EmbedFailure {
  if (error instanceof Error && error.name === "AbortError") return embedFailure("aborted", error.message);
  return embedFailure("unavailable", messageOf(error));
}
