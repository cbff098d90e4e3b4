/**
 * The watching half of `sync`: looks through the folder when something happened, and lets the store follow. What is to be
 * done comes from the same plan as a single pass; files are worked on beside one another, so that a long document does
 * not hold up a short one.
 */
import { existsSync } from "node:fs";
import { collectFiles } from "./collect.ts";
import type { Collected, FoundFile } from "./collect.ts";
import { RequestFailed } from "./client.ts";
import type { Client } from "./client.ts";
import { FileIngest } from "./ingest-file.ts";
import type { NamedFile } from "./ingest-file.ts";
import { emptiedText } from "./ingest-run.ts";
import { Naming } from "./names.ts";
import { inParallel } from "./parallel.ts";
import { planOf } from "./plan.ts";
import type { Move } from "./plan.ts";
import type { Outcome } from "./progress.ts";
import { filesThatLeft, isEmptied } from "./prune.ts";
import type { LeftFile } from "./prune.ts";
import { Settling } from "./settling.ts";
import { readStoreFiles } from "./store-files.ts";
import type { StoreFiles } from "./store-files.ts";
import type { SyncOptions } from "./sync-options.ts";
import type { SyncReport } from "./sync-report.ts";
import { VerbFailed } from "./terminal.ts";

export interface SyncDeps {
  options: SyncOptions;
  client: Client;
  storeId: string;
  known: StoreFiles;
  report: SyncReport;
  signal: AbortSignal;
  nowMs: () => number;
}

/** What a round found out. */
export interface Round {
  /** After how long it is to be looked again, though nothing may happen; null: it need not. */
  againMs: number | null;
  /** The folder is there. */
  isThere: boolean;
}

/** A file is left alone for so long before it is taken. */
const QUIET_MS = 250;
const MOST_MS = 5000;
/** While the folder is not there. */
const ABSENT_MS = 2000;
/** Before a file is tried again that the server could not take just then. */
const RETRY_MS = 10_000;

export class SyncLoop {
  readonly #deps: SyncDeps;
  readonly #settling = new Settling({ quietMs: QUIET_MS, mostMs: MOST_MS });
  /** Files that need nothing as long as they are as they were; whether the store then has them. */
  #handled = new Map<string, { stamp: string; isIn: boolean }>();
  readonly #busy = new Set<string>();
  readonly #queue: NamedFile[] = [];
  readonly #retryAt = new Map<string, number>();
  /** Documents whose files are gone, by id, and since when. */
  #goneSince = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #client: Client;
  #one: FileIngest;
  #known: StoreFiles;
  #naming: Naming | null = null;
  /** Documents may have lost their files since the last look. */
  #mayHaveLeft = true;
  #saidEmpty = false;
  /** What ended the connection; work stops until there is another. */
  failure: RequestFailed | null = null;
  /** Called when a file is done, so that another round can come. */
  onDone: () => void = () => {};

  constructor(deps: SyncDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#known = deps.known;
    this.#one = this.#ingestWith(deps.client);
  }

  /** What the first pass has done already. */
  handle(outcomes: ReadonlyMap<NamedFile, Outcome>): void {
    for (const [file, outcome] of outcomes) this.#note(file.path, stampOf(file), outcome);
  }

  /** Another connection: what the store holds is read anew. */
  async reconnect(client: Client): Promise<void> {
    await this.finish();
    this.#known = await readStoreFiles(client, this.#deps.storeId, this.#deps.signal);
    this.#client = client;
    this.#one = this.#ingestWith(client);
    this.#naming = null;
    this.failure = null;
    this.#forgetLost();
    this.#mayHaveLeft = true;
  }

