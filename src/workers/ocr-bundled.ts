import { readFileSync, statSync } from "node:fs";
import { imageFrames } from "../parse/image.ts";
import type { Picture } from "../parse/ocr.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import { NO_BOUNDS, type ProcessBounds } from "../platform/process-bounds.ts";
import { createWorkerPool, WorkerCallError, type WorkerPool } from "../platform/worker-pool.ts";
import { processes } from "../platform/worker-process.ts";
import type { OcrBounds, OcrEngine, OcrOutcome } from "./ocr-engine.ts";
import { faultOfLanguage, type LanguageFile, MAX_LANGUAGE_BYTES } from "./ocr-languages.ts";

/**
 * The OCR engine inside the executable, in processes that are killed when a page takes too long or too much memory, when
 * its document is cancelled, and when there has been nothing to read for a while: each holds about 150 MB.
 */
export interface BundledOcrOptions {
  /** Data of the languages to be read, in order of preference; looked up for each page. */
  languages: () => LanguageFile[];
  /** Pages read at the same time. */
  workers: number;
  /** Bytes of memory that a page may take. */
  memoryBytes: number;
  /** What the system bounds the processes by; nothing unless given. */
  bounds?: ProcessBounds | undefined;
  /** Milliseconds that one page may take. */
  pageMs?: number | undefined;
}

export type OcrMethods = {
  /** Null for a picture that cannot be decoded, or languages that cannot be loaded. */
  recognize: { args: { picture: Picture; languages: LanguageFile[] }; result: string | null };
  /** Whether a language's data can be loaded. */
  check: { args: { language: LanguageFile }; result: boolean };
};

export interface OcrInit {
  /** POSIX nice value of the worker's thread. */
  nice: number;
}

const PAGE_MS = 300_000;
const CHECK_MS = 60_000;
/** What the engine takes before it has seen a picture, with room for large language data. */
const ENGINE_BYTES = 512 * 2 ** 20;
const CHECK_BYTES = 2 ** 30;
const REST_MS = 20_000;
/** A colour picture and a turned copy of it, with what is found on them. */
const BYTES_PER_PIXEL = 16;

type PoolSettings = Pick<BundledOcrOptions, "workers" | "memoryBytes" | "bounds">;

function createPool({ workers, memoryBytes, bounds = NO_BOUNDS }: PoolSettings): WorkerPool<OcrMethods> {
  const init: OcrInit = { nice: BACKGROUND_NICE };
  const start = processes({ entry: "ocr", bounds, memoryBytes: () => ENGINE_BYTES + memoryBytes });
  return createWorkerPool<OcrMethods>({ start, size: workers, terminable: true, init, name: "ocr" });
}

export class BundledOcr implements OcrEngine {
  readonly #options: BundledOcrOptions;
  readonly #pool: WorkerPool<OcrMethods>;
  #busy = 0;
  #rest: Timer | null = null;

  constructor(options: BundledOcrOptions) {
    this.#options = options;
    this.#pool = createPool(options);
  }

  isAvailable(): boolean {
    return this.#options.languages().length > 0;
  }

  async recognize(picture: Picture, { withinMs, signal }: OcrBounds): Promise<OcrOutcome> {
    const { languages, memoryBytes, pageMs = PAGE_MS } = this.#options;
    if (pixelsOf(picture) * BYTES_PER_PIXEL > memoryBytes) return { type: "failed" };
    this.#busy += 1;
    if (this.#rest !== null) clearTimeout(this.#rest);
    try {
      const deadlineMs = Math.max(1, Math.min(withinMs, pageMs));
      const tsv = await this.#pool.call("recognize", { picture, languages: languages() }, { signal, deadlineMs });
      return tsv === null ? { type: "failed" } : { type: "read", tsv };
    } catch (error) {
      if (!(error instanceof WorkerCallError)) return { type: "failed" };
      return error.reason === "aborted" || error.reason === "closed" ? { type: "interrupted" } : { type: "failed" };
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) {
        this.#rest = setTimeout(() => this.#pool.recycleIdle(), REST_MS);
        this.#rest.unref();
      }
    }
  }

  residentBytes(): number {
    return this.#pool.residentBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#rest !== null) clearTimeout(this.#rest);
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** Why a file is no language's data, or null: its form first, then whether the engine loads it. */
export async function faultOfFile({ name, path }: Pick<LanguageFile, "name" | "path">): Promise<string | null> {
  if (statSync(path).size > MAX_LANGUAGE_BYTES) return "it is larger than any is";
  const fault = faultOfLanguage(readFileSync(path));
  if (fault !== null) return fault;
  const version = `trial ${process.pid}`;
  return (await isReadableLanguage({ name, path, version })) ? null : "the engine cannot load it";
}

/** Tries a language's data in a process of its own. */
async function isReadableLanguage(language: LanguageFile): Promise<boolean> {
  await using pool = createPool({ workers: 1, memoryBytes: CHECK_BYTES });
  try {
    return await pool.call("check", { language }, { deadlineMs: CHECK_MS });
  } catch {
    return false;
  }
}

function pixelsOf({ bytes, frame }: Picture): number {
  const graymap = /^P5\n(\d+) (\d+)\n/.exec(Buffer.from(bytes.subarray(0, 40)).toString("latin1"));
  if (graymap !== null) return Number(graymap[1]) * Number(graymap[2]);
  const found = imageFrames(bytes)?.[frame ?? 0];
  return found === undefined ? Infinity : found.width * found.height;
}
