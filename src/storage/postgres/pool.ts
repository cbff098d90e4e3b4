import { messageOf } from "../../errors.ts";
import { RUN } from "./commit-outcome.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { awayReason, DatabaseAway, endsConnection, sqlStateOf, toldError } from "./failures.ts";

/** What a pool tells its owner. */
export interface PoolWatch {
  /** The database is away from now on; told once until it is back. */
  onAway?: ((reason: string, cause: unknown) => void) | undefined;
  onBack?: ((awayMs: number) => void) | undefined;
}

export interface PoolOptions extends ConnectionOptions, PoolWatch {
  /** Connections at most. */
  readonly max: number;
}

type Question = (connection: Connection) => Promise<void>;

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: unknown): void;
  since: number;
}

/** A connection that rested for longer may have been forgotten by what lies in between, and is not used again. ms */
const REST_MS = 120_000;
/** Between two looks whether the database is back. ms */
const POLL_MS = 500;
/** That such a look may take. ms */
const LOOK_MS = 2000;
/** With a parameter, for the driver prepares nothing else. */
const WHICH_RUN = /*sql*/ `SELECT ${RUN} AS run WHERE ?1::integer = 1`;
/** Where the first connection is one too many it is asked for so often again, this far apart. */
const CROWDED_TRIES = 5;
const CROWDED_MS = 100;

