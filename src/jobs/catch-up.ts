import { asError } from "../errors.ts";
import type { MissingFile } from "../storage/generation-files.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { generationJob, type JobRow } from "../storage/jobs.ts";
import type { Tables } from "../storage/storage.ts";
import {
  type CatchUpProgress,
  type CatchUpResult,
  type CatchUpTarget,
  FileCatchUp,
  type FileCatchUpDeps,
} from "./file-catch-up.ts";
import type { Brake } from "./ingest-brake.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { retry } from "./retry.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Brings completed files into a generation other than the live one: a generation being built by a migration, or an old
 * one kept for a rollback. From the cached parse and the stored chunks; nothing is uploaded, and nothing is parsed again
 * unless the generation has chunks of its own.
 */
export interface CatchUpDeps extends FileCatchUpDeps {
  brake: { apply(storeId: string, credit: number, tenantId: string): Brake };
}

const nothing = () => Promise.resolve();

export const NO_PROGRESS: CatchUpProgress = { chunked() {}, file: nothing, chunks: nothing, tokens: nothing };

const FILES = 50;
/** Files worked on at the same time: one alone, if it is small, leaves the model without work between its steps. */
const FILES_AT_ONCE = 16;

export interface CatchUpOptions extends CatchUpTarget {
  /** Chunks that may enter the store at once; further files are held back so that this ends. Null: all may enter. */
  freeChunks: number | null;
}

/** Adds every missing file. Ends when nothing is missing. */
export async function catchUp(deps: CatchUpDeps, options: CatchUpOptions, signal: AbortSignal): Promise<CatchUpResult> {
  const { freeChunks, generation } = options;
  const { store_id: storeId, tenant_id: tenantId } = generation;
  const brake = freeChunks === null ? null : deps.brake.apply(storeId, freeChunks, tenantId);
  try {
    for (;;) {
      const round = await new CatchUpRound(deps, { ...options, brake }, signal).run();
      if (round.result.type !== "done") return round.result;
      // Files that were attached meanwhile are found by another round.
      if (round.files === 0) return { type: "done" };
      brake?.roundEnded();
      await nextTurn();
    }
  } finally {
    brake?.[Symbol.dispose]();
    await brake?.settled?.();
  }
}

/** The files that are missing now. */
class CatchUpRound {
  readonly #deps: CatchUpDeps;
  readonly #target: CatchUpTarget & { brake: Brake | null };
  readonly #signal: AbortSignal;
  readonly #running = new Set<Promise<void>>();
  #files = 0;
  #result: CatchUpResult = { type: "done" };
  #error: Error | null = null;

  constructor(deps: CatchUpDeps, target: CatchUpTarget & { brake: Brake | null }, signal: AbortSignal) {
    this.#deps = deps;
    this.#target = target;
    this.#signal = signal;
  }

  async run(): Promise<{ files: number; result: CatchUpResult }> {
    for (let afterSeq = 0; !this.#isOver();) {
      const files = await this.#deps.storage.generationFiles.missing(this.#target.generation, afterSeq, FILES);
      this.#files += files.length;
      await this.#begin(files);
      const last = files.at(-1);
      if (last === undefined || files.length < FILES) break;
      afterSeq = last.seq;
    }
    // Files that were begun are ended: what was asked of a provider is paid.
    await Promise.all(this.#running);
    if (this.#error !== null) throw this.#error;
    return { files: this.#files, result: this.#result };
  }

  async #begin(files: readonly MissingFile[]): Promise<void> {
    for (const file of files) {
      if (this.#running.size >= FILES_AT_ONCE) await Promise.race(this.#running);
      if (this.#signal.aborted) this.#endWith({ type: "interrupted" });
      if (this.#isOver()) return;
      const work = this.#add(file).finally(() => this.#running.delete(work));
      this.#running.add(work);
    }
  }

  async #add(file: MissingFile): Promise<void> {
    try {
      this.#endWith(await new FileCatchUp(this.#deps, this.#target, file).run(this.#signal));
      this.#target.brake?.added(file.n_chunks);
    } catch (thrown) {
      this.#error ??= asError(thrown);
    }
  }

  /** The first that is not `done` is the round's. */
  #endWith(result: CatchUpResult): void {
    if (this.#result.type === "done") this.#result = result;
  }

  #isOver(): boolean {
    return this.#result.type !== "done" || this.#error !== null;
  }
}

/** Keeps a generation that a rollback may need up to date, in the background. */
export async function scheduleCatchUp(tables: Pick<Tables, "jobs">, generation: GenerationRow): Promise<void> {
  await tables.jobs.insert(generationJob("catch_up", generation));
}

/** Subject: a generation's id. */
export function createCatchUpHandler(deps: CatchUpDeps): JobHandler {
  return { kind: "catch_up", concurrency: 1, run: (job, signal) => keepUp(deps, job, signal) };
}

async function keepUp(deps: CatchUpDeps, job: JobRow, signal: AbortSignal): Promise<JobOutcome> {
  const generation = await deps.storage.generations.get(job.tenant_id, Number(job.subject));
  if (generation === null || generation.state !== "retained") return { type: "done" };
  const options = { generation, strategy: null, progress: NO_PROGRESS, freeChunks: null };
  const result = await catchUp(deps, options, signal);
  switch (result.type) {
    case "interrupted":
      return { type: "interrupted" };
    case "away":
    case "failed":
      return retry("catch_up");
    case "done": {
      const behind = (await deps.storage.generationFiles.countMissing(generation)).files > 0;
      return behind ? retry("more") : { type: "done" };
    }
  }
}
