import type { Database, Durability, Param, Sql, SyncReads, Tx } from "../sql.ts";

/**
 * Held by each transaction that writes, of whichever server, to its commit. The number is made of the word "lectern" and
 * means nothing else. Who waits for it waits for one transaction of each other server at most.
 */
export const IN_ORDER = /*sql*/ `SELECT pg_advisory_xact_lock(${0x6c_65_63_74_6e})::text AS locked`;

/** A database whose transactions are these. */
export type DatabaseOf<T extends Tx> = Omit<Database, "transaction"> & {
  transaction<R>(fn: (tx: T) => Promise<R>, durability?: Durability): Promise<R>;
};

/**
 * A database elsewhere, written by one transaction after another, first come first served, as in SQLite; reads go beside
 * them. What the transactions of a server rely on (that a row which one of them looked at is still so when it writes, that
 * counts and quotas are exact, that an index in memory gets its changes in the order of the commits) holds here by this
 * order, and would need row locks to hold without it.
 *
 * Within the process it is a queue, so that one connection at a time waits for others'. Between processes it is what each
 * transaction begins with (`begin`): a lock in the database, which who has it gives back with his commit. Where that is
 * given, a write outside a transaction is a transaction of one statement, for it has its turn too.
 */
export class OneWriter<T extends Tx = Tx> implements Database {
  readonly #db: DatabaseOf<T>;
  readonly #begin: ((tx: T) => Promise<void>) | null;
  readonly #waiting: (() => void)[] = [];
  #isHeld = false;

  constructor(db: DatabaseOf<T>, begin: ((tx: T) => Promise<void>) | null = null) {
    this.#db = db;
    this.#begin = begin;
  }

  get dialect(): Database["dialect"] {
    return this.#db.dialect;
  }

  get now(): SyncReads {
    return this.#db.now;
  }

  async all<Row>(text: string, params?: readonly Param[]): Promise<Row[]> {
    return READS.test(text) ? await this.#db.all(text, params) : await this.#alone((sql) => sql.all<Row>(text, params));
  }

  async get<Row>(text: string, params?: readonly Param[]): Promise<Row | null> {
    return READS.test(text) ? await this.#db.get(text, params) : await this.#alone((sql) => sql.get<Row>(text, params));
  }

  async run(text: string, params?: readonly Param[]): Promise<number> {
    return await this.#alone((sql) => sql.run(text, params));
  }

  async atomic<R>(fn: (tx: Tx) => Promise<R>, durability?: Durability): Promise<R> {
    return await this.transaction(fn, durability);
  }

  async transaction<R>(fn: (tx: Tx) => Promise<R>, durability?: Durability): Promise<R> {
    const begin = this.#begin;
    if (begin === null) return await this.#inTurn(() => this.#db.transaction(fn, durability));
    const begun = async (tx: T): Promise<R> => {
      await begin(tx);
      return await fn(tx);
    };
    return await this.#inTurn(() => this.#db.transaction(begun, durability));
  }

  async settleErased(): Promise<void> {
    await this.#db.settleErased();
  }

  async makeDurable(): Promise<void> {
    await this.#inTurn(() => this.#db.makeDurable());
  }

  async reclaim(pages: number): Promise<void> {
    await this.#db.reclaim(pages);
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#db.close());
  }

  async #alone<R>(statement: (sql: Sql) => Promise<R>): Promise<R> {
    if (this.#begin !== null) return await this.transaction(statement);
    return await this.#inTurn(() => statement(this.#db));
  }

  async #inTurn<R>(work: () => Promise<R>): Promise<R> {
    if (this.#isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isHeld = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#isHeld = false;
      else next();
    }
  }
}

/** Of the table files' statements: none that begins so writes. */
const READS = /^\s*(?:SELECT|WITH)\b/i;
