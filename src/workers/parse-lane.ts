import type { ParseFailure } from "../parse/document.ts";
import type { ParseLimits } from "../parse/limits.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import { NO_BOUNDS, type ProcessBounds } from "../platform/process-bounds.ts";
import { type Turn, Turns } from "../platform/turns.ts";
import type { CallFailure } from "../platform/worker-link.ts";
import { createWorkerPool, WorkerCallError, type WorkerPool, type WorkerSession } from "../platform/worker-pool.ts";
import { processes } from "../platform/worker-process.ts";
import type { Ocr } from "./ocr.ts";
import { type CallWorker, recognizePages } from "./ocr-pages.ts";
import type { AnalysedChunk, ParseInit, ParseMethods, ParseSource, TextPart, WorkerChunk } from "./protocol.ts";
import { traced } from "../platform/tracing.ts";

/**
 * The parse lane: each document has a process to itself, a deadline, and a bound on memory.
 *
 * A process that breaks its deadline or its bound is killed, and the document in it is to blame: nothing else was in
 * there. One that the system killed may have gone for what others took, so its document is tried once more while no
 * other such one is; killed again, it is too large. Tenants get processes by turns (platform/turns.ts).
 */
export type ParseOutcome = { type: "parsed"; warnings: string[] } | Failure;

type Failure =
  | { type: "failed"; error: ParseFailure }
  /** The worker died for no reason known: worth another try. */
  | { type: "crashed" }
  | { type: "interrupted" };

export type TextOutcome = { type: "read"; parts: TextPart[] } | Failure;

/** `parsed`: the last chunks, which are still to be given on. `scanned`: these pages are for OCR first. */
type Attempt =
  | Failure
  | { type: "parsed"; warnings: string[]; last: WorkerChunk[] }
  | { type: "scanned"; pages: number[] };

export interface ParseLaneOptions {
  workers: number;
  deadlineMs: number;
  /** Growth of its process's resident memory that a document may cause, in bytes. */
  memoryBytes: number;
  limits: ParseLimits;
  /** What the system bounds the processes by; nothing unless given. */
  bounds?: ProcessBounds | undefined;
  /** Reads scanned pages; without it they have no text. */
  ocr?: Ocr | undefined;
}

/** How a document is cut, and the place in the lane that its job was given with its turn. */
export interface ParseTask {
  maxTokens: number;
  overlapTokens: number;
  turn?: Turn | undefined;
}

/** Gets the chunks in order, in slices, and is waited for (back pressure). After the last slice the document is parsed. */
type TakeChunks = (chunks: WorkerChunk[], isLast: boolean) => void | Promise<void>;

/** Chunks that cross the boundary at once; bounds memory on both sides. */
const SLICE = 32;
const MIB = 2 ** 20;
/**
 * Processes that have grown by this much are replaced once the lane has rested for a while: a new one costs a second or
 * two on a core, and its first documents are slower than those of one whose code has been compiled.
 */
const RECYCLE_BYTES = 128 * MIB;
const REST_MS = 10_000;
/**
 * Grown by half the bound, one is replaced when its document is done: the next shall not be blamed for it. Most of what a
 * process keeps is used again.
 */
const RECYCLE_SHARE = 0.5;
const RECYCLE_NOW_LEAST_BYTES = 192 * MIB;
/** Documents of one tenant that took the whole lane for so long let another tenant have the spare place. */
const SPARE_AFTER_MS = 300;
const SPARE_REST_MS = 20_000;

export class ParseLane implements AsyncDisposable {
  readonly #options: ParseLaneOptions;
  readonly #pool: WorkerPool<ParseMethods>;
  readonly #turns: Turns;
  readonly #closing = new AbortController();
  #working = 0;
  #rest: Timer | null = null;
  #spareRest: Timer | null = null;
  #exclusive: Promise<void> = Promise.resolve();
  #onFree = (): void => undefined;

