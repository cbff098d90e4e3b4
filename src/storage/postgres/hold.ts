import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { SQL } from "bun";
import { assert, messageOf } from "../../errors.ts";
import { StartError } from "../../platform/data-dir.ts";
import { Connection } from "./connection.ts";
import { awayReason, sqlStateOf } from "./failures.ts";

/**
 * One Lectern at a time has a database, for what is in its memory is not told to others yet.
 *
 * Who holds it is a row with a term that is moved on every {@link BEAT_MS}. Where a session stays a session there is an
 * advisory lock beside it, which ends with its holder: so one that was killed is followed at once, and one whose machine
 * is gone when the server has heard nothing for the length of a term. `epoch` grows with each holder: who finds another
 * number than his own has been followed by somebody, and what he remembers may be wrong.
 */
export interface Hold {
  /** Why nothing may be sent to the database just now; null while it is certainly ours. */
  readonly doubt: string | null;
  /** Lets the next one in. */
  release(): Promise<void>;
}

export interface HoldOptions {
  readonly driver: SQL.PostgresOrMySQLOptions;
  /** Without sessions, so without the advisory lock. */
  readonly isPooled: boolean;
  /** For people. */
  readonly shown: string;
  /** Told once, with a sentence, when somebody else has it: the server has to end. */
  readonly onLost: (sentence: string) => void;
  /** ms that it stays ours without a word from us. */
  readonly term?: number;
}

/** ms */
const TERM_MS = 15_000;
/** Beats in a term. */
const BEATS = 6;
/** The holder before, of the same place in a restart, is waited for as long as this. ms */
const PATIENCE_MS = 3000;
const RETRY_MS = 200;
/** Between two attempts to reach the server again. ms */
const AGAIN_MS = 300;

/** The number of the advisory lock: "lectern" in ASCII. */
const LOCK = 0x6c_65_63_74_65_72_6en;

const TABLE = /*sql*/ `CREATE TABLE IF NOT EXISTS lectern_holder (
  only_one integer PRIMARY KEY CHECK (only_one = 1),
  epoch bigint NOT NULL,
  token text NOT NULL,
  name text NOT NULL,
  has_session boolean NOT NULL,
  held_until timestamptz NOT NULL)`;
const FIRST = /*sql*/ `INSERT INTO lectern_holder VALUES (1, 0, '', '', true, '-infinity') ON CONFLICT DO NOTHING`;
const TRY = /*sql*/ `SELECT pg_try_advisory_lock(?1) AS got`;
const UNLOCK = /*sql*/ `SELECT pg_advisory_unlock_all()`;
/** A holder with a session has no lock any more, or the caller would not have it. */
const TAKE = /*sql*/ `UPDATE lectern_holder SET epoch = epoch + 1, token = ?1, name = ?2, has_session = (?3::integer = 1),
    held_until = clock_timestamp() + ?4::integer * interval '1 ms'
  WHERE held_until < clock_timestamp() OR (has_session AND ?3::integer = 1) RETURNING epoch`;
const BEAT = /*sql*/ `UPDATE lectern_holder SET held_until = clock_timestamp() + ?2::integer * interval '1 ms'
  WHERE token = ?1 RETURNING epoch`;
const FREE = /*sql*/ `UPDATE lectern_holder SET held_until = '-infinity' WHERE token = ?1`;
const WHO = /*sql*/ `SELECT name, held_until < clock_timestamp() AS is_over FROM lectern_holder`;

/** Takes the database. @throws StartError with a sentence when another Lectern has it */
export async function holdDatabase(options: HoldOptions): Promise<Hold> {
  const holder = new Holder(options);
  await holder.begin();
  return holder;
}

class Holder implements Hold {
  readonly #options: HoldOptions;
  readonly #term: number;
  readonly #token = randomUUID();
  #connection: Connection | null = null;
  /** Until when it is certainly ours, `performance.now()`: a term after the last beat that was answered was sent. */
  #until = 0;
  #timer: Timer | null = null;
  #lost: string | null = null;
  #isReleased = false;
  /** The beat under way. */
  #beating: Promise<void> = Promise.resolve();

  constructor(options: HoldOptions) {
    this.#options = options;
    this.#term = options.term ?? TERM_MS;
  }

