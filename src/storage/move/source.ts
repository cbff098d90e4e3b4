import { Database as Connection } from "bun:sqlite";
import { statSync } from "node:fs";
import { MIGRATIONS } from "../migrations/index.ts";
import { checkSchema, distrust } from "../own-schema.ts";
import type { Database, Param } from "../sql.ts";
import { createStorage, type Storage } from "../storage.ts";

/** A database in a data directory that is read and never written, while its directory is held. */
export interface MoveSource extends Disposable {
  /** Names the database: the same after any change of its rows. */
  readonly id: string;
  /** Another text as soon as anything was written to its files. */
  readonly state: string;
  /** For what searches read. */
  readonly storage: Storage;
  /** Bytes of the database's file. */
  readonly bytes: number;
  /** Tables, in the order of their names, without those that SQLite or triggers keep for themselves. */
  readonly tables: readonly SourceTable[];
  /** The largest number that a table has given to a row, of rows that are gone too. */
  highest(table: string): number;
  count(table: SourceTable): number;
  /** Rows as lists of these columns, in the order of their numbers. `after`: of a table with numbers, the last one seen. */
  rows(table: SourceTable, columns: readonly string[], after: number): Iterable<SourceRow>;
  /** Bytes that files and parts of uploads must have, by id; of files the SHA-256 of them too. */
  blobs(): Iterable<{ id: string; bytes: number; sha256: string | null }>;
}

export interface SourceTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** False where its rows have no numbers, so that they can be had from the first one on only. */
  readonly hasNumbers: boolean;
}

export interface SourceRow {
  /** 0 where rows have none. */
  number: number;
  values: unknown[];
}

/** Nothing can be moved, for a reason that a person can mend: a sentence, or what follows the name of the target in one. */
export class MoveRefused extends Error {
  override name = "MoveRefused";
  readonly side: "source" | "target";

  constructor(message: string, side: MoveRefused["side"] = "source") {
    super(message);
    this.side = side;
  }
}

/** Kept by triggers in SQLite, and counted when asked in PostgreSQL; and what a schema says of itself. */
const NOT_MOVED = new Set(["job_count", "schema_version"]);

/**
 * What becomes of a row on its way. A job is leased by nobody, for whoever worked on it has ended; what makes a file of the
 * data directory is no work of another machine's, which makes such files of its own.
 */
const CHANGED: Readonly<Record<string, { columns: Readonly<Record<string, string>>; where: string }>> = {
  job: {
    columns: { lease_owner: "NULL", lease_ms: "NULL" },
    where: "kind NOT IN ('build_index', 'write_image')",
  },
};

/** @throws MoveRefused where the schema is not the one that this Lectern has */
export function openMoveSource(path: string): MoveSource {
  const schema = MIGRATIONS.at(-1)?.version ?? 0;
  const connection = new Connection(path, { readonly: true, strict: true });
  try {
    distrust(connection);
    connection.run("PRAGMA cache_size = -65536");
    const found = checkSchema(connection);
    if (!found.ok) throw new MoveRefused(`the database ${path} is not as Lectern makes it: ${found.problem}`);
    if (found.version !== schema) throw new MoveRefused(otherSchema(found.version, schema));
    return new Source(connection, path);
  } catch (error) {
    connection.close();
    throw error;
  }
}

function otherSchema(found: number, schema: number): string {
  if (found > schema)
    return `the data directory is of a newer Lectern: schema ${found}, this one has ${schema}; move it with the newer one`;
  return `the data directory has schema ${found}, and this Lectern moves schema ${schema}: start this version on it once ("lectern serve --data DIR"), which upgrades it and keeps a way back, stop it, and move then`;
}

class Source implements MoveSource {
  readonly id: string;
  readonly state: string;
  readonly storage: Storage;
  readonly bytes: number;
  readonly tables: readonly SourceTable[];
  readonly #connection: Connection;

