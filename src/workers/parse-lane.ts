import type { ParseFailure } from "../parse/document.ts";
import type { ParseLimits } from "../parse/limits.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import {
  createWorkerPool,
  type WorkerCallError,
  type WorkerPool,
  type WorkerSession,
} from "../platform/worker-pool.ts";
import { parseWorkerUrl } from "../worker-urls.ts";
import type { Ocr } from "./ocr.ts";
import { type CallWorker, recognizePages } from "./ocr-pages.ts";
import type { AnalysedChunk, ParseInit, ParseMethods, ParseSource, WorkerChunk } from "./protocol.ts";

/**
 * The parse lane: each document has a worker to itself, a deadline, and a bound on memory.
 *
 * Bun does not honour a worker's `resourceLimits`, so a watchdog looks at the process's resident memory. When the
 * documents being parsed have grown it past the bound they all lose their workers, which gives the memory back within
 * a fraction of a second; those that were not alone are parsed again one at a time, and only one that breaks the bound
 * alone is to blame.
 */
export type ParseOutcome =
  | { type: "parsed"; warnings: string[] }
  | { type: "failed"; error: ParseFailure }
  /** The worker died for no reason known: worth another try. */
  | { type: "crashed" }
  | { type: "interrupted" };

/** `scanned`: these pages are for OCR first. */
type Attempt = ParseOutcome | { type: "scanned"; pages: number[] };

export interface ParseLaneOptions {
  workers: number;
  deadlineMs: number;
  /** Growth of the process's resident memory that documents may cause, in bytes. */
  memoryBytes: number;
  limits: ParseLimits;
  /** Reads scanned pages; without it they have no text. */
  ocr?: Ocr | undefined;
}

/** Chunks that cross the thread boundary at once; bounds memory on both sides. */
const SLICE = 32;
const WATCH_EVERY_MS = 20;
/**
 * Workers that left the process this much larger are replaced once the lane has rested for a while: what grew may have
 * been a model or an index, and a new worker costs most of a second on a core.
 */
const RECYCLE_BYTES = 48 * 1024 * 1024;
const REST_MS = 2_000;
/** So much larger, and they are replaced at the first instant of rest: under steady load none is longer. */
const RECYCLE_NOW_BYTES = 128 * 1024 * 1024;

interface Watched {
  startRss: number;
}

export class ParseLane implements AsyncDisposable {
  readonly #options: ParseLaneOptions;
  readonly #pool: WorkerPool<ParseMethods>;
  readonly #watched = new Set<Watched>();
  readonly #closing = new AbortController();
  #watchdog: Timer | null = null;
  #rest: Timer | null = null;
  #exclusive: Promise<void> = Promise.resolve();
  /** The least memory seen at rest since workers were last replaced: short calls must not raise it bit by bit. */
  #idleRss = Infinity;

