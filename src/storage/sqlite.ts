import { AsyncLocalStorage } from "node:async_hooks";
import { dirname } from "node:path";
import type { Database as Connection } from "bun:sqlite";
import { assert } from "../errors.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { createDiskTrust, type DiskTrust } from "../platform/disk-trust.ts";
import { syncPath } from "../platform/replace-file.ts";
import type { MigrationWatch } from "./migrations/runner.ts";
import { openReading, openWriter } from "./connections.ts";
import { leavesDoubt, namingFullDisk, rewriteLog, syncLog } from "./settle-log.ts";
import { Statements } from "./statements.ts";
import type { Database, Durability, Param, SyncReads, Tx } from "./sql.ts";

/**
 * The one door to SQLite, which is the only truth; everything else on disk is a cache of it or bytes it points to.
 *
 * Two connections. The writer belongs to whoever holds the lock, first come first served, and only transactions take
 * it. While one is open everything else reads on the other, which sees committed states alone (WAL), so that no request's
 * read falls into another's half-done transaction; while none is, reads are the writer's too, whose cache its own commits
 * do not empty (a search took a twentieth longer without). One process (the data directory's lock), one writer: our own
 * threads never meet SQLITE_BUSY.
 *
 * A statement is executed when it is called; only its answer comes as a promise. So a transaction that awaits nothing but
 * its own statements is over before the event loop turns, unless it gives others a turn itself (`Tx.nextTurn`), and that
 * is held against it: one that is still open when the loop turns has awaited something foreign, is rolled back there and
 * then, and throws. (A wait that is over before the
 * loop has come round is not noticed, and has kept nobody waiting.) COMMIT and the effects that follow it are one
 * synchronous piece.
 *
 * A database in memory (for tests) has one connection, so there reads wait while a transaction is open, and `now` may see
 * what is not committed.
 */
export interface SqliteDatabase extends Database {
  /** The writing connection, for tests and for `exclusively`. */
  readonly raw: Connection;
  /** Runs `fn` while no transaction is open and none can begin. As in a transaction, nothing foreign is awaited. */
  exclusively<T>(fn: (raw: Connection) => Promise<T> | T): Promise<T>;
  /**
   * Brings everything into the file and leaves the file as it is from then on, while work goes into the journal; `look`
   * sees the database at that instant. Null when it cannot be done now, or is done already.
   */
  freeze<T>(look: () => Promise<T>): Promise<{ seen: T; thaw(): Promise<void> } | null>;
}

export interface SqliteOptions {
  /** False: nothing waits for the disk (tests that are not about power cuts). */
  flush?: boolean | undefined;
  /**
   * Told how long a transaction held the thread in one piece, where that was longer than {@link LONG_MS}; the wait for the
   * disk is not counted.
   */
  onLong?: (ms: number) => void;
  /** Milliseconds since any instant, never less than before; what pieces of a transaction are timed with. */
  monotonicMs?: () => number;
  /** Told how an upgrade of the tables goes. */
  watch?: MigrationWatch | undefined;
  /** Lost when a sync fails; nothing is written from then on. */
  trust?: DiskTrust;
}

/**
 * Pages (4 KiB) in the log at which they are copied into the database: often and little, so that none is long. In a turn
 * of the event loop of its own, for a large commit has kept the others waiting long enough.
 */
export const CHECKPOINT_PAGES = 1000;
/** At which they are copied after a commit: whoever never lets the event loop turn does not grow the log for ever. */
const LATEST_CHECKPOINT_PAGES = 16 * CHECKPOINT_PAGES;
/** Commits in one turn after which the log's size is looked at. */
const COMMITS_OF_A_LOOK = 100;
/** Everybody waits for the thread meanwhile. */
export const LONG_MS = 100;

/**
 * Opens (creating it if need be) and migrates `path`. Throws NewerSchemaError for a file of a newer Lectern, and
 * ForeignSchemaError, before anything of it has run, for one whose schema is not Lectern's.
 */
