import { AsyncLocalStorage } from "node:async_hooks";
import { asError, assert } from "../../errors.ts";
import { nextTurn } from "../../platform/next-turn.ts";
import type { Database, Durability, Param, SyncReads, Tx } from "../sql.ts";
import { leaveTrace, type Trace, wasCommitted } from "./commit-outcome.ts";
import type { Connection } from "./connection.ts";
import { CommitUnknown, DatabaseAway, isAnswer, mayBeDoneAgain, toldError } from "./failures.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { type Result, toRows } from "./values.ts";

/**
 * The door to PostgreSQL, which is the only truth where the operator names one. Read committed; a transaction has a
 * connection to itself, so many run at a time, and what they must not do at the same time they guard with row locks.
 * What the server undid because of another transaction (serialization failure, deadlock, a lock that did not come free),
 * or because this process stood still, is done again, so the functions of transactions have no effects but rows and
 * `onCommit`.
 *
 * As in SQLite a transaction awaits nothing but its own statements and turns: one that stands still when the event loop
 * has come round with no statement under way is rolled back, and throws. A statement that fails is the end of its
 * transaction, caught or not.
 *
 * Effects run as soon as the answer to COMMIT is here. Other connections may have seen the rows a moment earlier.
 */
export interface PostgresDatabase extends Database {
  readonly dialect: "postgres";
  /** Why the database is away; null while it answers. */
  readonly away: string | null;
  /**
   * How many runs of its server were seen. What was read, or written as `work`, before the last of them began may be gone,
   * its numbers given again: whoever keeps such things compares.
   */
  readonly runs: number;
  transaction<T>(fn: (tx: PostgresTx) => Promise<T>, durability?: Durability): Promise<T>;
  /** A transaction without limits of time: the upgrade of a schema, the building of an index. */
  unhurried<T>(fn: (tx: PostgresTx) => Promise<T>): Promise<T>;
}

export interface PostgresTx extends Tx {
  /**
   * Before the first statement: what becomes of this transaction is known whatever becomes of the server. `writer` has
   * no other one open meanwhile, and begins none before this one's end.
   */
  markAs(writer: string): void;
  /** `COPY … FROM STDIN` of these pieces (copy-format.ts), with no other statement under way. */
  copyIn(text: string, pieces: Iterable<Uint8Array>): Promise<void>;
}

export interface DatabaseOptions extends PoolOptions {
  /** Limits of time are told at the start of each transaction, for the connection was not given them. */
  readonly tellsLimits: boolean;
  /** Told how long a transaction was open, where that was longer than {@link LONG_MS}: it holds locks on rows. */
  readonly onLong?: ((ms: number) => void) | undefined;
}

/** ms */
export const LONG_MS = 1000;
/** Times that what the server undid is done again. */
const REPEATS = 3;
/** Before the first repetition at most, and as much more before each further one. ms */
const REPEAT_MS = 20;

/** One transaction: what its statements are checked against. */
interface Open {
  readonly connection: Connection;
  readonly effects: (() => void)[];
  /** Why no further statement is taken. */
  refusal: string | null;
  /** Of the first statement that failed; the server takes none after it. */
  failure: Error | null;
  /** Whose mark it leaves once it writes; null for none. */
  writer: string | null;
  /** Once it has written; null where it has failed. */
  trace: Promise<Trace | null> | null;
  /** Statements under way. */
  under: number;
  /** It has given others a turn, or is being ended. */
  isPaused: boolean;
  isWatched: boolean;
}

const FOREIGN =
  "a transaction awaited something other than its own statements, and was rolled back: do that before it, or in an effect";
const NESTED = "a transaction was begun, or the outer database used, inside a transaction: use the tables it was given";
const ENDED = "the transaction has ended";
const NONE: readonly Param[] = [];
/** Changes nothing whatever it calls of ours; sent again on another connection when the first is found dead. */
const READS = /^\s*SELECT\b/i;