  constructor(options: ParseLaneOptions) {
    this.#options = options;
    const init: ParseInit = { limits: options.limits, nice: BACKGROUND_NICE };
    this.#pool = createWorkerPool<ParseMethods>({
      url: parseWorkerUrl,
      size: options.workers,
      terminable: true,
      init,
      name: "parse",
    });
  }

  /** Starts every worker and lets it load what the first document needs. */
  async warm(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#pool.call("warm", null)));
  }

  /** Parses and chunks one document; `onChunks` gets them in order, in slices, and is waited for (back pressure). */
  async parse(
    source: ParseSource,
    strategy: { maxTokens: number; overlapTokens: number },
    onChunks: (chunks: WorkerChunk[]) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<ParseOutcome> {
    const attempt = (from: ParseSource) => () =>
      this.#pool.session((worker) => this.#guarded(() => this.#run(worker, from, strategy, onChunks, signal)), signal);
    const outcome = await this.#withMemoryRules(attempt(source), signal);
    if (outcome.type !== "scanned") return outcome;
    const recognized = await this.#recognized(source, outcome.pages, signal);
    if (recognized === null) return { type: "interrupted" };
    const read = await this.#withMemoryRules(attempt({ ...source, recognized }), signal);
    return read.type === "scanned" ? { type: "interrupted" } : read;
  }

  /** The parsed text in parts, from the cached parse where there is one. */
  async text(source: ParseSource, signal: AbortSignal): Promise<string[] | null> {
    const options = { signal, deadlineMs: this.#options.deadlineMs };
    const read = (from: ParseSource) =>
      this.#pool.session((worker) => this.#guarded(() => worker.call("text", { source: from }, options)), signal);
    const result = await read(source);
    if (!this.#needsOcr(source, result.scanned)) return result.ok ? result.parts : null;
    const recognized = await this.#recognized(source, result.scanned, signal);
    if (recognized === null) return null;
    const again = await read({ ...source, recognized });
    return again.ok ? again.parts : null;
  }

  /** See `ParseMethods`; null when the worker died, or was ended. */
  async upgradeTerms(chunks: AnalysedChunk[], signal: AbortSignal): Promise<Uint8Array[] | null> {
    const options = { signal, deadlineMs: this.#options.deadlineMs };
    try {
      return await this.#pool.session(
        (worker) => this.#guarded(() => worker.call("upgradeTerms", { chunks }, options)),
        signal,
      );
    } catch (error) {
      if (failureOf(error) === "error") throw error;
      return null;
    }
  }

  stats() {
    return this.#pool.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    if (this.#rest !== null) clearTimeout(this.#rest);
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
      this.#pool.session(
        (worker) => this.#guarded(() => worker.call(method, args, { signal: ending, deadlineMs })),
        ending,
      );
    return await recognizePages({ ocr, call }, source, pages, ending);
  }

  async #run(
    worker: WorkerSession<ParseMethods>,
    source: ParseSource,
    strategy: { maxTokens: number; overlapTokens: number },
    onChunks: (chunks: WorkerChunk[]) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const endsAt = performance.now() + this.#options.deadlineMs;
    const options = () => ({ signal, deadlineMs: Math.max(1, endsAt - performance.now()) });
    const summary = await worker.call("parse", { source, ...strategy }, options());
    if (this.#needsOcr(source, summary.scanned)) return { type: "scanned", pages: summary.scanned };
    if (!summary.ok) return { type: "failed", error: summary.error };
    for (let from = 0; from < summary.chunks; from += SLICE) {
      await onChunks(await worker.call("chunks", { from, count: SLICE }, options()));
    }
    return { type: "parsed", warnings: summary.warnings };
  }

  async #withMemoryRules(attempt: () => Promise<Attempt>, signal: AbortSignal): Promise<Attempt> {
    try {
      return await attempt();
    } catch (error) {
      const reason = failureOf(error);
      if (reason !== "memory") return outcomeOf(reason, this.#options.deadlineMs, error);
    }
    // Again, alone: whoever comes here waits for the one before.
    const before = this.#exclusive;
    const turn = Promise.withResolvers<void>();
    this.#exclusive = before.then(() => turn.promise);
    await before;
    try {
      if (signal.aborted) return { type: "interrupted" };
      return await attempt();
    } catch (error) {
      return outcomeOf(failureOf(error), this.#options.deadlineMs, error);
    } finally {
      turn.resolve();
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const watched: Watched = { startRss: process.memoryUsage.rss() };
    if (this.#watched.size === 0) this.#idleRss = Math.min(this.#idleRss, watched.startRss);
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#watched.add(watched);
    this.#watchdog ??= setInterval(() => this.#look(), WATCH_EVERY_MS);
    try {
      return await work();
    } finally {
      this.#watched.delete(watched);
      if (this.#watched.size === 0) this.#cameToRest();
    }
  }

  #look(): void {
    let earliest: number | null = null;
    // Insertion order: the first is the one that has run longest.
    for (const { startRss } of this.#watched) earliest ??= startRss;
    if (earliest === null) return;
    if (process.memoryUsage.rss() - earliest > this.#options.memoryBytes) this.#pool.killBusy("memory");
  }

  #cameToRest(): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#watchdog = null;
    const grown = process.memoryUsage.rss() - this.#idleRss;
    if (grown < RECYCLE_BYTES) return;
    // At the earliest after this turn: the worker that served the last call is released in it.
    this.#rest = setTimeout(() => this.#recycle(), grown < RECYCLE_NOW_BYTES ? REST_MS : 0);
  }

  #recycle(): void {
    if (this.#watched.size > 0) return;
    this.#pool.recycleIdle();
    this.#idleRss = Infinity;
    // The next document shall not wait for a worker to load. One that fails to start says so to whoever needs it.
    if (!this.#closing.signal.aborted) void this.warm().catch(() => undefined);
  }
}

function failureOf(error: unknown): WorkerCallError["reason"] | "error" {
  return error instanceof Error && error.name === "WorkerCallError" ? (error as WorkerCallError).reason : "error";
}

function outcomeOf(reason: WorkerCallError["reason"] | "error", deadlineMs: number, error: unknown): ParseOutcome {
  switch (reason) {
    case "deadline":
      return {
        type: "failed",
        error: {
          code: "invalid_file",
          message: `The file could not be parsed within ${Math.round(deadlineMs / 1000)} seconds.`,
        },
      };
    case "memory":
      return {
        type: "failed",
        error: { code: "invalid_file", message: "The file could not be parsed because it is too large." },
      };
    case "aborted":
    case "closed":
      return { type: "interrupted" };
    case "crashed":
      return { type: "crashed" };
    case "error":
      throw error;
  }
}
