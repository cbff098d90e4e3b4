import { constants as os, setPriority } from "node:os";
import { dirname } from "node:path";
import type { Picture } from "../parse/ocr.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import { ProcessMemory } from "../platform/process-memory.ts";
import type { OcrBounds, OcrEngine, OcrOutcome } from "./ocr-engine.ts";

/**
 * Tesseract, where the operator has put it on the machine: a program of its own per page. It is given a picture through
 * its standard input and a fixed list of arguments; no shell, no file, no environment of ours, the lowest priority, a
 * bound on its time, its memory and what it may write. Whatever it does, it costs that page.
 *
 * Tesseract takes an input that is no picture for a list of files and addresses to read, so nothing but what was made
 * or recognised as a picture may be handed over.
 */
export interface NativeOcrOptions {
  /** The program's absolute path, or null while there is none; asked for each document. */
  program: () => string | null;
  /** As Tesseract names them, joined with "+". */
  languages: string;
  /** Bytes of memory that one may take. */
  memoryBytes: number;
  /** Milliseconds that one page may take. */
  pageMs?: number | undefined;
}

const PAGE_MS = 300_000;
const ASK_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;
const WATCH_EVERY_MS = 100;
/** What a wrapper script around the program may need. */
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

export class NativeOcr implements OcrEngine {
  readonly #options: NativeOcrOptions;

  constructor(options: NativeOcrOptions) {
    this.#options = options;
  }

  isAvailable(): boolean {
    return this.#options.program() !== null;
  }

  async recognize(picture: Picture, { withinMs, signal }: OcrBounds): Promise<OcrOutcome> {
    const program = this.#options.program();
    if (program === null) return { type: "failed" };
    return await this.#run(program, picture, { withinMs: Math.min(withinMs, this.#options.pageMs ?? PAGE_MS), signal });
  }

  residentBytes(): number {
    return 0;
  }

  /** Every page is a process of its own, which its call has ended. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #run(program: string, picture: Picture, { withinMs, signal }: OcrBounds): Promise<OcrOutcome> {
    let child: Child;
    try {
      child = spawn(program, argumentsFor(picture, this.#options.languages), picture.bytes);
    } catch {
      return { type: "failed" };
    }
    const end = () => kill(child.pid);
    const timer = setTimeout(end, withinMs);
    const memory = new ProcessMemory(child.pid);
    const watch = setInterval(() => {
      if (memory.residentBytes() > this.#options.memoryBytes) end();
    }, WATCH_EVERY_MS);
    signal.addEventListener("abort", end, { once: true });
    try {
      const tsv = await readBounded(child.stdout, end);
      const code = await child.exited;
      if (signal.aborted) return { type: "interrupted" };
      return tsv === null || code !== 0 ? { type: "failed" } : { type: "read", tsv };
    } finally {
      clearTimeout(timer);
      clearInterval(watch);
      signal.removeEventListener("abort", end);
      // What a wrapper left behind.
      end();
    }
  }
}

/** Columns and blocks are found by the program, and which way up the page is (`--psm 1`). */
function argumentsFor({ frame, dpi }: Picture, languages: string): string[] {
  return [
    "stdin",
    "stdout",
    "-l",
    languages,
    "--psm",
    "1",
    ...(dpi === null ? [] : ["--dpi", String(dpi)]),
    ...(frame === null ? [] : ["-c", `tessedit_page_number=${frame}`]),
    "-c",
    "tessedit_create_tsv=1",
  ];
}

type Child = ReturnType<typeof spawn>;

function spawn(program: string, args: string[], input: Uint8Array) {
  const child = Bun.spawn([program, ...args], {
    stdin: input,
    stdout: "pipe",
    stderr: "ignore",
    cwd: "/",
    env: { PATH: `${dirname(program)}:${SYSTEM_PATH}`, LC_ALL: "C.UTF-8", OMP_THREAD_LIMIT: "1" },
    // A process group of its own, so that all of it can be ended.
    detached: true,
  });
  try {
    setPriority(child.pid, Math.min(BACKGROUND_NICE, os.priority.PRIORITY_LOW));
  } catch {
    // It has ended already.
  }
  return child;
}

function kill(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

/** What the program wrote, or null where that is more than any page gives. */
async function readBounded(stream: ReadableStream<Uint8Array>, end: () => void): Promise<string | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.byteLength;
    if (size > MAX_OUTPUT_BYTES) {
      end();
      return null;
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

export type OcrProgram = { found: false } | { found: true; version: string; languages: string[] };

/** What `tesseract` on the PATH says about itself, for the operator. */
export async function describeProgram(program: string | null): Promise<OcrProgram> {
  if (program === null) return { found: false };
  const ask = async (argument: string): Promise<string[]> => {
    const child = Bun.spawn([program, argument], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: ASK_MS,
      killSignal: "SIGKILL",
    });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return `${out}\n${err}`.split("\n").map((line) => line.trim());
  };
  try {
    const [version = "unknown"] = (await ask("--version")).flatMap(
      (line) => /^tesseract v?(\S+)/.exec(line)?.[1] ?? [],
    );
    const languages = (await ask("--list-langs")).filter((line) => /^\w+$/.test(line) && line !== "osd");
    return { found: true, version, languages };
  } catch {
    return { found: false };
  }
}