export function openSqlite(path: string, options: SqliteOptions = {}): SqliteDatabase {
  if (path !== ":memory:" && options.flush !== false) rewriteLog(path);
  const raw = openWriter(path, options.watch);
  if (options.flush === false) raw.run("PRAGMA synchronous = OFF");
  if (path === ":memory:") return new Sqlite(raw, null, options);
  // Of the database and its log, both new perhaps: SQLite does not say when that fails.
  if (options.flush !== false) syncPath(dirname(path));
  return new Sqlite(raw, openReading(path), options);
}

/** One transaction: what its statements are checked against. */
interface Open {
  readonly effects: (() => void)[];
  erases: boolean;
  /** Why no further statement is taken. */
  refusal: string | null;
  /** It has given others a turn. */
  isPaused: boolean;
  /** Of the piece under way, by the monotonic clock. */
  pieceFrom: number;
  longestMs: number;
}

function endPiece(open: Open, nowMs: number): void {
  open.longestMs = Math.max(open.longestMs, nowMs - open.pieceFrom);
}

const FOREIGN =
  "a transaction awaited something other than its own statements, and was rolled back: do that before it, or in an effect";
const NESTED = "a transaction was begun, or the outer database used, inside a transaction: use the tables it was given";
const NONE: readonly Param[] = [];
const READS = /^\s*(?:SELECT|WITH|VALUES|PRAGMA|EXPLAIN)\b/i;

class Sqlite implements SqliteDatabase {
  readonly dialect = "sqlite";
  readonly now: SyncReads;
  readonly #raw: Connection;
  readonly #reader: Connection | null;
  readonly #writes: Statements;
  readonly #reads: Statements;
  readonly #options: SqliteOptions;
  readonly #trust: DiskTrust;
  readonly #nowMs: () => number;
  /** Which transaction the running code belongs to. Looked at only while one is open: reads pay nothing for it. */
  readonly #inside = new AsyncLocalStorage<Open>();
  readonly #isRead = new Map<string, boolean>();
  readonly #tx: Tx;
  #open: Open | null = null;
  #isHeld = false;
  readonly #waiting: (() => void)[] = [];
  #durability: Durability = "full";
  #hasErased = false;
  #isFrozen = false;
  #isWatched = false;
  #isLookDue = false;
  #commitsOfTurn = 0;
  #isClosed = false;
  /** Of transactions that may have written, however they ended. */
  #commits = 0;

  constructor(raw: Connection, reader: Connection | null, options: SqliteOptions) {
    this.#raw = raw;
    this.#reader = reader;
    this.#writes = new Statements(raw);
    this.#reads = reader === null ? this.#writes : new Statements(reader);
    this.#options = options;
    this.#trust = options.trust ?? createDiskTrust();
    this.#nowMs = options.monotonicMs ?? (() => performance.now());
    this.now = {
      all: <Row>(text: string, params = NONE) =>
        this.#committed()
          .of(text)
          .all(...params) as Row[],
      values: (text, params = NONE) =>
        this.#committed()
          .of(text)
          .values(...params),
    };
    this.#tx = this.#transactional();
  }

  commits(): number {
    return this.#commits;
  }

  /** Whoever takes it may write. */
  get raw(): Connection {
    this.#commits++;
    return this.#raw;
  }

