import { closeSync, existsSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { mainUrl, WORKER_VERB, type WorkerEntry } from "../worker-urls.ts";
import type { MemoryGroup } from "./memory-groups.ts";
import type { ProcessBounds } from "./process-bounds.ts";
import { ProcessMemory } from "./process-memory.ts";
import {
  type CallFailure,
  type FromWorker,
  type LinkEvents,
  type StartLink,
  type ToWorker,
  WARM_UP_ID,
  type WorkerLink,
} from "./worker-link.ts";

/**
 * Workers that are processes of this same executable, bounded from outside: a process that takes too much memory is
 * killed, by this process or by the kernel, and with it goes its call and nothing else. It has no environment, no open
 * file of this process, no network where the system allows, and ends when this process ends, however that happens
 * (worker-relay.ts).
 */
export interface ProcessOptions {
  entry: WorkerEntry;
  bounds: ProcessBounds;
  /** Bytes by which a call may make it grow beyond its rest; asked for at each look, and at its start for the kernel. */
  memoryBytes: () => number;
}

/**
 * What a process may hold at rest, amply: the kernel's bound is for what grows faster than it is watched, which is the
 * precise one.
 */
const REST_BYTES = 512 * 2 ** 20;
const WATCH_EVERY_MS = process.platform === "linux" ? 20 : 250;

export function processes(options: ProcessOptions): StartLink {
  return (name, events) => new ProcessLink(options, name, events);
}

class ProcessLink implements WorkerLink {
  readonly #options: ProcessOptions;
  readonly #name: string;
  readonly #events: LinkEvents;
  readonly #child: Bun.Subprocess | null;
  readonly #memory: ProcessMemory | null;
  readonly #group: MemoryGroup | null;
  #watch: Timer | null = null;
  /** The last call. */
  #callId = WARM_UP_ID;
  #isWarming = false;
  #hasEnded = false;
  /** The least memory seen at rest, once it has done something: what a process holds that works for nobody. */
  #restBytes = Infinity;

  constructor(options: ProcessOptions, name: string, events: LinkEvents) {
    this.#options = options;
    this.#name = name;
    this.#events = events;
    this.#child = this.#spawn();
    this.#memory = this.#child === null ? null : new ProcessMemory(this.#child.pid);
    this.#group = this.#child === null ? null : this.#hold(this.#child.pid);
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  post(message: ToWorker): void {
    if (message.type === "call") {
      this.#callId = message.id;
      if (message.id === WARM_UP_ID) this.#isWarming = true;
      this.#look("rest");
      this.#watch ??= setInterval(() => this.#look("work"), WATCH_EVERY_MS);
    }
    try {
      this.#child?.send(message);
    } catch {
      // It has just ended, and says so.
    }
  }

  async terminate(): Promise<void> {
    this.#hasEnded = true;
    this.#stopWatching();
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    this.#group?.remove();
  }

  async stop(): Promise<void> {
    this.#hasEnded = true;
    this.post({ type: "stop" });
    await this.#child?.exited;
    this.#stopWatching();
    this.#group?.remove();
  }

  residentBytes(): number {
    return this.#memory?.residentBytes() ?? 0;
  }

  grownBytes(): number {
    return this.#restBytes === Infinity ? 0 : this.residentBytes() - this.#restBytes;
  }

  #spawn(): Bun.Subprocess | null {
    const program = ownProgram();
    try {
      return Bun.spawn([...this.#options.bounds.withoutNetwork, ...program.command, WORKER_VERB, this.#options.entry], {
        cwd: "/",
        env: {},
        // The fifth has a fixed number, whichever the channel takes.
        stdio: ["ignore", "ignore", "ignore", null, program.file],
        serialization: "advanced",
        ipc: (message: FromWorker) => this.#answered(message),
        onExit: ({ signalCode }, code) => this.#exited(signalCode, code),
      });
    } catch (error) {
      queueMicrotask(() => this.#ended("crashed", `a ${this.#name} process cannot be started: ${String(error)}`));
      return null;
    }
  }

  #hold(pid: number): MemoryGroup | null {
    const { bounds, memoryBytes } = this.#options;
    return bounds.memoryGroups?.hold(pid, REST_BYTES + Math.max(0, memoryBytes())) ?? null;
  }

  #exited(signalCode: Bun.Subprocess["signalCode"], code: number | null): void {
    const tookTooMuch = this.#group?.wasExhausted() === true;
    this.#group?.remove();
    if (tookTooMuch) return this.#tookTooMuch();
    const reason = signalCode === "SIGKILL" ? "killed" : "crashed";
    this.#ended(reason, `a ${this.#name} process ended (${signalCode ?? code})`);
  }

  #answered(message: FromWorker): void {
    if (this.#hasEnded) return;
    if (message.id === WARM_UP_ID) this.#isWarming = false;
    // Else the call that came after it goes on.
    if (message.id === this.#callId) this.#stopWatching();
    if (this.#restBytes === Infinity) this.#restBytes = this.residentBytes() || Infinity;
    this.#events.message(message);
  }

  /** Until it has answered something, all that it holds counts. */
  #look(at: "rest" | "work"): void {
    const bytes = this.residentBytes();
    const isNew = this.#restBytes === Infinity;
    if (at === "rest" && !isNew) this.#restBytes = Math.min(this.#restBytes, bytes || Infinity);
    if (at === "rest" || (isNew && this.#isWarming)) return;
    if (bytes - (isNew ? 0 : this.#restBytes) > this.#options.memoryBytes()) this.#tookTooMuch();
  }

  #tookTooMuch(): void {
    this.#ended("memory", `a ${this.#name} process took too much memory`);
  }

  #ended(reason: CallFailure, message: string): void {
    this.#stopWatching();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events.ended(reason, message);
  }

  #stopWatching(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }
}

/** How this program is called again. */
interface OwnProgram {
  command: readonly string[];
  /** What the worker gets as its fifth file. */
  file: number | null;
}

const FIFTH = "/proc/self/fd/4";
let executable: number | null | undefined;

/**
 * An executable is opened once and called by its open file: the one at its path may be another version's by now.
 */
function ownProgram(): OwnProgram {
  const main = fileURLToPath(mainUrl);
  if (!main.startsWith("/$bunfs/")) return { command: [process.execPath, main], file: null };
  if (executable === undefined) executable = openExecutable();
  return { command: [executable === null ? process.execPath : FIFTH], file: executable };
}

function openExecutable(): number | null {
  if (!existsSync("/proc/self/exe")) return null;
  const file = openSync("/proc/self/exe", "r");
  if (existsSync(`/proc/self/fd/${file}`)) return file;
  closeSync(file);
  return null;
}