export class Postgres implements PostgresDatabase {
  readonly dialect = "postgres";
  readonly #pool: Pool;
  readonly #options: DatabaseOptions;
  readonly #inside = new AsyncLocalStorage<Open>();
  /** One handle for each connection, so that tables over it are made once. */
  readonly #handles = new WeakMap<Connection, PostgresTx>();

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#pool = new Pool(options);
  }

  get away(): string | null {
    return this.#pool.away;
  }

  get runs(): number {
    return this.#pool.runs;
  }

  get now(): SyncReads {
    throw new Error("This is a bug in Lectern: a database elsewhere was read without waiting for it");
  }

  async all<Row>(text: string, params: readonly Param[] = NONE): Promise<Row[]> {
    return toRows(await this.#alone(text, params)) as Row[];
  }

  async get<Row>(text: string, params: readonly Param[] = NONE): Promise<Row | null> {
    return (toRows(await this.#alone(text, params))[0] ?? null) as Row | null;
  }

  async run(text: string, params: readonly Param[] = NONE): Promise<number> {
    return (await this.#alone(text, params)).affectedRows;
  }

  async atomic<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T> {
    return await this.transaction(fn, durability);
  }

  async transaction<T>(fn: (tx: PostgresTx) => Promise<T>, durability: Durability = "full"): Promise<T> {
    return await this.#repeated(() => this.#once(fn, this.#beginning(durability)));
  }

  async unhurried<T>(fn: (tx: PostgresTx) => Promise<T>): Promise<T> {
    return await this.#repeated(() => this.#once(fn, `${BEGIN}; ${UNLIMITED}`, { isWatched: false }));
  }

  /** The server does not write over what it deletes: its vacuum gives the room free, and the operator's disk keeps it. */
  async settleErased(): Promise<void> {}

  /** A commit that waits takes all before it along, and one waits only where it has written to the log. */
  async makeDurable(): Promise<void> {
    await this.transaction(async (tx) => await tx.get(DURABLE));
  }

  /** The server's vacuum does it. */
  async reclaim(): Promise<void> {}

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** A transaction of one statement. */
  async #alone(text: string, params: readonly Param[]): Promise<Result> {
    this.#refuseInside();
    return await this.#repeated(async () => {
      let connection = await this.#pool.acquire();
      const wasClosed = connection.isClosed;
      try {
        return await connection.send(text, params);
      } catch (error) {
        if (!connection.isClosed || wasClosed) throw error;
        if (!READS.test(text)) throw isAnswer(error) ? error : new CommitUnknown(error);
        if (error instanceof DatabaseAway) throw error;
        this.#pool.suspect(error);
        this.#pool.release(connection);
        connection = await this.#pool.acquire();
        return await connection.send(text, params);
      } finally {
        this.#pool.release(connection);
      }
    });
  }

  async #repeated<T>(fn: () => Promise<T>): Promise<T> {
    this.#refuseInside();
    for (let repeat = 0; ; repeat++) {
      try {
        return await fn();
      } catch (error) {
        if (!mayBeDoneAgain(error) || repeat === REPEATS) {
          this.#pool.suspect(error);
          throw toldError(error);
        }
        // Not both at the same time again.
        await Bun.sleep(Math.random() * REPEAT_MS * (repeat + 1));
      }
    }
  }

  async #once<T>(fn: (tx: PostgresTx) => Promise<T>, beginning: string, { isWatched = true } = {}): Promise<T> {
    this.#refuseInside();
    const connection = await this.#begin(beginning, isWatched);
    const from = performance.now();
    const open: Open = {
      connection,
      effects: [],
      refusal: null,
      failure: null,
      writer: null,
      trace: null,
      under: 0,
      isPaused: false,
      isWatched: false,
    };
    let result: T;
    try {
      this.#watch(open);
      result = await this.#inside.run(open, fn, this.#handle(connection));
      assert(open.refusal === null, open.refusal ?? "");
      if (open.failure !== null) throw open.failure;
      open.isPaused = true;
      await this.#commit(open);
    } catch (error) {
      // Rolled back already where it stood still.
      if (open.refusal === null) await this.#rollBack(open, ENDED);
      // Whatever the function made of it.
      if (open.failure !== null && mayBeDoneAgain(open.failure)) throw open.failure;
      throw error;
    }
    open.refusal = ENDED;
    this.#pool.release(connection);
    const ms = performance.now() - from;
    if (ms > LONG_MS && isWatched) this.#options.onLong?.(ms);
    for (const effect of open.effects.splice(0)) effect();
    return result;
  }

  /**
   * Commits. Where the connection is lost before the answer, the server is asked what became of it, as soon as there is
   * one again and before anything else is sent: the effects of a commit must not be missing in memory. The caller learns
   * it too, if that is within the timeout.
   */
  async #commit(open: Open): Promise<void> {
    const { connection } = open;
    const trace = await open.trace;
    if (connection.isClosed) throw new DatabaseAway("the connection to the database was lost");
    try {
      const { command } = await connection.script("COMMIT");
      assert(command === "COMMIT", `a commit ended as ${command}`);
      // Behind a pooler a connection stands while the server changes.
      if (trace !== null) this.#pool.saw(trace.run);
    } catch (error) {
      // An answer that is an error is a rollback.
      if (!connection.isClosed) throw error;
      if (trace === null) throw new DatabaseAway("the connection to the database was lost", { cause: error });
      if (!(await this.#outcome(open, trace, error))) throw new DatabaseAway("the commit was lost", { cause: error });
    }
  }

  async #outcome(open: Open, trace: Trace, cause: unknown): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean | null>();
    let isLate = false;
    const question = async (connection: Connection) => {
      const isDone = await wasCommitted(trace, connection);
      // Whoever asked has gone.
      if (isDone === true && isLate) for (const effect of open.effects.splice(0)) effect();
      resolve(isDone);
    };
    this.#pool.askFirst(question, "the database's connection was lost during a commit", cause);
    const late = setTimeout(() => {
      isLate = true;
      resolve(null);
    }, this.#options.timeout);
    const outcome = await promise;
    clearTimeout(late);
    if (outcome === null) throw new CommitUnknown(cause);
    return outcome;
  }

  /** On another connection where one is found dead: nothing has been done yet. */
  async #begin(beginning: string, isWatched: boolean): Promise<Connection> {
    for (let attempt = 0; ; attempt++) {
      const connection = await this.#pool.acquire();
      try {
        connection.isWatched = isWatched;
        await connection.script(beginning);
        return connection;
      } catch (error) {
        connection.lose(error);
        this.#pool.release(connection);
        this.#pool.suspect(error);
        if (attempt > 0 || error instanceof DatabaseAway) throw error;
      }
    }
  }

  #beginning(durability: Durability): string {
    // The operator's own setting for `full`: with standbys it may ask for more than a local flush.
    const work = durability === "work" ? "; SET LOCAL synchronous_commit = off" : "";
    if (!this.#options.tellsLimits) return BEGIN + work;
    return `${BEGIN}${work}; ${setLimits(serverLimits(this.#options.timeout))}`;
  }

  #handle(connection: Connection): PostgresTx {
    let handle = this.#handles.get(connection);
    if (handle === undefined) this.#handles.set(connection, (handle = this.#transactional(connection)));
    return handle;
  }

  #transactional(connection: Connection): PostgresTx {
    const own = (): Open => {
      const open = this.#inside.getStore();
      assert(open !== undefined && open.connection === connection, "a transaction was used outside its function");
      assert(open.refusal === null, open.refusal ?? "");
      return open;
    };
    const within = async <T>(work: (open: Open) => Promise<T>): Promise<T> => {
      const open = own();
      open.under++;
      try {
        return await work(open);
      } catch (error) {
        open.failure ??= asError(error);
        throw toldError(error);
      } finally {
        open.under--;
        this.#watch(open);
      }
    };
    const send = (text: string, params: readonly Param[]): Promise<Result> =>
      within(async (open) => {
        const sent = connection.send(text, params);
        // Behind the statement that made it a writing one, and waited for at the commit.
        if (open.trace === null && !READS.test(text)) open.trace = leaveTrace(connection, open.writer);
        return await sent;
      });
    const tx: PostgresTx = {
      dialect: "postgres",
      all: async <Row>(text: string, params = NONE) => toRows(await send(text, params)) as Row[],
      get: async <Row>(text: string, params = NONE) => (toRows(await send(text, params))[0] ?? null) as Row | null,
      run: async (text, params = NONE) => (await send(text, params)).affectedRows,
      markAs: (writer) => void (own().writer = writer),
      copyIn: (text, pieces) =>
        within(async (open) => {
          await connection.copyIn(text, pieces);
          open.trace ??= leaveTrace(connection, open.writer);
        }),
      atomic: (fn) => fn(tx),
      onCommit: (effect) => void own().effects.push(effect),
      nextTurn: async () => {
        const open = own();
        open.isPaused = true;
        await nextTurn();
        open.isPaused = false;
        this.#watch(open);
      },
      // What is deleted here is the server's: dead rows until its vacuum, its write-ahead log, its backups.
      erase: () => void own(),
    };
    return tx;
  }

  #refuseInside(): void {
    const open = this.#inside.getStore();
    assert(open === undefined || open.refusal !== null, NESTED);
  }

  async #rollBack(open: Open, refusal: string): Promise<void> {
    open.refusal = refusal;
    try {
      if (!open.connection.isClosed) await open.connection.script("ROLLBACK");
    } catch (error) {
      open.connection.lose(error);
    } finally {
      this.#pool.release(open.connection);
    }
  }

  /** Looks after this turn of the event loop whether the transaction goes on. */
  #watch(open: Open): void {
    if (open.isWatched || open.refusal !== null) return;
    open.isWatched = true;
    setImmediate(() => {
      open.isWatched = false;
      if (open.refusal === null && open.under === 0 && !open.isPaused) void this.#rollBack(open, FOREIGN);
    });
  }
}