  /** Reads anew what the store holds: others may change it too. */
  async refresh(): Promise<void> {
    if (this.#busy.size === 0) await this.#carryOut(() => this.reconnect(this.#client));
  }

  async round(): Promise<Round> {
    const { options } = this.#deps;
    const collected = this.#collect();
    if (collected === null) return { againMs: ABSENT_MS, isThere: false };
    const now = this.#deps.nowMs();
    const ready = this.#readyFiles(collected, now);
    const mayHaveLeft = this.#mayHaveLeft;
    this.#mayHaveLeft = false;
    const left = mayHaveLeft ? filesThatLeft(this.#known, collected, options.root) : [];
    const unsettled = this.#settling.endRound(now);
    this.#naming ??= new Naming(this.#known, collected.base, options.root);
    const naming = this.#naming;
    const files = ready.map((file): NamedFile => ({ ...file, ...naming.name(file) }));
    const plan = await planOf({ files, known: this.#known, left });
    // While a new file is kept back, it may be the one that left.
    const gone = this.#goneFor(unsettled > 0 ? MOST_MS : QUIET_MS, plan.left, now);
    await this.#carryOut(() => this.#move(plan.moves));
    for (const file of plan.files) this.#enqueue(file);
    this.#pump();
    await this.#carryOut(() => this.#remove(gone, collected));
    this.#mayHaveLeft ||= plan.left.length > gone.length;
    const isWaiting = unsettled > 0 || (options.prune && plan.left.length > gone.length);
    const retryMs = Math.min(...this.#retryAt.values()) - now;
    const againMs = Math.max(QUIET_MS, isWaiting ? 0 : retryMs);
    return { againMs: Number.isFinite(againMs) ? againMs : null, isThere: true };
  }

  /** Waits for what is being worked on; nothing new is begun. */
  async finish(): Promise<void> {
    for (const { path } of this.#queue.splice(0)) this.#busy.delete(path);
    await Promise.all(this.#running);
  }

  #ingestWith(client: Client): FileIngest {
    const { storeId, options, signal } = this.#deps;
    return new FileIngest(
      { client, storeId, known: this.#known, attributes: options.attributes, onShare: () => {} },
      signal,
    );
  }

  /** null while the folder is not there. */
  #collect(): Collected | null {
    const { options } = this.#deps;
    try {
      return collectFiles(options.paths, options);
    } catch (error) {
      if (error instanceof VerbFailed) return null;
      throw error;
    }
  }

  /** What is new or has changed, and has come to rest. */
  #readyFiles(collected: Collected, now: number): FoundFile[] {
    const before = this.#handled;
    this.#handled = new Map();
    const ready: FoundFile[] = [];
    for (const file of collected.files) {
      const { path, stamp } = file;
      const known = before.get(path);
      if (known !== undefined) {
        this.#handled.set(path, known);
        before.delete(path);
      }
      if (known?.stamp === stamp || this.#busy.has(path) || (this.#retryAt.get(path) ?? 0) > now) continue;
      if (this.#settling.isAtRest(path, stamp, now)) ready.push(file);
    }
    if (before.size > 0) this.#mayHaveLeft = true;
    for (const path of before.keys()) this.#retryAt.delete(path);
    return ready;
  }

  /** Of what left, what has been gone for so long: an editor may only have taken a file away for a moment. */
  #goneFor(ms: number, left: readonly LeftFile[], now: number): LeftFile[] {
    const before = this.#goneSince;
    this.#goneSince = new Map(left.flatMap(({ files }) => files.map(({ id }) => [id, before.get(id) ?? now])));
    return left.filter(({ files }) => files.every(({ id }) => now - (before.get(id) ?? now) >= ms));
  }

  async #move(moves: readonly Move[]): Promise<void> {
    const { options, report, signal } = this.#deps;
    await inParallel({ limit: options.concurrency, signal }, moves, async ({ file, stored }) => {
      const outcome = await this.#one.move(file, stored);
      report.settle(file, outcome);
      this.#note(file.path, stampOf(file), outcome);
    });
  }

  async #remove(gone: readonly LeftFile[], collected: Collected): Promise<void> {
    const { options, report, signal } = this.#deps;
    if (!options.prune || gone.length === 0) return;
    if (!options.takesEmpty && isEmptied(collected)) {
      if (!this.#saidEmpty) report.say(emptiedText(gone));
      this.#saidEmpty = true;
      this.#mayHaveLeft = true;
      return;
    }
    this.#saidEmpty = false;
    await inParallel({ limit: options.concurrency, signal }, gone, async ({ name, files }) => {
      for (const { id } of files) {
        await this.#one.remove(id);
        report.removed(name, id);
      }
    });
  }

  /** What ends the connection is kept for whoever finds another. */
  async #carryOut(work: () => Promise<void>): Promise<void> {
    if (this.failure !== null) return;
    try {
      await work();
    } catch (error) {
      if (this.#deps.signal.aborted) return;
      if (!(error instanceof RequestFailed)) throw error;
      if (error.status === 0 || error.status === 401) this.failure = error;
      else this.#deps.report.say(error.message);
      this.#mayHaveLeft = true;
    }
  }

  #enqueue(file: NamedFile): void {
    this.#busy.add(file.path);
    this.#queue.push(file);
  }

  #pump(): void {
    while (this.#running.size < this.#deps.options.concurrency) {
      const file = this.#queue.shift();
      if (file === undefined) return;
      const work = this.#ingest(file).finally(() => {
        this.#running.delete(work);
        this.#busy.delete(file.path);
        this.#pump();
        this.onDone();
      });
      this.#running.add(work);
    }
  }

  async #ingest(file: NamedFile): Promise<void> {
    await this.#carryOut(async () => {
      const outcome = await this.#one.run(file);
      // What is gone in the meantime did not fail.
      if (outcome === null || (outcome.kind === "failed" && !existsSync(file.path))) return;
      this.#deps.report.settle(file, outcome);
      this.#note(file.path, stampOf(file), outcome);
    });
    // Its document may have lost its file while it was put in.
    this.#mayHaveLeft = true;
  }

  #note(path: string, stamp: string, outcome: Outcome): void {
    if (outcome.kind === "failed" && outcome.isPassing) {
      this.#retryAt.set(path, this.#deps.nowMs() + RETRY_MS);
      return;
    }
    this.#retryAt.delete(path);
    this.#handled.set(path, { stamp, isIn: outcome.kind !== "failed" || outcome.fileId !== undefined });
  }

  /** Files that somebody else took out of the store are put in again. */
  #forgetLost(): void {
    const collected = this.#collect();
    if (collected === null) return;
    const naming = new Naming(this.#known, collected.base, this.#deps.options.root);
    for (const file of collected.files) {
      if (this.#handled.get(file.path)?.isIn !== true) continue;
      const { name } = naming.name(file);
      if (this.#known.get(name).length === 0) this.#handled.delete(file.path);
    }
  }
}

const stampOf = ({ stamp }: NamedFile) => stamp ?? "";