  async all<Row>(text: string, params: readonly Param[] = NONE): Promise<Row[]> {
    if (this.#isFree(text))
      return this.#committed()
        .of(text)
        .all(...params) as Row[];
    return await this.#alone(() => this.#writes.of(text).all(...params) as Row[]);
  }

  async get<Row>(text: string, params: readonly Param[] = NONE): Promise<Row | null> {
    if (this.#isFree(text))
      return this.#committed()
        .of(text)
        .get(...params) as Row | null;
    return await this.#alone(() => this.#writes.of(text).get(...params) as Row | null);
  }

  async run(text: string, params: readonly Param[] = NONE): Promise<number> {
    return await this.#alone(() => this.#writes.of(text).run(...params).changes);
  }

  async atomic<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T> {
    return await this.transaction(fn, durability);
  }

  async transaction<T>(fn: (tx: Tx) => Promise<T>, durability: Durability = "full"): Promise<T> {
    this.#refuseInside();
    const turn = this.#take();
    if (turn !== undefined) await turn;
    let open: Open;
    try {
      this.#trust.check();
      this.#use(durability);
      this.#writes.of("BEGIN IMMEDIATE").run();
      const pieceFrom = this.#nowMs();
      open = { effects: [], erases: false, refusal: null, isPaused: false, pieceFrom, longestMs: 0 };
      this.#open = open;
      this.#watch();
    } catch (error) {
      this.#release();
      throw error;
    }
    let result: T;
    try {
      result = await this.#inside.run(open, fn, this.#tx);
      assert(open.refusal === null, open.refusal ?? "");
      endPiece(open, this.#nowMs());
      if (open.longestMs > LONG_MS) this.#options.onLong?.(open.longestMs);
      this.#commits++;
      this.#watchSync(() => void this.#writes.of("COMMIT").run());
    } catch (error) {
      // Rolled back already, and the lock given on, where the event loop turned.
      if (open.refusal === null) this.#rollBack(open, "the transaction has ended");
      throw namingFullDisk(error, this.#raw.filename);
    }
    this.#end(open, "the transaction has ended");
    this.#checkpointLater();
    try {
      for (const effect of open.effects) effect();
    } finally {
      this.#release();
    }
    return result;
  }

  async exclusively<T>(fn: (raw: Connection) => Promise<T> | T): Promise<T> {
    this.#refuseInside();
    const turn = this.#take();
    if (turn !== undefined) await turn;
    try {
      return await fn(this.raw);
    } finally {
      this.#release();
    }
  }

  async freeze<T>(look: () => Promise<T>): Promise<{ seen: T; thaw(): Promise<void> } | null> {
    const thaw = () =>
      this.exclusively(() => {
        this.#isFrozen = false;
        this.#checkpointLater();
      });
    return await this.exclusively(async (raw) => {
      if (this.#isFrozen) return null;
      this.#trust.check();
      const checkpoint = this.#watchSync(() =>
        raw.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get(),
      );
      if (checkpoint === null || checkpoint.busy !== 0) return null;
      const seen = await look();
      this.#isFrozen = true;
      return { seen, thaw };
    });
  }

  async settleErased(): Promise<void> {
    if (!this.#hasErased || this.#isFrozen || this.#trust.lost !== null) return;
    await this.exclusively((raw) => this.#watchSync(() => void raw.run("PRAGMA wal_checkpoint(TRUNCATE)")));
    this.#hasErased = false;
  }

  async makeDurable(): Promise<void> {
    if (this.#reader === null || this.#options.flush === false) return;
    this.#trust.check();
    await syncLog(this.#raw.filename, (error) => this.#trust.lose("the database", error));
  }

  async reclaim(pages: number): Promise<void> {
    await this.exclusively((raw) => {
      this.#trust.check();
      this.#watchSync(() => void raw.run(`PRAGMA incremental_vacuum(${Math.trunc(pages)})`));
    });
  }

  async close(): Promise<void> {
    await this.exclusively((raw) => {
      this.#isClosed = true;
      this.#reads.finalize();
      this.#reader?.close();
      this.#writes.finalize();
      // Not closed, for SQLite would bring the log into the database, and a power cut in the middle of that could not be
      // mended from a log that the disk does not have. The next start writes it anew first.
      if (this.#trust.lost !== null) return;
      raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
      raw.close();
    });
  }

  /** The handle of whichever transaction is open: there is one at a time, so tables over it are made once. */
  #transactional(): Tx {
    const writes = this.#writes;
    const own = (): Open => {
      const open = this.#inside.getStore();
      assert(open !== undefined, "a transaction was used outside its function");
      assert(open.refusal === null, open.refusal ?? "");
      return open;
    };
    const tx: Tx = {
      dialect: "sqlite",
      async all<Row>(text: string, params: readonly Param[] = NONE) {
        own();
        return writes.of(text).all(...params) as Row[];
      },
      async get<Row>(text: string, params: readonly Param[] = NONE) {
        own();
        return writes.of(text).get(...params) as Row | null;
      },
      async run(text, params = NONE) {
        own();
        return writes.of(text).run(...params).changes;
      },
      atomic: (fn) => fn(tx),
      onCommit: (effect) => void own().effects.push(effect),
      nextTurn: async () => {
        const open = own();
        endPiece(open, this.#nowMs());
        open.isPaused = true;
        await nextTurn();
        open.isPaused = false;
        open.pieceFrom = this.#nowMs();
        this.#watch();
      },
      erase: () => {
        const open = own();
        if (open.erases) return;
        open.erases = true;
        this.#hasErased = true;
        this.#raw.run("PRAGMA secure_delete = ON");
      },
    };
    return tx;
  }

  /** Where what is committed, and no more, can be read now. */
  #committed(): Statements {
    return this.#open === null ? this.#writes : this.#reads;
  }

  /** Whether the text may be executed at once: it reads (looked at once of each), and there is where to. */
  #isFree(text: string): boolean {
    if (this.#open !== null) {
      this.#refuseInside();
      if (this.#reader === null) return false;
    }
    let isRead = this.#isRead.get(text);
    if (isRead === undefined) this.#isRead.set(text, (isRead = READS.test(text)));
    return isRead;
  }

  /** A transaction of one statement. */
  async #alone<T>(statement: () => T): Promise<T> {
    this.#refuseInside();
    const turn = this.#take();
    if (turn !== undefined) await turn;
    try {
      this.#trust.check();
      this.#use("full");
      this.#commits++;
      const result = this.#watchSync(statement);
      this.#checkpointLater();
      return result;
    } finally {
      this.#release();
    }
  }

  #refuseInside(): void {
    if (this.#open === null) return;
    assert(this.#inside.getStore() !== this.#open, NESTED);
  }

  /** A sync that fails in it is the last one. */
  #watchSync<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (leavesDoubt(error)) this.#trust.lose("the database", error);
      throw namingFullDisk(error, this.#raw.filename);
    }
  }

  #use(durability: Durability): void {
    if (durability === this.#durability || this.#options.flush === false) return;
    this.#raw.run(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
    this.#durability = durability;
  }

  #rollBack(open: Open, refusal: string): void {
    try {
      // A full disk may have rolled it back already.
      if (this.#raw.inTransaction) this.#raw.run("ROLLBACK");
    } finally {
      this.#end(open, refusal);
      this.#release();
    }
  }

  #end(open: Open, refusal: string): void {
    open.refusal = refusal;
    this.#open = null;
    if (open.erases) this.#raw.run("PRAGMA secure_delete = FAST");
  }

  /** What was written is copied into the database once it is much; looked at once for all that is written in a turn. */
  #checkpointLater(): void {
    if (this.#reader === null) return;
    if (++this.#commitsOfTurn % COMMITS_OF_A_LOOK === 0 && this.#logPages() >= LATEST_CHECKPOINT_PAGES)
      this.#checkpoint();
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    setImmediate(() => {
      this.#isLookDue = false;
      this.#commitsOfTurn = 0;
      // The next commit looks again.
      if (this.#open !== null || this.#logPages() < CHECKPOINT_PAGES) return;
      // Once more, so that requests and timers come in between.
      setImmediate(() => void this.exclusively(() => this.#checkpoint()));
    });
  }

  /** Of the log, as long as it may be copied. */
  #logPages(): number {
    if (this.#isClosed || this.#isFrozen || this.#trust.lost !== null) return 0;
    return (this.#writes.of("PRAGMA wal_checkpoint(NOOP)").get() as { log: number } | null)?.log ?? 0;
  }

  /** Called by who holds the lock, with no transaction open. */
  #checkpoint(): void {
    if (this.#isClosed || this.#isFrozen || this.#trust.lost !== null) return;
    try {
      this.#watchSync(() => void this.#writes.of("PRAGMA wal_checkpoint(PASSIVE)").get());
    } catch {
      // On a full disk, say: everything is in the log, and the next commit tries again.
    }
  }

  /** Looks once after this turn of the event loop whether a transaction of it is still open. */
  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    setImmediate(() => {
      this.#isWatched = false;
      if (this.#open !== null && !this.#open.isPaused) this.#rollBack(this.#open, FOREIGN);
    });
  }

  /** Resolves when the lock is the caller's; in this turn where nobody holds it. */
  #take(): Promise<void> | undefined {
    if (this.#isHeld) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#isHeld = true;
    return undefined;
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isHeld = false;
    else next();
  }
}
