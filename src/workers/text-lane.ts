import { AppError } from "../errors.ts";
import type { TextAnalysis, TextAsker, TextFacts, TextsToAnalyse } from "../index/text-analysis.ts";
import { FairLane } from "../platform/fair-lane.ts";
import type { Slice } from "../platform/fair-queue.ts";
import { threads } from "../platform/worker-link.ts";
import { createWorkerPool, WorkerCallError, type WorkerPool } from "../platform/worker-pool.ts";
import { textWorkerUrl } from "../worker-urls.ts";
import type { TextMethods } from "./protocol.ts";

/**
 * The lane of texts that come with a request: chunks with ready-made vectors, what `/v1/rerank` ranks without a model,
 * and what is counted for a usage. A worker of its own, because a client waits for the answer and parsers may have
 * theirs for minutes; it starts when it is first needed. Tenants take turns by characters.
 */

/** Texts and characters that cross the thread boundary at once: some 10 ms of work. */
const SLICE_TEXTS = 32;
const SLICE_CHARACTERS = 32 * 1024;
/** Characters that wait, of all tenants and of one. */
const MOST_WAITING = 64_000_000;
const MOST_OF_ONE = 32_000_000;
/** Counting is so much quicker than analysing. */
const COUNTED_FOR_ONE = 8;
/** A slice is one text at least, and the longest that a request may bring takes a second or two. */
const DEADLINE_MS = 60_000;
const RETRY_AFTER_SECONDS = 1;

/** A client waits for it: after searches, well before the reading of documents. */
const TEXT_NICE = 5;

interface Work {
  texts: string[];
  /** Null: tokens alone. */
  filename: string | null;
}

type Found = { tokens: number[] } | { facts: TextFacts[] };

export class TextLane implements TextAnalysis, AsyncDisposable {
  readonly #pool: WorkerPool<TextMethods>;
  readonly #lane: FairLane<Work, Found>;

  constructor() {
    const start = threads(textWorkerUrl);
    const init = { nice: TEXT_NICE };
    this.#pool = createWorkerPool<TextMethods>({ start, size: 1, terminable: true, init, name: "text" });
    this.#lane = new FairLane({
      quantum: SLICE_CHARACTERS,
      most: MOST_WAITING,
      mostOfOne: MOST_OF_ONE,
      slots: 1,
      run: (work, signal) => this.#run(work, signal),
    });
  }

  async count(texts: readonly string[], asker: TextAsker): Promise<number[]> {
    const found = await this.#submit(sliced(texts, null), asker);
    return found.flatMap((one) => ("tokens" in one ? one.tokens : []));
  }

  async analyse({ texts, filename }: TextsToAnalyse, asker: TextAsker): Promise<TextFacts[]> {
    const found = await this.#submit(sliced(texts, filename), asker);
    return found.flatMap((one) => ("facts" in one ? one.facts : []));
  }

  stats() {
    const { busy, restarts, size } = this.#pool.stats();
    return { size, busy, waiting: this.#lane.stats().waiting, restarts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lane[Symbol.dispose]();
    await this.#pool[Symbol.asyncDispose]();
  }

  async #submit(slices: readonly Slice<Work>[], { tenant, signal }: TextAsker): Promise<Found[]> {
    const submitted = this.#lane.submit(tenant, slices, signal);
    if (submitted === null)
      throw new AppError("overloaded", "Too many texts are waiting to be analysed. Try again later.", {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    try {
      return await submitted;
    } catch (error) {
      if (error instanceof WorkerCallError && (error.reason === "aborted" || error.reason === "closed"))
        throw new AppError("shutting_down", "The request was interrupted.", { cause: error });
      throw error;
    }
  }

  async #run({ texts, filename }: Work, signal: AbortSignal): Promise<Found> {
    const options = { signal, deadlineMs: DEADLINE_MS };
    return filename === null
      ? { tokens: await this.#pool.call("count", { texts }, options) }
      : { facts: await this.#pool.call("analyse", { texts, filename }, options) };
  }
}

function sliced(texts: readonly string[], filename: string | null): Slice<Work>[] {
  const slices: Slice<Work>[] = [];
  const share = filename === null ? COUNTED_FOR_ONE : 1;
  const most = SLICE_CHARACTERS * share;
  let current: string[] = [];
  let characters = 0;
  const end = (): void => {
    if (current.length > 0)
      slices.push({ item: { texts: current, filename }, cost: Math.max(1, Math.ceil(characters / share)) });
    current = [];
    characters = 0;
  };
  for (const text of texts) {
    if (current.length === SLICE_TEXTS * share || characters + text.length > most) end();
    current.push(text);
    characters += text.length;
  }
  end();
  return slices;
}