  constructor(options: ParseLaneOptions) {
    this.#options = options;
    const { workers, bounds = NO_BOUNDS } = options;
    const init: ParseInit = { limits: options.limits, nice: BACKGROUND_NICE };
    this.#turns = new Turns({ places: workers, spareAfterMs: SPARE_AFTER_MS, onFree: () => this.#onFree() });
    this.#pool = createWorkerPool<ParseMethods>({
      start: processes({ entry: "parse", bounds, memoryBytes: () => options.memoryBytes }),
      // One for the spare place, which is started when somebody has it.
      size: workers + 1,
      terminable: true,
      init,
      name: "parse",
      warmUp: "warm",
      replaceAbove: Math.max(RECYCLE_NOW_LEAST_BYTES, options.memoryBytes * RECYCLE_SHARE),
    });
  }

  /** Starts every worker but the spare one and lets it load what the first document needs. */
  async warm(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#pool.call("warm", null)));
  }

  /** A place for a document of this tenant, if it may have one now; `parse` is given it. */
  tryTurn(tenantId: string): Turn | null {
    return this.#turns.tryTake(tenantId);
  }

  /** Called when `tryTurn` may give a place that it did not give before. */
  onFree(listener: () => void): void {
    this.#onFree = listener;
  }

  /** Parses and chunks one document. */
  async parse(source: ParseSource, task: ParseTask, onChunks: TakeChunks, signal: AbortSignal): Promise<ParseOutcome> {
    return await traced("parse", { "lectern.content_type": source.contentType ?? "" }, () =>
      this.#parse(source, task, onChunks, signal),
    );
  }

  async #parse(source: ParseSource, task: ParseTask, onChunks: TakeChunks, signal: AbortSignal): Promise<ParseOutcome> {
    const attempt = (from: ParseSource, turn?: Turn) => () =>
      this.#inTurn(source.tenantId, signal, (worker) => this.#run(worker, from, task, onChunks, signal), turn);
    let outcome = await this.#attempts(attempt(source, task.turn), attempt(source), signal);
    if (outcome.type === "scanned") {
      const recognized = await this.#recognized(source, outcome.pages, signal);
      if (recognized === null) return { type: "interrupted" };
      const again = attempt({ ...source, recognized });
      outcome = await this.#attempts(again, again, signal);
      if (outcome.type === "scanned") return { type: "interrupted" };
    }
    if (outcome.type !== "parsed") return outcome;
    // The worker has given all that it had, and reads another document meanwhile.
    if (outcome.last.length > 0) await onChunks(outcome.last, true);
    return { type: "parsed", warnings: outcome.warnings };
  }

  /** The parsed text in parts, from the cached parse where there is one. */
  async text(source: ParseSource, signal: AbortSignal): Promise<string[] | null> {
    const outcome = await this.#text(source, signal);
    return outcome.type === "read" ? outcome.parts.map(({ text }) => text) : null;
  }

  /** The same with the pages that the parts are of, and with the reason where there is none. Never throws. */
  async pages(source: ParseSource, signal: AbortSignal): Promise<TextOutcome> {
    try {
      return await this.#text(source, signal);
    } catch (error) {
      return outcomeOf(error, this.#options.deadlineMs);
    }
  }

  async #text(source: ParseSource, signal: AbortSignal): Promise<TextOutcome> {
    return await traced("parse.text", {}, () => this.#readText(source, signal));
  }

  async #readText(source: ParseSource, signal: AbortSignal): Promise<TextOutcome> {
    const options = { signal, deadlineMs: this.#options.deadlineMs };
    const read = (from: ParseSource) =>
      this.#inTurn(source.tenantId, signal, (worker) => worker.call("text", { source: from }, options));
    let result = await read(source);
    if (this.#needsOcr(source, result.scanned)) {
      const recognized = await this.#recognized(source, result.scanned, signal);
      if (recognized === null) return { type: "interrupted" };
      result = await read({ ...source, recognized });
    }
    return result.ok ? { type: "read", parts: result.parts } : { type: "failed", error: result.error };
  }

  /** See `ParseMethods`; null when the worker died, or was ended. */
  async upgradeTerms(tenantId: string, chunks: AnalysedChunk[], signal: AbortSignal): Promise<Uint8Array[] | null> {
    const options = { signal, deadlineMs: this.#options.deadlineMs };
    try {
      return await this.#inTurn(tenantId, signal, (worker) => worker.call("upgradeTerms", { chunks }, options));
    } catch (error) {
      if (error instanceof WorkerCallError) return null;
      throw error;
    }
  }

  /** Places are the workers that there are for all; the spare one's may be busy above them. */
  stats(): { size: number; busy: number; waiting: number; restarts: number } {
    const { busy, restarts } = this.#pool.stats();
    return { size: this.#options.workers, busy, waiting: this.#turns.stats().waiting, restarts };
  }

  /** Of its processes. */
  residentBytes(): number {
    return this.#pool.residentBytes();
  }

  pids(): number[] {
    return this.#pool.pids();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    if (this.#rest !== null) clearTimeout(this.#rest);
    if (this.#spareRest !== null) clearTimeout(this.#spareRest);
    await this.#pool[Symbol.asyncDispose]();
  }

  #needsOcr(source: ParseSource, scanned: readonly number[]): boolean {
    return source.recognized === undefined && scanned.length > 0 && this.#options.ocr?.isAvailable() === true;
  }

  /** Null when interrupted. */
  async #recognized(source: ParseSource, pages: readonly number[], signal: AbortSignal) {
    const { ocr, deadlineMs } = this.#options;
    if (ocr === undefined) return null;
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    const call: CallWorker = (method, args) =>
      this.#inTurn(source.tenantId, ending, (worker) => worker.call(method, args, { signal: ending, deadlineMs }));
    return await recognizePages({ ocr, call }, source, pages, ending);
  }

  async #run(
    worker: WorkerSession<ParseMethods>,
    source: ParseSource,
    { maxTokens, overlapTokens }: ParseTask,
    onChunks: TakeChunks,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const endsAt = performance.now() + this.#options.deadlineMs;
    const options = () => ({ signal, deadlineMs: Math.max(1, endsAt - performance.now()) });
    const summary = await worker.call("parse", { source, maxTokens, overlapTokens, count: SLICE }, options());
    if (this.#needsOcr(source, summary.scanned)) return { type: "scanned", pages: summary.scanned };
    if (!summary.ok) return { type: "failed", error: summary.error };
    const { chunks, warnings } = summary;
    let last = summary.first;
    for (let from = last.length; from < chunks; from += SLICE) {
      if (last.length > 0) await onChunks(last, false);
      last = await worker.call("chunks", { from, count: SLICE }, options());
    }
    return { type: "parsed", warnings, last };
  }

  /** Holds a worker, when it is this tenant's turn: the one given, or the next. */
  async #inTurn<T>(
    tenantId: string,
    signal: AbortSignal,
    work: (worker: WorkerSession<ParseMethods>) => Promise<T>,
    given?: Turn,
  ): Promise<T> {
    using turn = given ?? (await this.#turn(tenantId, signal));
    this.#working += 1;
    if (this.#rest !== null) clearTimeout(this.#rest);
    try {
      return await this.#pool.session(work, signal);
    } finally {
      this.#working -= 1;
      if (this.#working === 0) this.#cameToRest();
      turn[Symbol.dispose]();
    }
  }

  async #turn(tenantId: string, signal: AbortSignal): Promise<Turn> {
    const closing = this.#closing.signal;
    try {
      return await traced("parse.queue", {}, () => this.#turns.take(tenantId, AbortSignal.any([signal, closing])));
    } catch {
      throw new WorkerCallError(closing.aborted ? "closed" : "aborted", "ended while it waited for its turn");
    }
  }

  async #attempts(
    first: () => Promise<Attempt>,
    second: () => Promise<Attempt>,
    signal: AbortSignal,
  ): Promise<Attempt> {
    try {
      return await first();
    } catch (error) {
      if (reasonOf(error) !== "killed") return outcomeOf(error, this.#options.deadlineMs);
    }
    // Again, alone: whoever comes here waits for the one before.
    const before = this.#exclusive;
    const turn = Promise.withResolvers<void>();
    this.#exclusive = before.then(() => turn.promise);
    await before;
    try {
      if (signal.aborted) return { type: "interrupted" };
      return await second();
    } catch (error) {
      return outcomeOf(error, this.#options.deadlineMs);
    } finally {
      turn.resolve();
    }
  }

  #cameToRest(): void {
    if (this.#closing.signal.aborted) return;
    this.#rest = setTimeout(() => this.#pool.recycleIdle(RECYCLE_BYTES), REST_MS);
    if (this.#spareRest !== null) clearTimeout(this.#spareRest);
    this.#spareRest = setTimeout(() => this.#pool.endIdleFrom(this.#options.workers), SPARE_REST_MS);
  }
}

function reasonOf(error: unknown): CallFailure | null {
  return error instanceof WorkerCallError ? error.reason : null;
}

function outcomeOf(error: unknown, deadlineMs: number): Failure {
  switch (reasonOf(error)) {
    case "deadline":
      return {
        type: "failed",
        error: {
          code: "invalid_file",
          message: `The file could not be parsed within ${Math.round(deadlineMs / 1000)} seconds.`,
        },
      };
    case "memory":
    case "killed":
      return {
        type: "failed",
        error: { code: "invalid_file", message: "The file could not be parsed because it is too large." },
      };
    case "aborted":
    case "closed":
      return { type: "interrupted" };
    case "crashed":
      return { type: "crashed" };
    case null:
      throw error;
  }
}
