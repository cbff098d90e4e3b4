/**
 * The shapes of a database that the table files know. What stands behind them (storage/sqlite.ts, one file an engine)
 * is nobody else's business.
 */
export type Param = string | number | bigint | boolean | null | Uint8Array;

/**
 * What a commit waits for. `full`: it survives a power cut. `work`: for what is done again after one (the work of
 * jobs), or may be lost in one (the query log); whole or absent, survives a killed process, and is made durable by the
 * next full commit.
 */
export type Durability = "full" | "work";

/** Statements, one at a time; placeholders are `?1`, `?2` … in any order. */
export interface Sql {
  /** Whose SQL is understood, where the two differ. */
  readonly dialect: "sqlite" | "postgres";
  all<Row>(text: string, params?: readonly Param[]): Promise<Row[]>;
  get<Row>(text: string, params?: readonly Param[]): Promise<Row | null>;
  /** Returns the number of rows changed. */
  run(text: string, params?: readonly Param[]): Promise<number>;
  /**
   * How often something was committed so far: what was read since the last time is still so. Absent where that cannot be
   * told without asking: inside a transaction, and where other processes write too.
   */
  commits?(): number;
  /** Several statements as one: in the transaction that this is, or in one of its own (of that durability). */
  atomic<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T>;
}

/**
 * A transaction under way. Inside it nothing is awaited but its own statements and turns: no file, no model, no other
 * lock, no statement of the outer database. What must follow it is an effect.
 */
export interface Tx extends Sql {
  /**
   * Runs `effect` in the same turn of the event loop as the commit, before anybody else sees it, and never after a
   * rollback. It is synchronous and does not throw.
   */
  onCommit(effect: () => void): void;
  /**
   * Lets others have a turn of the event loop in the middle of thousands of rows. The transaction stays one: others read
   * what was committed before it, and who wants to write waits for its end.
   */
  nextTurn(): Promise<void>;
  /** What this transaction deletes from here on is overwritten, not only given free: somebody asked for it. */
  erase(): void;
}

/** Outside a transaction a read sees what is committed, and a write is a transaction of one statement. */
export interface Database extends Sql {
  /**
   * Runs `fn` in a transaction; throws what `fn` throws, after the rollback. Never inside another one: functions that
   * are part of a transaction take its tables as an argument.
   */
  transaction<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T>;
  /** Reads that cannot wait, for indexes in memory alone (storage/index-reads.ts). */
  readonly now: SyncReads;
  /**
   * Brings what was erased out of the journal, if anything was. Waits for the disk, so not after each deletion but now
   * and then.
   */
  settleErased(): Promise<void>;
  /**
   * All that was committed so far, as `work` too, survives a power cut from then on. For what is made of rows and outlives
   * them: a file of ids that the database would give a second time. Throws what the disk says.
   */
  makeDurable(): Promise<void>;
  /** Gives up to `pages` free pages (4 KiB each) back to the file system. */
  reclaim(pages: number): Promise<void>;
  close(): Promise<void>;
}

/** Committed rows, at once. */
export interface SyncReads {
  all<Row>(text: string, params?: readonly Param[]): Row[];
  /** Rows as arrays of columns: a quarter of the time where there are many. */
  values(text: string, params?: readonly Param[]): unknown[][];
}