  get doubt(): string | null {
    if (this.#lost !== null) return this.#lost;
    const isOurs = performance.now() < this.#until && this.#connection?.isClosed === false;
    return isOurs ? null : "the server's hold on the database is not certain";
  }

  async begin(): Promise<void> {
    // Without sessions a dead holder is known by the end of its term alone.
    const patience = this.#options.isPooled ? this.#term + RETRY_MS : Math.min(PATIENCE_MS, this.#term);
    const deadline = performance.now() + patience;
    for (;;) {
      const other = await this.#take().catch((error: unknown) => this.#reason(error));
      if (other === null) break;
      if (performance.now() > deadline) {
        throw new StartError(`the database ${this.#options.shown} ${other}`);
      }
      await Bun.sleep(RETRY_MS);
    }
    this.#beatLater();
  }

  /** Why it could not be taken, where that may pass. @throws StartError else */
  #reason(error: unknown): string {
    if (sqlStateOf(error) === "42501") {
      const advice = "make it the owner of the database, or GRANT CREATE ON SCHEMA public to it";
      throw new StartError(`the user of --database may not make tables (${messageOf(error)}); ${advice}`);
    }
    if (awayReason(error) === null && this.#isOurs(error)) throw error;
    return `could not be taken (${messageOf(error)}); is it overloaded?`;
  }

  /** A mistake of ours, not something that the server or the network says. */
  #isOurs(error: unknown): boolean {
    return error instanceof Error && !("code" in error);
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    clearTimeout(this.#timer ?? undefined);
    await this.#beating;
    const connection = this.#connection;
    if (connection === null || connection.isClosed) return;
    await this.#bounded(connection, () => connection.send(FREE, [this.#token])).catch(() => {});
    connection.lose(new Error("released"));
  }

  /** Null when it is ours, else why it is not. */
  async #take(): Promise<string | null> {
    const sent = performance.now();
    const connection = await this.#connect();
    try {
      const other = await this.#bounded(connection, () => this.#takeOn(connection));
      if (other !== null) {
        connection.lose(new Error("taken"));
        return `is in use by ${other}; one Lectern at a time can have a database: stop it first, or name another database`;
      }
      this.#connection = connection;
      this.#until = sent + this.#term;
      return null;
    } catch (error) {
      connection.lose(error);
      throw error;
    }
  }

  async #takeOn(connection: Connection): Promise<string | null> {
    const { isPooled } = this.#options;
    await makeTable(connection);
    if (!isPooled) {
      await connection.send(`SET idle_session_timeout = ${this.#term}`, []);
      const [tried] = await connection.send(TRY, [LOCK]);
      if (tried?.["got"] !== true) return await this.#who(connection);
    }
    const name = `${hostname()} (process ${process.pid})`;
    const [taken] = await connection.send(TAKE, [this.#token, name, isPooled ? 0 : 1, this.#term]);
    if (taken !== undefined) return null;
    if (!isPooled) await connection.send(UNLOCK, []);
    return await this.#who(connection);
  }

  async #who(connection: Connection): Promise<string> {
    const [row] = await connection.send(WHO, []);
    const name = typeof row?.["name"] === "string" && row["name"] !== "" ? row["name"] : "another";
    return `a Lectern on ${name}`;
  }

  #beatLater(): void {
    if (this.#isReleased || this.#lost !== null) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat();
      void this.#beating.then(() => this.#beatLater());
    }, this.#pause);
    this.#timer.unref();
  }

  /** Says that we are there. Never throws: where nobody answers, `doubt` says so by itself. */
  async #beat(): Promise<void> {
    const sent = performance.now();
    let connection = this.#connection;
    try {
      if (connection === null || connection.isClosed) connection = await this.#again();
      if (connection === null) return;
      const on = connection;
      const [row] = await this.#bounded(on, () => on.send(BEAT, [this.#token, this.#term]));
      if (row === undefined) return await this.#lose(on);
      this.#until = sent + this.#term;
    } catch (error) {
      if (awayReason(error) === null && sqlStateOf(error) === null) throw error;
      connection?.lose(error);
    }
  }

  /** A new connection in place of one that was lost, with the lock on it, which its own session may still have. */
  async #again(): Promise<Connection | null> {
    const connection = await this.#connect();
    try {
      if (!this.#options.isPooled) {
        const got = await this.#bounded(connection, async () => {
          await connection.send(`SET idle_session_timeout = ${this.#term}`, []);
          return (await connection.send(TRY, [LOCK]))[0]?.["got"] === true;
        });
        if (!got) {
          // By whom the row tells: as long as it is ours, by the session that we have lost.
          const [row] = await this.#bounded(connection, () => connection.send(BEAT, [this.#token, this.#term]));
          if (row === undefined) await this.#lose(connection);
          connection.lose(new Error("not yet"));
          return null;
        }
      }
      this.#connection = connection;
      return connection;
    } catch (error) {
      connection.lose(error);
      throw error;
    }
  }

  async #lose(connection: Connection): Promise<void> {
    const by = await this.#bounded(connection, () => this.#who(connection)).catch(() => "another Lectern");
    const { shown, onLost } = this.#options;
    this.#lost = `${by} has taken the database ${shown}`;
    connection.lose(new Error(this.#lost));
    onLost(`${this.#lost} while this server was cut off from it; only one can have it, so this one ends`);
  }

  async #connect(): Promise<Connection> {
    const { driver } = this.#options;
    return await Connection.open({ driver, timeout: this.#beatTimeout });
  }

  /** Sooner where there is a connection to be made. ms */
  get #pause(): number {
    return Math.min(this.#connection?.isClosed === true ? AGAIN_MS : Number.POSITIVE_INFINITY, this.#term / BEATS);
  }

  get #beatTimeout(): number {
    return this.#term / 3;
  }

  /** What the server does not answer in time ends with its connection. */
  async #bounded<T>(connection: Connection, fn: () => Promise<T>): Promise<T> {
    const late = setTimeout(() => connection.lose(new Error("no answer")), this.#beatTimeout);
    try {
      return await fn();
    } finally {
      clearTimeout(late);
    }
  }
}

/** Two that make it at the same time meet in the catalogue; the second finds it made. */
async function makeTable(connection: Connection): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await connection.send(TABLE, []);
      break;
    } catch (error) {
      if (sqlStateOf(error) !== "23505" || attempt > 0) throw error;
    }
  }
  const first = await connection.send(FIRST, []);
  assert(first.affectedRows <= 1, "more than one row of the holder");
}