/**
 * The connections to one server, each given to one holder at a time, first come first served. Bounds: `max` of them;
 * every wait for one, and every statement on one, ends within the timeout, for a server that has fallen silent ends
 * nothing by itself.
 *
 * When a connection fails, the server is looked at at once; until it answers and takes writes again, nobody waits for
 * it: every call fails with {@link DatabaseAway}.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #live = new Set<Connection>();
  readonly #resting: { connection: Connection; since: number }[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #questions: Question[] = [];
  readonly #timer: Timer;
  /** Between two looks of the watchdog. ms */
  readonly #every: number;
  #lookedAt = performance.now();
  #opening = 0;
  #away: { reason: string; since: number } | null = null;
  /** Of the server, and how many of them it has had. */
  #run: string | null = null;
  #runs = 0;
  #isLooking = false;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#every = Math.max(20, Math.floor(options.timeout / 20));
    this.#timer = setInterval(() => this.#watch(), this.#every);
    this.#timer.unref();
  }

  /** Why the database is away; null while it answers. */
  get away(): string | null {
    return this.#away?.reason ?? null;
  }

  /** Runs of the server that were seen, this one with them. With the next it may have forgotten what did not wait for its disk. */
  get runs(): number {
    return this.#runs;
  }

  /** Somebody was told of which run the server is. */
  saw(run: string): void {
    if (run === this.#run) return;
    this.#run = run;
    this.#runs++;
  }

  /** Connections that stand. */
  get size(): number {
    return this.#live.size;
  }

  async acquire(): Promise<Connection> {
    if (this.#isClosed) throw new DatabaseAway("the server has let go of the database");
    if (this.#away !== null) throw new DatabaseAway(this.#away.reason);
    const rested = this.#resting.pop();
    if (rested !== undefined) return rested.connection;
    if (this.#live.size + this.#opening < this.#options.max) return await this.#open();
    return await this.#wait();
  }

  /** Every connection that was acquired comes back so, whole or not. */
  release(connection: Connection): void {
    connection.isWatched = true;
    if (connection.isClosed) return this.#openForWaiting();
    if (this.#isClosed || this.#away !== null) return connection.lose(new DatabaseAway(this.#away?.reason ?? "closed"));
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#resting.push({ connection, since: performance.now() });
    else waiter.resolve(connection);
  }

  /** Something failed that may mean that the database is away: looks, and says so if it is. */
  suspect(error: unknown): void {
    if (awayReason(error) === null || this.#isLooking || this.#isClosed) return;
    if (!endsConnection(error) && !(error instanceof DatabaseAway)) return;
    this.#isLooking = true;
    void this.#look();
  }

  /**
   * The database counts as away until `question`, asked on the first connection that there is again, has its answer; it
   * throws {@link DatabaseAway} to be asked later.
   */
  askFirst(question: Question, reason: string, cause: unknown): void {
    if (this.#isClosed) return;
    this.#questions.push(question);
    this.#leave(reason, cause);
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look();
  }

  /** Waits for nothing: what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#dropAll(new DatabaseAway("the server has let go of the database"), this.#live);
  }

  async #open(): Promise<Connection> {
    this.#opening++;
    try {
      return this.#keep(await this.#connect());
    } catch (error) {
      // Others have taken what there was; those that we hold come back, or rest already.
      if (sqlStateOf(error) === "53300" && this.#live.size > 0)
        return this.#resting.pop()?.connection ?? (await this.#wait());
      this.suspect(error);
      // Who found all taken while this one was being opened waits for nobody else, perhaps.
      queueMicrotask(() => this.#openForWaiting());
      throw refused(error);
    } finally {
      this.#opening--;
    }
  }

  /**
   * Known to be of which run before anybody has it. PostgreSQL counts connections that were closed a moment ago, by a
   * start's looking round or by a server that just ended.
   */
  async #connect(): Promise<Connection> {
    for (let left = CROWDED_TRIES; ; left--) {
      let connection: Connection | null = null;
      try {
        connection = await Connection.open(this.#options);
        const [row] = await connection.send(WHICH_RUN, [1]);
        this.saw(String(row?.["run"]));
        return connection;
      } catch (error) {
        connection?.lose(error);
        if (left === 0 || sqlStateOf(error) !== "53300" || this.#live.size > 0 || this.#isClosed) throw error;
        await Bun.sleep(CROWDED_MS);
      }
    }
  }

  #keep(connection: Connection): Connection {
    this.#live.add(connection);
    connection.onLost = () => {
      this.#live.delete(connection);
      const at = this.#resting.findIndex((rested) => rested.connection === connection);
      if (at >= 0) this.#resting.splice(at, 1);
    };
    return connection;
  }

  #wait(): Promise<Connection> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject, since: performance.now() }));
  }

  #openForWaiting(): void {
    if (this.#isClosed || this.#away !== null || this.#live.size + this.#opening >= this.#options.max) return;
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#open().then(waiter.resolve, waiter.reject);
  }

  /** Ends what has taken too long. */
  #watch(): void {
    const now = performance.now();
    const { timeout } = this.#options;
    // By how much this process, not the server, is late: it had other work, or was stopped.
    const slept = now - this.#lookedAt - 2 * this.#every;
    this.#lookedAt = now;
    // What has come meanwhile is read first.
    if (slept > 0) {
      for (const connection of this.#live) connection.forgive(slept);
      for (const waiter of this.#waiting) waiter.since += slept;
      return;
    }
    for (const connection of this.#live) {
      if (connection.age(now) < timeout) continue;
      const away = new DatabaseAway("the database does not answer");
      connection.lose(away);
      // The server would have ended a slow one itself. Nobody else waits for as long: a look at it brings it back.
      this.#leave(away.reason, away);
      this.suspect(away);
    }
    for (const { connection, since } of [...this.#resting])
      if (now - since > REST_MS) connection.lose(new Error("rested for long"));
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].since > timeout)
      this.#waiting.shift()?.reject(new DatabaseAway("every connection to the database is in use"));
  }

  async #look(): Promise<void> {
    while (!this.#isClosed) {
      const problem = await this.#problem();
      if (problem === null) {
        if (this.#questions.length === 0) break;
        continue;
      }
      this.#leave(problem.reason, problem.cause);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS).unref());
    }
    this.#isLooking = false;
    const away = this.#away;
    this.#away = null;
    if (away !== null && !this.#isClosed) this.#options.onBack?.(performance.now() - away.since);
  }

  /** Whether the server answers on a new connection, and takes writes. */
  async #problem(): Promise<{ reason: string; cause: unknown } | null> {
    const timeout = Math.min(LOOK_MS, this.#options.timeout);
    let connection: Connection | null = null;
    const late = setTimeout(() => connection?.lose(new DatabaseAway("the database does not answer")), timeout);
    try {
      connection = await Connection.open({ ...this.#options, timeout });
      const [row] = await connection.send("SELECT current_setting('transaction_read_only') AS read_only", []);
      if (row?.["read_only"] === "on")
        throw new DatabaseAway("the database takes no writes (it is read-only, or a standby)");
      for (let question = this.#questions[0]; question !== undefined; question = this.#questions[0]) {
        await question(connection);
        this.#questions.shift();
      }
      return null;
    } catch (error) {
      return { reason: awayReason(error) ?? `the database refuses the server: ${messageOf(error)}`, cause: error };
    } finally {
      clearTimeout(late);
      connection?.lose(new Error("looked"));
    }
  }

  #leave(reason: string, cause: unknown): void {
    if (this.#away === null) this.#options.onAway?.(reason, cause);
    this.#away = { reason, since: this.#away?.since ?? performance.now() };
    // Those that rest have gone the same way, perhaps.
    const resting = this.#resting.map(({ connection }) => connection);
    this.#dropAll(new DatabaseAway(reason), resting);
  }

  #dropAll(away: DatabaseAway, connections: Iterable<Connection>): void {
    for (const connection of [...connections]) connection.lose(away);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(away);
  }
}

/** Why there is no connection. */
function refused(error: unknown): unknown {
  const told = toldError(error);
  return told instanceof DatabaseAway ? told : new DatabaseAway("the database refuses the server", { cause: error });
}