const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/** A busy machine may leave a process without its turn for so long. */
const LEAST_IDLE_MS = 2000;

type Limits = Readonly<Record<"statement_timeout" | "lock_timeout" | "idle_in_transaction_session_timeout", number>>;

/**
 * What the server is told, so that it ends by itself what nobody waits for any more: a statement a little before the
 * watchdog would end its connection, one that waits for a lock before that, for whoever has the lock is late and not the
 * database; a transaction whose Lectern is cut off or stands still, with the locks that it holds, so soon that others who
 * wait for them (one-writer.ts) are not too late themselves. ms
 */
export function serverLimits(timeout: number): Limits {
  return {
    statement_timeout: Math.ceil(timeout * 0.9),
    lock_timeout: Math.ceil(timeout * 0.8),
    idle_in_transaction_session_timeout: Math.max(LEAST_IDLE_MS, Math.ceil(timeout / 2)),
  };
}

function setLimits(limits: Limits): string {
  return Object.entries(limits)
    .map(([name, ms]) => `SET LOCAL ${name} = ${ms}`)
    .join("; ");
}

/** For what takes as long as it takes. */
export const UNLIMITED = setLimits({ statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 });

/** A number alone is not enough: a transaction that has one and wrote nothing commits without waiting. */
const DURABLE = /*sql*/ `SELECT pg_logical_emit_message(true, 'lectern', 'durable')::text AS at`;
