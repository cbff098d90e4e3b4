/**
 * Programs under the tracer (tracer.cpp): which call on which file is to fail, how often calls were seen, and what was
 * recorded. Needs Linux on x86-64, a C++ compiler and the right to trace one's own children.
 */
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { LECTERN, ROOT, startServer, type StartOptions, type TestServer } from "../helpers/server.ts";

/** In the order of tracer.cpp. */
export const KINDS = [
  "write",
  "sync",
  "rename",
  "open",
  "truncate",
  "unlink",
  "mkdir",
  "link",
  "copy",
  "mmap",
  "close",
] as const;
export type Kind = (typeof KINDS)[number];

const { errno } = constants;
/** What happens to the call; the last two as tracer.cpp has them. */
export const ACTIONS = {
  EIO: errno.EIO,
  ENOSPC: errno.ENOSPC,
  EDQUOT: errno.EDQUOT,
  EMFILE: errno.EMFILE,
  ENFILE: errno.ENFILE,
  EACCES: errno.EACCES,
  ENOMEM: errno.ENOMEM,
  short: 10_000,
  kill: 10_001,
} as const;
export type Action = keyof typeof ACTIONS;

export interface Fault {
  kind: Kind;
  action: Action;
  /** The n-th such call from now on, counted from 1. */
  nth: number;
  /** All that come after it too. */
  isLasting?: boolean;
  /** Only on files whose path holds this. */
  on?: string;
}

const [ARMED, KIND, COUNTDOWN, ACTION, HITS, STICKY, MARK, SERVER, UNKNOWN, SEEN] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16];
const [FILTER_AT, HIT_AT, UNKNOWN_AT, PAGE] = [256, 1024, 2048, 4096];

/** The words that the tracer and the test share. */
export class Control {
  readonly path: string;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;

  constructor(path: string) {
    const file = openSync(path, "w");
    ftruncateSync(file, PAGE);
    closeSync(file);
    this.path = path;
    this.#bytes = Bun.mmap(path, { shared: true });
    this.#words = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, PAGE / 4);
  }

  arm({ kind, action, nth, isLasting, on }: Fault): void {
    const words = this.#words;
    words[ARMED] = 0;
    this.#bytes.fill(0, FILTER_AT, HIT_AT);
    this.#bytes.set(new TextEncoder().encode(on ?? ""), FILTER_AT);
    words[KIND] = 1 << KINDS.indexOf(kind);
    words[COUNTDOWN] = nth;
    words[ACTION] = ACTIONS[action];
    words[HITS] = 0;
    words[STICKY] = isLasting === true ? 1 : 0;
    words[ARMED] = 1;
  }

  /** Ends it; how many calls failed. */
  disarm(): number {
    this.#words[ARMED] = 0;
    return this.hits;
  }

  /** How many calls failed since it was armed. */
  get hits(): number {
    return this.#words[HITS] ?? 0;
  }

  /** Which call failed last, and on what. */
  get struck(): string {
    return this.#text(HIT_AT);
  }

  /** Ways to write that the tracer does not know, as far as any were used. */
  get unknown(): string | null {
    return this.#words[UNKNOWN] === 0 ? null : this.#text(UNKNOWN_AT);
  }

  get pid(): number {
    return this.#words[SERVER] ?? 0;
  }

  /** Calls on files below the root so far. */
  seen(): Record<Kind, number> {
    return Object.fromEntries(KINDS.map((kind, i) => [kind, this.#words[SEEN + i] ?? 0])) as Record<Kind, number>;
  }

  /** Stands in every record from now on. */
  mark(number: number): void {
    this.#words[MARK] = number;
  }

  #text(at: number): string {
    const bytes = this.#bytes.slice(at, at + 900);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}

const SOURCE = join(import.meta.dir, "tracer.cpp");
const BINARY = join(ROOT, "dist/faults/tracer");
const COMPILER = Bun.which("c++") ?? Bun.which("g++") ?? Bun.which("clang++");
export const TRACER = "tracing of calls (Linux on x86-64, a C++ compiler, the right to trace)";

let built: boolean | null = null;

/** Whether programs can be traced here; says so where not. */
export function mayTrace(): boolean {
  built ??= process.platform === "linux" && process.arch === "x64" && COMPILER !== null && build();
  return built;
}

function build(): boolean {
  if (!existsSync(BINARY) || statSync(BINARY).mtimeMs < statSync(SOURCE).mtimeMs) {
    mkdirSync(join(BINARY, ".."), { recursive: true });
    const temporary = `${BINARY}.${process.pid}`;
    const made = Bun.spawnSync([COMPILER ?? "", "-O2", "-std=c++17", "-o", temporary, SOURCE]);
    if (!made.success) throw new Error(`the tracer was not compiled:\n${made.stderr.toString()}`);
    renameSync(temporary, BINARY);
  }
  const control = new Control(`${BINARY}.${process.pid}.try`);
  return Bun.spawnSync([BINARY, control.path, "/nowhere", "-", "--", "/bin/true"]).success;
}

export interface Watched {
  control: Control;
  /** Everything below it is watched. */
  root: string;
  /** File for the record, if there is to be one. */
  record?: string;
}

/** The command that runs another one under the tracer. */
export function traced({ control, root, record }: Watched, command: readonly string[]): string[] {
  return [BINARY, control.path, root, record ?? "-", "--", ...command];
}

export async function startTraced(watched: Watched, options: StartOptions): Promise<TestServer> {
  return await startServer({ ...options, command: traced(watched, options.command ?? LECTERN) });
}
