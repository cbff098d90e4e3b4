/**
 * The queue in front of one model, on the main thread: cuts what is asked for into batches, gives queries the next free
 * place before passages, refuses what exceeds its bound, and hands batches to a `run` function (a worker lane, a remote
 * provider). It knows neither threads nor HTTP.
 *
 * - Bounded by bytes of waiting text: a request that does not fit is answered "overloaded" at once. One request larger
 *   than the whole bound is accepted while nothing waits, or it could never run.
 * - A batch is never split after it has started; it is small, so a query waits at most one batch for a place.
 * - Where the model has a lane for queries, they use that one only, several that wait as one batch: behind a batch of
 *   passages they would wait longer than for their turn.
 */
import type { EmbeddedText, EmbedFailure, EmbedKind, EmbeddingProvider, EmbedResult, ModelInfo } from "./provider.ts";
import { embedFailure } from "./provider.ts";
import { messageOf } from "../errors.ts";

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
  /** Text waiting at most, in UTF-16 units. */
  maxQueuedChars?: number | undefined;
  /** Text of one batch, in UTF-16 units; a longer text is a batch of its own. */
  batchChars?: number | undefined;
  batchTexts?: number | undefined;
  /** Counts the texts of a new batch instead: false for one that does not fit in any more. */
  newBatch?: (() => (text: string) => boolean) | undefined;
}

export interface BatcherStats {
  waitingTexts: number;
  waitingChars: number;
  runningBatches: number;
  overloaded: number;
}

const MAX_QUEUED_CHARS = 8_000_000;
/** About 16 thousand tokens: some milliseconds for a table of word vectors, a second for a transformer. */
const BATCH_CHARS = 64_000;
const BATCH_TEXTS = 256;
const RETRY_AFTER_MS = 1000;

/** One call of `embed`: done when every text has its result. */
interface Request {
  kind: EmbedKind;
  texts: readonly string[];
  results: (EmbeddedText | undefined)[];
  /** Next text that is not in a batch yet. */
  next: number;
  missing: number;
  signal: AbortSignal;
  settle: (result: EmbedResult) => void;
  settled: boolean;
}

interface Part {
  request: Request;
  index: number;
}

export class EmbedBatcher implements EmbeddingProvider {
  readonly model: ModelInfo;
  readonly #options: Required<{ [K in keyof BatcherOptions]: Exclude<BatcherOptions[K], undefined> }>;
  readonly #waiting: Record<EmbedKind, Request[]> = { query: [], passage: [] };
  readonly #running: Record<EmbedKind, number> = { query: 0, passage: 0 };
  #waitingChars = 0;
  #overloaded = 0;

  constructor(options: BatcherOptions) {
    this.model = options.model;
    const batchChars = options.batchChars ?? BATCH_CHARS;
    const batchTexts = options.batchTexts ?? BATCH_TEXTS;
    this.#options = {
      ...options,
      maxQueuedChars: options.maxQueuedChars ?? MAX_QUEUED_CHARS,
      batchChars,
      batchTexts,
      newBatch: options.newBatch ?? (() => bounded(batchTexts, batchChars)),
    };
  }

  embed(texts: readonly string[], kind: EmbedKind, signal: AbortSignal): Promise<EmbedResult> {
    if (signal.aborted) return Promise.resolve(embedFailure("aborted", "the request was aborted"));
    if (texts.length === 0) return Promise.resolve({ ok: true, texts: [] });
    const chars = texts.reduce((sum, text) => sum + text.length, 0);
    if (this.#waitingChars > 0 && this.#waitingChars + chars > this.#options.maxQueuedChars) {
      this.#overloaded++;
      const detail = `the queue of model '${this.model.id}' is full`;
      return Promise.resolve(embedFailure("overloaded", detail, RETRY_AFTER_MS));
    }
    return new Promise((resolve) => {
      const request: Request = {
        kind,
        texts,
        results: new Array<EmbeddedText | undefined>(texts.length),
        next: 0,
        missing: texts.length,
        signal,
        settled: false,
        settle: (result) => {
          if (request.settled) return;
          request.settled = true;
          signal.removeEventListener("abort", onAbort);
          this.#leave(request);
          resolve(result);
        },
      };
      const onAbort = (): void => request.settle(embedFailure("aborted", "the request was aborted"));
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting[kind].push(request);
      this.#waitingChars += chars;
      this.#fill();
    });
  }

  stats(): BatcherStats {
    const all = [...this.#waiting.query, ...this.#waiting.passage];
    return {
      waitingTexts: all.reduce((sum, request) => sum + request.texts.length - request.next, 0),
      waitingChars: this.#waitingChars,
      runningBatches: this.#running.query + this.#running.passage,
      overloaded: this.#overloaded,
    };
  }

  /** Starts batches while there is a place and something waits for it. */
  #fill(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      void this.#runBatch(this.#take(next.kind), next.kind, next.lane);
    }
  }

  #next(): { kind: EmbedKind; lane: EmbedKind } | null {
    const { querySlots, passageSlots } = this.#options;
    const passageFree = this.#running.passage < passageSlots;
    if (this.#waiting.query.length > 0) {
      if (querySlots === 0 && passageFree) return { kind: "query", lane: "passage" };
      if (this.#running.query < querySlots) return { kind: "query", lane: "query" };
    }
    return this.#waiting.passage.length > 0 && passageFree ? { kind: "passage", lane: "passage" } : null;
  }

  /**
   * The next batch of a kind, from one request or several. A request that does not fit goes to the back of the queue, so
   * that a small file does not wait for all of a large one.
   */
  #take(kind: EmbedKind): Part[] {
    const fits = this.#options.newBatch();
    const queue = this.#waiting[kind];
    const parts: Part[] = [];
    let chars = 0;
    while (queue[0] !== undefined) {
      const request = queue[0];
      const text = request.texts[request.next] ?? "";
      // A text that is too much for any batch is one of its own.
      if (!fits(text) && parts.length > 0) break;
      parts.push({ request, index: request.next++ });
      chars += text.length;
      if (request.next === request.texts.length) queue.shift();
    }
    if (queue.length > 1 && (queue[0]?.next ?? 0) > 0) queue.push(queue.shift() as Request);
    this.#waitingChars -= chars;
    return parts;
  }

  async #runBatch(parts: Part[], kind: EmbedKind, lane: EmbedKind): Promise<void> {
    this.#running[lane]++;
    const requests = [...new Set(parts.map((part) => part.request))];
    const controller = new AbortController();
    const onAbort = (): void => {
      if (requests.every((request) => request.settled || request.signal.aborted)) controller.abort();
    };
    for (const request of requests) request.signal.addEventListener("abort", onAbort);
    try {
      const shared = { kind, lane, signal: controller.signal };
      const result = await this.#call({ ...shared, texts: textsOf(parts) });
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

  /** Takes what is left of a request out of the queue. */
  #leave(request: Request): void {
    const queue = this.#waiting[request.kind];
    const at = queue.indexOf(request);
    if (at < 0) return;
    queue.splice(at, 1);
    for (let i = request.next; i < request.texts.length; i++) this.#waitingChars -= request.texts[i]?.length ?? 0;
    request.next = request.texts.length;
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