  constructor(connection: Connection, path: string) {
    this.#connection = connection;
    this.bytes = statSync(path).size;
    this.state = [path, `${path}-wal`].map(stateOf).join("; ");
    this.storage = createStorage(readsOnly(connection));
    // Enciphered with the secret that each database draws for itself.
    this.id = this.storage.shownIds.chunks.idOf(0);
    const names = connection
      .query<{ name: string; wr: number }, []>(
        /*sql*/ `SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
      )
      .all();
    this.tables = names
      .filter(({ name }) => !NOT_MOVED.has(name))
      .map(({ name, wr }) => ({ name, columns: this.#columns(name), hasNumbers: wr === 0 }));
  }

  highest(table: string): number {
    const kept = this.#connection
      .query<{ seq: number }, [string]>(/*sql*/ `SELECT seq FROM sqlite_sequence WHERE name = ?1`)
      .get(table);
    const { n } = this.#one<{ n: number | null }>(/*sql*/ `SELECT max(rowid) AS n FROM "${table}"`);
    return Math.max(kept?.seq ?? 0, n ?? 0);
  }

  count(table: SourceTable): number {
    return this.#one<{ n: number }>(/*sql*/ `SELECT count(*) AS n FROM "${table.name}" ${whereOf(table)}`).n;
  }

  *rows(table: SourceTable, columns: readonly string[], after: number): Generator<SourceRow> {
    const changed = CHANGED[table.name]?.columns ?? {};
    const list = columns.map((name) => changed[name] ?? (name === "rowid" ? name : `"${name}"`)).join(", ");
    const statement = this.#connection.prepare<unknown, number[]>(
      table.hasNumbers
        ? /*sql*/ `SELECT rowid AS "#", ${list} FROM "${table.name}" ${whereOf(table, "rowid > ?1")} ORDER BY rowid LIMIT ?2`
        : /*sql*/ `SELECT 0 AS "#", ${list} FROM "${table.name}" ${whereOf(table)}`,
    );
    try {
      if (!table.hasNumbers) {
        for (const row of statement.iterate()) yield { number: 0, values: Object.values(row as object).slice(1) };
        return;
      }
      for (let last = after; ;) {
        const page = statement.values(last, PAGE);
        for (const [number, ...values] of page) yield { number: (last = number as number), values };
        if (page.length < PAGE) return;
      }
    } finally {
      statement.finalize();
    }
  }

  *blobs(): Generator<{ id: string; bytes: number; sha256: string | null }> {
    const all = this.#connection.query<{ id: string; bytes: number; sha256: string | null }, []>(
      /*sql*/ `SELECT id, bytes, sha256 FROM file UNION ALL SELECT id, bytes, NULL FROM upload_part`,
    );
    yield* all.all();
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  #columns(table: string): string[] {
    return this.#connection
      .query<{ name: string }, [string]>(/*sql*/ `SELECT name FROM pragma_table_info(?1)`)
      .all(table)
      .map(({ name }) => name);
  }

  #one<Row>(text: string): Row {
    const row = this.#connection.query<Row, []>(text).get();
    if (row === null) throw new Error("a statement gave no row");
    return row;
  }
}

/** Rows read at a time. */
const PAGE = 256;

function whereOf({ name }: SourceTable, ...more: string[]): string {
  const conditions = [...(CHANGED[name] === undefined ? [] : [CHANGED[name].where]), ...more];
  return conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
}

function stateOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  // An empty journal says no more than none.
  return stat === undefined || stat.size === 0n ? "none" : `${stat.size} bytes of ${stat.mtimeNs}`;
}

function readsOnly(connection: Connection): Database {
  const all = <Row>(text: string, params: readonly Param[] = []) => connection.query<Row, Param[]>(text).all(...params);
  const refuse = (): never => {
    throw new Error("this database is only read");
  };
  return {
    dialect: "sqlite",
    all: async <Row>(text: string, params?: readonly Param[]) => all<Row>(text, params),
    get: async <Row>(text: string, params?: readonly Param[]) => all<Row>(text, params)[0] ?? null,
    run: async () => refuse(),
    atomic: async () => refuse(),
    transaction: async () => refuse(),
    now: { all, values: (text, params = []) => connection.query<unknown, Param[]>(text).values(...params) },
    settleErased: async () => {},
    makeDurable: async () => {},
    reclaim: async () => {},
    close: async () => {},
  };
}
