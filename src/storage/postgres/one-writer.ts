import type { Database, Durability, Param, SyncReads, Tx } from "../sql.ts";

/**
 * A database elsewhere as one process writes it: one transaction after another, first come first served, as in SQLite;
 * reads go beside them. What the transactions of a server rely on (that a row which one of them looked at is still so when
 * it writes, that counts and quotas are exact, that an index in memory gets its changes in the order of the commits) holds
 * here by this order, and would need row locks to hold without it.
 *
 * A process that is the only one to write is asked for elsewhere: this orders its own work alone.
 */
export class OneWriter implements Database {
  readonly #db: Database;
  readonly #waiting: (() => void)[] = [];
  #isHeld = false;

  constructor(db: Database) {
    this.#db = db;
  }

  get dialect(): Database["dialect"] {
    return this.#db.dialect;
  }

  get now(): SyncReads {
    return this.#db.now;
  }

  async all<Row>(text: string, params?: readonly Param[]): Promise<Row[]> {
    return READS.test(text) ? await this.#db.all(text, params) : await this.#inTurn(() => this.#db.all(text, params));
  }

  async get<Row>(text: string, params?: readonly Param[]): Promise<Row | null> {
    return READS.test(text) ? await this.#db.get(text, params) : await this.#inTurn(() => this.#db.get(text, params));
  }

  async run(text: string, params?: readonly Param[]): Promise<number> {
    return await this.#inTurn(() => this.#db.run(text, params));
  }

  async atomic<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T> {
    return await this.transaction(fn, durability);
  }

  async transaction<T>(fn: (tx: Tx) => Promise<T>, durability?: Durability): Promise<T> {
    return await this.#inTurn(() => this.#db.transaction(fn, durability));
  }

  async settleErased(): Promise<void> {
    await this.#db.settleErased();
  }

  async reclaim(pages: number): Promise<void> {
    await this.#db.reclaim(pages);
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#db.close());
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
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
