/**
 * The server under test and everything around it: a small disk of its own that can be filled, a clock that can be moved, a
 * chat model upstream, and what disturbs it. Whoever asks the server is told whether a disturbance was under way.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type ChatReply, type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel } from "../migrate/corpus.ts";
import { Wrong } from "./wrong.ts";

const MB = 1024 * 1024;
const DISK_MB = 1024;
const LOG_KEPT = 200_000;
const PIECE = new Uint8Array(256 * 1024);
export const LIBRECHAT_SECRET = "16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef";
export const CHAT_MODEL = "qwen3";
/** What the chat model says unless it is told otherwise. */
export const SAID = "That is so [1].";

export type Disturbance = "kill" | "restart" | "full" | "clock";

export class House implements AsyncDisposable {
  server!: TestServer;
  readonly upstream: ChatServer;
  /** How often each happened. */
  readonly happened: Record<Disturbance, number> = { kill: 0, restart: 0, full: 0, clock: 0 };
  readonly startMs: number[] = [];
  /** The end of what each server wrote, of those that are over. */
  readonly logs: string[] = [];
  /** Whether the disk can be filled here. */
  readonly isMounted: boolean;
  readonly #dir: TempDir;
  #movedBy = 0;
  #lastFullMs = -Infinity;
  #isFull = false;
  /** Disturbances that began, and those that are under way. */
  #begun = 0;
  #under = 0;
  #gate: Promise<void> = Promise.resolve();

  private constructor(dir: TempDir, upstream: ChatServer) {
    this.#dir = dir;
    this.upstream = upstream;
    mkdirSync(this.disk);
    this.isMounted = mountSmallDisk(this.disk);
  }

  static async open(): Promise<House> {
    const upstream = await startChatServer();
    upstream.say((asked) => {
      upstream.asked.length = 0;
      return replyTo(JSON.stringify(asked.body));
    });
    const house = new House(tempDir(), upstream);
    await addSecondModel(house.dataDir);
    await house.#start();
    return house;
  }

  get disk(): string {
    return this.#dir.join("disk");
  }

  get dataDir(): string {
    return join(this.disk, "data");
  }

  /** The server's clock, in seconds. */
  get nowSeconds(): number {
    return Math.floor(Date.now() / 1000) + this.#movedBy;
  }

  /** A mark of this instant for `disturbedSince`. */
  get mark(): number {
    return this.#under > 0 ? -1 : this.#begun;
  }

  disturbedSince(mark: number): boolean {
    return this.#under > 0 || mark < 0 || this.#begun > mark;
  }

  /** A file that could not be read because there was no space may show it some minutes later. */
  get wasFullLately(): boolean {
    return performance.now() - this.#lastFullMs < 300_000 || this.#isFull;
  }

  /** Until the server can be asked: while it is down, nobody asks. */
  async untilOpen(): Promise<void> {
    await this.#gate;
  }

  async #start(): Promise<void> {
    writeFileSync(this.#dir.join("clock"), `${this.#movedBy}\n`);
    const chat = ["--chat-address", this.upstream.address, "--chat-model", CHAT_MODEL, "--allow-private-addresses"];
    this.server = await startServer({
      dataDir: this.dataDir,
      args: [
        ...["--log-level", "warn", "--hnsw-threshold", "400", "--parse-workers", "1", "--min-free-disk-mb", "64"],
        ...["--query-log-rows", "20000"],
        ...["--test-clock-file", this.#dir.join("clock"), ...chat],
      ],
      env: { LECTERN_LIBRECHAT_JWT_SECRET: LIBRECHAT_SECRET },
    });
    this.startMs.push(this.server.startMs);
  }

  /** The key that the server leaves for verbs of its own user. */
  get verbsKey(): string {
    const { key } = JSON.parse(readFileSync(join(this.dataDir, "cli.json"), "utf8")) as { key: string };
    return key;
  }

  /** SIGKILL in the middle of whatever is under way, and a new start. */
  async kill(): Promise<void> {
    await this.#disturb("kill", async () => {
      await this.server.kill();
      this.#keepLog();
      await this.#start();
    });
  }

  /** SIGTERM: what is under way is answered, and the status is 0. */
  async restart(): Promise<void> {
    await this.#disturb("restart", async () => {
      const status = await this.server.stop();
      if (status !== 0) throw new Wrong(`a graceful stop ended with ${status}: ${this.server.log().slice(-2000)}`);
      this.#keepLog();
      await this.#start();
    });
  }

  #keepLog(): void {
    this.logs.push(this.server.log().slice(-LOG_KEPT));
  }

  async #disturb(kind: Disturbance, act: () => Promise<void>): Promise<void> {
    const open = Promise.withResolvers<void>();
    this.#begun++;
    this.#under++;
    if (kind !== "full") this.#gate = open.promise;
    try {
      await act();
      this.happened[kind]++;
    } finally {
      this.#under--;
      open.resolve();
    }
  }

  /** First below what the server keeps free, then to the last byte; freed after `ms`. Traffic goes on. */
  async fillDisk(ms: number, whileFull: () => Promise<void>): Promise<void> {
    if (!this.isMounted) return;
    await this.#disturb("full", async () => {
      this.#isFull = true;
      const hoard = join(this.disk, "hoard");
      try {
        this.#fill(hoard, 32 * MB);
        await Bun.sleep(ms / 3);
        this.#fill(hoard, 0);
        await whileFull();
        await Bun.sleep((ms * 2) / 3);
      } finally {
        rmSync(hoard, { force: true });
        this.#lastFullMs = performance.now();
        this.#isFull = false;
      }
      await waitFor("the server is ready again", async () => {
        const response = await this.server.fetch("/readyz").catch(() => null);
        await response?.text();
        return response?.ok === true ? true : undefined;
      });
    });
  }

  #fill(hoard: string, leave: number): void {
    const file = openSync(hoard, "a");
    try {
      for (let free = this.freeBytes(); free > leave; free = this.freeBytes())
        writeSync(file, PIECE, 0, Math.min(PIECE.length, free - leave));
    } catch (error) {
      // The server writes to it as well.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.disk);
    return bavail * bsize;
  }

  /** Forward by hours, now and then back by some seconds, as a correction of the time does. */
  moveClock(seconds: number): void {
    this.#begun++;
    this.#movedBy += seconds;
    writeFileSync(this.#dir.join("clock"), `${this.#movedBy}\n`);
    this.happened.clock++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    if (this.isMounted) Bun.spawnSync(["umount", "-l", this.disk]);
    if (existsSync(this.#dir.path)) this.#dir[Symbol.dispose]();
  }
}

/** A question that asks for it has a function called; one that has what came of it, and all others, get an answer. */
function replyTo(body: string): ChatReply {
  if (body.includes("weather") && !body.includes("12 degrees"))
    return { calls: [{ name: "weather", arguments: '{"city":"Rome"}' }] };
  return body.includes("at length") ? { text: `${SAID} ${"And more words. ".repeat(200)}`, chunk: 9 } : { text: SAID };
}

/** In memory; false where mounting is not allowed. */
function mountSmallDisk(path: string): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${DISK_MB}m,mode=700`, "tmpfs", path];
  return Bun.spawnSync(mount, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}
