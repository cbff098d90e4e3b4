import { randomUUID } from "node:crypto";
import { SQL } from "bun";
import type { ChangeBus } from "../../platform/changes.ts";

export interface NoticesOptions {
  /** How to reach the server; a session of its own is opened, and a connection to tell on. */
  readonly driver: SQL.PostgresOrMySQLOptions;
  /** ms between two words to itself; after as many as {@link DEAF_BEATS} unheard it counts as deaf. */
  readonly beat?: number;
}

const CHANNEL = "lectern_changes";
/** ms */
const BEAT_MS = 2000;
const DEAF_BEATS = 2.5;
/** What is told within this time goes together. ms */
const GATHER_MS = 10;
/** Bytes of a notification; PostgreSQL takes 8,000. */
const MOST_BYTES = 7000;
/** Keys that wait to be told at most; of more it is told that something was missed. */
const MOST_KEYS = 1000;
/** Between two attempts to hear again at first, and at most: some poolers let nobody hear anything. ms */
const AGAIN_MS = 5000;
const LONGEST_AGAIN_MS = 60_000;

/**
 * What the servers of a database tell one another, by PostgreSQL's notifications. They are hints and nothing more: sent
 * after a commit and outside of it (a notification inside would let one commit at a time through), lost when the sender
 * dies in between or the receiver is cut off.
 *
 * Whether they arrive is known by what arrives: each server tells itself something every {@link BEAT_MS}. That holds through
 * poolers on which LISTEN succeeds and nothing ever comes, and on connections that nobody answers any more.
 */
export class Notices implements ChangeBus, AsyncDisposable {
  readonly #options: NoticesOptions;
  readonly #beat: number;
  readonly #self = randomUUID();
  readonly #timer: Timer;
  #sql: SQL;
  #hear: (key: string | null) => void = () => {};
  #keys = new Set<string>();
  #hasTooMany = false;
  #gathering: Timer | null = null;
  #sending: Promise<void> = Promise.resolve();
  #heardAt = Number.NEGATIVE_INFINITY;
  #openedAt = 0;
  #againMs = AGAIN_MS;
  #isClosed = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#beat = options.beat ?? BEAT_MS;
    this.#sql = this.#open();
    this.#timer = setInterval(() => this.#look(), this.#beat);
    this.#timer.unref();
  }

  get isHeard(): boolean {
    return performance.now() - this.#heardAt < this.#beat * DEAF_BEATS;
  }

  listen(hear: (key: string | null) => void): void {
    this.#hear = hear;
  }

  tell(key: string): void {
    if (this.#isClosed) return;
    if (this.#keys.size < MOST_KEYS) this.#keys.add(key);
    else this.#hasTooMany = true;
    this.#gathering ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    if (this.#gathering !== null) this.#flush();
    this.#isClosed = true;
    // A server that is away is not waited for.
    await Promise.race([this.#sending, Bun.sleep(this.#beat)]);
    await this.#sql.close({ timeout: 0 }).catch(() => {});
  }

  #open(): SQL {
    const { driver } = this.#options;
    const sql = new SQL({ ...driver, max: 1, prepare: false, connection: { application_name: "lectern" } });
    this.#openedAt = performance.now();
    const hear = (payload: string) => this.#take(payload);
    // Before it is listened to, at first and after each loss, everything is missed.
    const begin = () => {
      this.#hear(null);
      this.#say([]);
    };
    sql.listen(CHANNEL, hear, begin).catch(() => {});
    return sql;
  }

  #look(): void {
    this.#say([]);
    if (this.isHeard || performance.now() - this.#openedAt < this.#againMs) return;
    const before = this.#sql;
    this.#againMs = Math.min(LONGEST_AGAIN_MS, 2 * this.#againMs);
    this.#sql = this.#open();
    // What was under way on it ends.
    void before.close({ timeout: 0 }).catch(() => {});
  }

  #take(payload: string): void {
    const [from, ...keys] = wordsIn(payload);
    if (from !== this.#self) {
      for (const key of keys) this.#hear(key === "" ? null : key);
      return;
    }
    const wasDeaf = !this.isHeard;
    this.#heardAt = performance.now();
    this.#againMs = AGAIN_MS;
    if (wasDeaf) this.#hear(null);
  }

  #flush(): void {
    this.#gathering = null;
    const keys = this.#hasTooMany ? [""] : [...this.#keys];
    this.#keys = new Set();
    this.#hasTooMany = false;
    let part: string[] = [];
    let bytes = 0;
    for (const key of keys) {
      const more = Buffer.byteLength(JSON.stringify(key)) + 1;
      if (bytes + more > MOST_BYTES && part.length > 0) {
        this.#say(part);
        [part, bytes] = [[], 0];
      }
      part.push(key);
      bytes += more;
    }
    if (part.length > 0) this.#say(part);
  }

  /** One after the other. What cannot be said is not said again. */
  #say(keys: readonly string[]): void {
    const payload = JSON.stringify([this.#self, ...keys]);
    const sql = this.#sql;
    this.#sending = this.#sending.then(() => sql.notify(CHANNEL, payload)).catch(() => {});
  }
}

/** Anybody who may use the database can send anything. */
function wordsIn(payload: string): string[] {
  try {
    const words: unknown = JSON.parse(payload);
    return Array.isArray(words) ? words.filter((word) => typeof word === "string") : [];
  } catch {
    return [];
  }
}
