/** Processes of engines: on some cores only, with all that they start, measured and ended together. */
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { waitFor } from "../../helpers/wait.ts";

const HAS_TASKSET = Bun.which("taskset") !== null;
const STOP_MS = 60_000;

/** `command`, to run on these cores. */
export function onCores(cores: readonly number[] | null, command: readonly string[]): string[] {
  if (cores === null) return [...command];
  return ["taskset", "--cpu-list", cores.join(","), ...command];
}

export const canPin = () => HAS_TASKSET;

/** Puts all threads of this process on these cores. */
export async function pinSelf(cores: readonly number[]): Promise<void> {
  await Bun.$`taskset --all-tasks --cpu-list --pid ${cores.join(",")} ${process.pid}`.quiet();
}

export interface Child {
  pid: number;
  /** What it wrote so far. */
  log(): string;
  isOver(): boolean;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface SpawnOptions {
  cores: readonly number[] | null;
  cwd: string;
  env?: Record<string, string>;
  /** What asks it to end in order. */
  signal?: NodeJS.Signals;
}

export function spawn(command: readonly string[], options: SpawnOptions): Child {
  let log = "";
  const child = Bun.spawn(onCores(options.cores, command), {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) log = (log + decoder.decode(piece, { stream: true })).slice(-20_000);
  };
  void collect(child.stdout);
  void collect(child.stderr);
  const kill = async () => {
    const pids = treeOf(child.pid);
    // The parent first, so that it does not start its children again.
    for (const pid of pids) signalTo(pid, "SIGKILL");
    await child.exited;
    await waitFor("all its processes are gone", () => !pids.some(isAlive) || undefined, STOP_MS);
  };
  return {
    pid: child.pid,
    log: () => log,
    isOver: () => child.exitCode !== null || child.signalCode !== null,
    async stop() {
      child.kill(options.signal ?? "SIGTERM");
      const timer = setTimeout(() => void kill(), STOP_MS);
      await child.exited;
      clearTimeout(timer);
    },
    kill,
  };
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A process and all below it, parents before their children. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [root];
  // It grows while it is walked.
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return null;
  }
}

export interface Memory {
  /** Resident, a page that several processes share counted once in all (Pss of smaps_rollup). */
  residentBytes: number;
  /** The part that belongs to no file. */
  anonymousBytes: number;
}

export function memoryOfTree(root: number): Memory {
  const sum = { residentBytes: 0, anonymousBytes: 0 };
  for (const pid of treeOf(root)) {
    const rollup = smapsOf(pid);
    const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? "0") * 1024;
    sum.residentBytes += bytes("Pss");
    sum.anonymousBytes += bytes("Pss_Anon");
  }
  return sum;
}

function smapsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  } catch {
    return "";
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Bytes that a folder takes of the disk. */
export async function diskBytes(dir: string): Promise<number> {
  return Number((await Bun.$`du -s --block-size=1 ${dir}`.quiet().text()).split("\t")[0]);
}
