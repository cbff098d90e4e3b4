/**
 * A Lectern server as a process of its own, as users run it: the compiled binary where there is one, else from source.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Asking, asking } from "./asking.ts";
import { OVER_TWO, startPair } from "./pair.ts";
import { tempDir, type TempDir } from "./temp-dir.ts";

export const ROOT = resolve(import.meta.dir, "../..");
/** A path in LECTERN_UNDER_TEST is another binary; the word `source` there runs the source. */
const WANTED = process.env["LECTERN_UNDER_TEST"] ?? join(ROOT, "dist/lectern");

/** How to call `lectern`. */
export const LECTERN: readonly string[] =
  WANTED !== "source" && existsSync(WANTED) ? [WANTED] : [process.execPath, join(ROOT, "src/main.ts")];

/** The administrator's key of servers that tests start. It holds spaces, as the official clients' suites do. */
export const TEST_KEY = "test key of the administrator 0123456789";

/**
 * The default model of servers and verbs that tests start, whatever the product's is: the table of words is quick, and
 * what tests say of scores is said of it. A test of the product's default starts with `env: PRODUCT_DEFAULT`.
 */
export const TEST_DEFAULT_MODEL = "lectern-embed-en";
export const PRODUCT_DEFAULT = { LECTERN_DEFAULT_MODEL: "" };

/** Nothing of the caller's environment but what any program needs. */
export function plainEnv(more: Record<string, string> = {}): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG", "BUN_INSTALL"].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), LECTERN_DEFAULT_MODEL: TEST_DEFAULT_MODEL, ...more };
}

export interface StartOptions {
  /** Kept after the server has stopped; a temporary one otherwise. */
  dataDir?: string;
  args?: readonly string[];
  env?: Record<string, string>;
  command?: readonly string[];
}

export interface TestServer extends Asking, AsyncDisposable {
  dataDir: string;
  pid: number;
  /** Milliseconds from the start of the process to the ready line. */
  startMs: number;
  /** What it wrote to standard error so far. */
  log(): string;
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number>;
  /** SIGKILL, at once. */
  kill(): Promise<void>;
}

const READY = /^lectern \S+ listening on (http:\/\/\S+)$/m;

/**
 * Starts a server on a free port and waits for its ready line. Throws with what it wrote if it ends before that. With
 * LECTERN_TEST_SERVERS=two it is two that look like one (pair.ts).
 */
export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  if (!OVER_TWO) return await startOne(options);
  const dataDir = options.dataDir ?? leftBehind().join("data");
  return await startPair(startOne, { ...options, dataDir });
}

/** Removed when the process ends. */
function leftBehind(): TempDir {
  const dir = tempDir();
  process.on("exit", () => dir[Symbol.dispose]());
  return dir;
}

/** One, whatever suites are to run over. */
export async function startOne(options: StartOptions = {}): Promise<TestServer> {
  const own = options.dataDir === undefined ? tempDir() : null;
  const dataDir = options.dataDir ?? own?.join("data") ?? "";
  const cwd = own?.path ?? join(dataDir, "..");
  mkdirSync(cwd, { recursive: true });
  const startedMs = performance.now();
  const child = Bun.spawn({
    cmd: [...(options.command ?? LECTERN), "serve", "--port", "0", "--data", dataDir, ...(options.args ?? [])],
    cwd,
    env: plainEnv({ LECTERN_API_KEY: TEST_KEY, ...options.env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = collect(child.stderr);
  const output = collect(child.stdout);
  const ready = await Promise.race([output.until(READY), child.exited.then(() => null)]);
  if (!ready?.[1]) {
    await child.exited;
    own?.[Symbol.dispose]();
    throw new Error(`the server did not start (exit ${child.exitCode}):\n${errors.text()}${output.text()}`);
  }
  const key = options.env?.["LECTERN_API_KEY"] || TEST_KEY;

  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return await child.exited;
  };
  return {
    ...asking(ready[1], key),
    dataDir,
    pid: child.pid,
    startMs: performance.now() - startedMs,
    log: errors.text,
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      own?.[Symbol.dispose]();
    },
  };
}

export interface CommandResult {
  status: number;
  out: string;
  err: string;
}

/** Runs `lectern ARGS…` to its end, without a terminal. */
export async function runLectern(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  const child = Bun.spawn({
    cmd: [...LECTERN, ...args],
    cwd: options.cwd ?? ROOT,
    env: plainEnv(options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status, out, err };
}

/** Reads a stream to its end, so that the child never blocks on a full pipe. */
function collect(stream: ReadableStream<Uint8Array>): {
  text: () => string;
  until: (pattern: RegExp) => Promise<RegExpExecArray | null>;
} {
  let text = "";
  let wake = () => {};
  const decoder = new TextDecoder();
  const done = (async () => {
    for await (const piece of stream) {
      text += decoder.decode(piece, { stream: true });
      wake();
    }
  })();
  return {
    text: () => text,
    async until(pattern) {
      for (;;) {
        const match = pattern.exec(text);
        if (match) return match;
        const more = new Promise<"more">((resolve) => (wake = () => resolve("more")));
        if ((await Promise.race([more, done.then(() => "end" as const)])) === "end") return pattern.exec(text);
      }
    },
  };
}
