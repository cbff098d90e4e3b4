import { assert } from "../../errors.ts";
import type { Failpoint } from "../../platform/failpoint.ts";
import { foundVersion, migratePostgres, NEWEST_POSTGRES } from "../migrations/postgres/runner.ts";
import { parseAddress } from "../postgres/address.ts";
import { Connection, type ConnectionOptions } from "../postgres/connection.ts";
import { COPY_BEGIN, COPY_END, CopyDecoder, type CopyType } from "../postgres/copy-format.ts";
import { type PostgresDatabase, UNLIMITED } from "../postgres/database.ts";
import { toldError } from "../postgres/failures.ts";
import { openPostgres } from "../postgres/open.ts";
import { probe } from "../postgres/probes.ts";
import type { Sql } from "../sql.ts";
import { MARKER_TABLES, type MoveMarker, readMarker } from "./marker.ts";
import { RowDigest } from "./row-digest.ts";
import { type MoveSource, MoveRefused } from "./source.ts";

/** A table of the schema on PostgreSQL, with its columns in their order. */
export interface TargetTable {
  readonly name: string;
  readonly columns: readonly TargetColumn[];
}

export interface TargetColumn {
  readonly name: string;
  readonly type: CopyType;
  /** Its numbers are drawn by the server. */
  readonly isDrawn: boolean;
  /** A row must bring it. */
  readonly isNeeded: boolean;
}

/** How far a table is. */
export interface TableProgress {
  /** The number of the last row that is there; 0 before the first, and where rows have none. */
  readonly last: number;
  readonly isWhole: boolean;
}

const UNTOUCHED: TableProgress = { last: 0, isWhole: false };

/**
 * Where rows are moved to, and a connection beside it on which they go. Two that move into it at the same time come to no
 * harm: rows of one batch are there once, and the second of them fails.
 */
export class MoveTarget {
  readonly db: PostgresDatabase;
  readonly #how: ConnectionOptions;
  #connection: Connection | null = null;

  constructor(db: PostgresDatabase, how: ConnectionOptions) {
    this.db = db;
    this.#how = how;
  }

  /**
   * Marks the database as half moved and makes its tables; goes on with what an earlier call began, or begins anew where
   * the source is no longer what it was then. @throws MoveRefused for a database that is not empty
   */
  async begin(
    source: Pick<MoveSource, "id" | "state" | "tables">,
    shown: string,
    failpoint: Failpoint,
  ): Promise<"begun" | "goes on"> {
    const before = await this.refusal(source);
    const goesOn = before !== null && before.state === source.state;
    if (!goesOn) {
      await this.db.unhurried(async (tx) => {
        await tx.run(/*sql*/ `DO $marker$ BEGIN EXECUTE $statements$${MARKER_TABLES}$statements$; END $marker$`);
        await tx.run(/*sql*/ `DELETE FROM lectern_move_table`);
        await tx.run(
          /*sql*/ `INSERT INTO lectern_move (one, source, state, shown, ended_at) VALUES (1, ?1, ?2, ?3, NULL)
            ON CONFLICT ON CONSTRAINT lectern_move_pkey DO UPDATE SET source = excluded.source, state = excluded.state,
              shown = excluded.shown, ended_at = NULL`,
          [source.id, source.state, shown],
        );
      });
    }
    failpoint("move:marked");
    await migratePostgres(this.db);
    const tables = source.tables.map(({ name }) => `"${name}"`);
    await this.db.unhurried(async (tx) => {
      // What they count comes with the rows.
      for (const name of tables) await tx.run(/*sql*/ `ALTER TABLE ${name} DISABLE TRIGGER USER`);
      // As long as no table has begun there is what the schema itself brings, and what an earlier move left.
      if ((await tx.get(/*sql*/ `SELECT 1 AS n FROM lectern_move_table LIMIT 1`)) === null)
        await tx.run(/*sql*/ `TRUNCATE ${tables.join(", ")} CASCADE`);
    });
    return goesOn ? "goes on" : "begun";
  }

  /** What an earlier call left. Changes nothing. @throws MoveRefused for a database that nothing can be moved into */
  async refusal({ id }: Pick<MoveSource, "id">): Promise<MoveMarker | null> {
    const marker = await readMarker(this.db);
    if (marker !== null && marker.ended_at !== null) {
      const when = new Date(marker.ended_at * 1000).toISOString();
      throw new MoveRefused(
        `holds what was moved out of ${marker.shown} (ended ${when}); lectern move --verify compares the two, as long as no server has written to it`,
        "target",
      );
    }
    if (marker !== null && marker.source !== id)
      throw new MoveRefused(
        `holds a part of another data directory, ${marker.shown}: end that move first, or drop the database and make a new one`,
        "target",
      );
    if (marker !== null) return marker;
    const { version } = await foundVersion(this.db);
    if (version > NEWEST_POSTGRES)
      throw new MoveRefused(
        `is of a newer Lectern (schema version ${version}, this one knows ${NEWEST_POSTGRES})`,
        "target",
      );
    for (const { name, columns } of version === 0 ? [] : await this.tables()) {
      // What a schema brings with it is one row of its kind.
      if (columns.some((column) => column.name === "one")) continue;
      if ((await this.db.get(/*sql*/ `SELECT 1 AS n FROM "${name}" LIMIT 1`)) !== null)
        throw new MoveRefused(
          `is not empty (there are rows in ${name}); name one that no server has written to`,
          "target",
        );
    }
    return null;
  }

  /** @throws MoveRefused where nothing of this source was moved here */
  async assertMoved({ id }: Pick<MoveSource, "id">): Promise<void> {
    if ((await readMarker(this.db))?.source !== id)
      throw new MoveRefused("holds nothing that was moved out of this data directory", "target");
  }

  /** Tables of the schema, each after those that it points to. */
  async tables(): Promise<TargetTable[]> {
    const columns = await this.db.all<{
      table: string;
      name: string;
      type: string;
      is_drawn: string;
      is_nullable: string;
      fallback: string | null;
    }>(/*sql*/ `SELECT c.table_name AS "table", c.column_name AS name, c.data_type AS type, c.is_identity AS is_drawn,
        c.is_nullable, c.column_default AS fallback
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
      WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> 'schema_version'
        AND c.table_name NOT LIKE 'lectern\\_%' ORDER BY c.table_name, c.ordinal_position`);
    const tables = new Map<string, TargetColumn[]>();
    for (const { table, name, type, is_drawn, is_nullable, fallback } of columns) {
      const isDrawn = is_drawn === "YES";
      const isNeeded = is_nullable === "NO" && fallback === null && !isDrawn;
      const column = { name, type: copyType(table, name, type), isDrawn, isNeeded };
      tables.set(table, [...(tables.get(table) ?? []), column]);
    }
    const pairs = await this.db.all<{
      from: string;
      to: string;
    }>(/*sql*/ `SELECT DISTINCT f.relname::text AS "from", t.relname::text AS "to" FROM pg_constraint c
        JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
        WHERE c.contype = 'f' AND f.relnamespace = current_schema()::regnamespace`);
    return inOrder([...tables.keys()], pairs).map((name) => ({ name, columns: tables.get(name) ?? [] }));
  }

  async progress(table: string): Promise<TableProgress> {
    const row = await this.db.get<{ last: number; is_whole: number }>(
      /*sql*/ `SELECT last, is_whole FROM lectern_move_table WHERE name = ?1`,
      [table],
    );
    return row === null ? UNTOUCHED : { last: row.last, isWhole: row.is_whole === 1 };
  }

  /** Rows, and how far the table is with them: both or neither. @throws what clients of the database are told */
  async load(
    table: TargetTable,
    columns: readonly string[],
    rows: Iterable<Uint8Array>,
    then: TableProgress,
  ): Promise<void> {
    const connection = (this.#connection ??= await Connection.open(this.#how));
    try {
      await connection.script(`BEGIN; ${UNLIMITED}`);
      const list = columns.map((name) => `"${name}"`).join(", ");
      await connection.copyIn(/*sql*/ `COPY "${table.name}" (${list}) FROM STDIN (FORMAT binary)`, framed(rows));
      await connection.send(
        /*sql*/ `INSERT INTO lectern_move_table (name, last, is_whole) VALUES (?1, ?2::bigint, ?3::integer = 1)
          ON CONFLICT ON CONSTRAINT lectern_move_table_pkey DO UPDATE SET last = excluded.last, is_whole = excluded.is_whole`,
        [table.name, then.last, then.isWhole ? 1 : 0],
      );
      await connection.script("COMMIT");
    } catch (error) {
      this.#drop(error);
      throw toldError(error);
    }
  }

  /** Of all rows that are there, with these columns; `onRows`: told how many now and then. */
  async digest(table: string, columns: readonly string[], onRows: (rows: number) => void): Promise<RowDigest> {
    const connection = (this.#connection ??= await Connection.open(this.#how));
    const digest = new RowDigest();
    const decoder = new CopyDecoder();
    try {
      await connection.script(`BEGIN READ ONLY; ${UNLIMITED}`);
      const list = columns.map((name) => `"${name}"`).join(", ");
      for await (const piece of connection.copyOut(
        /*sql*/ `COPY (SELECT ${list} FROM "${table}") TO STDOUT (FORMAT binary)`,
      )) {
        for (const row of decoder.rows(piece)) digest.add(row);
        onRows(digest.rows);
      }
      await connection.script("COMMIT");
    } catch (error) {
      this.#drop(error);
      throw toldError(error);
    }
    decoder.end();
    return digest;
  }

  /** From here on the database may be served. `highest`: the largest number that a table has given, of rows gone too. */
  async end(source: Pick<MoveSource, "highest" | "tables">, nowSeconds: number): Promise<void> {
    const moved = new Set(source.tables.map(({ name }) => name));
    const tables = (await this.tables()).filter(({ name }) => moved.has(name));
    await this.db.unhurried(async (tx) => {
      for (const { name, columns } of tables) {
        await tx.run(/*sql*/ `ALTER TABLE "${name}" ENABLE TRIGGER USER`);
        for (const column of columns) if (column.isDrawn) await drawFrom(tx, name, column.name, source.highest(name));
      }
      await tx.run(/*sql*/ `UPDATE lectern_move SET ended_at = ?1`, [nowSeconds]);
    });
    // So that the first statements are planned by what is there.
    for (const { name } of tables) await this.db.unhurried((tx) => tx.run(/*sql*/ `ANALYZE "${name}"`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#drop(new Error("the move is over"));
    await this.db.close();
  }

  #drop(cause: unknown): void {
    this.#connection?.lose(cause);
    this.#connection = null;
  }
}

/** The next number that is drawn is above all that there ever were. */
async function drawFrom(tx: Sql, table: string, column: string, highest: number): Promise<void> {
  if (highest === 0) return;
  await tx.all(/*sql*/ `SELECT setval(pg_get_serial_sequence(?1, ?2), ?3::bigint)::text AS set`, [
    `"${table}"`,
    column,
    highest,
  ]);
}

function* framed(rows: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield COPY_BEGIN;
  yield* rows;
  yield COPY_END;
}

function copyType(table: string, column: string, type: string): CopyType {
  assert(type === "bigint" || type === "text" || type === "bytea", `${table}.${column} is of the type ${type}`);
  return type;
}

/** Names so that each comes after those that it points to. */
function inOrder(names: readonly string[], pairs: readonly { from: string; to: string }[]): string[] {
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    for (const { from, to } of pairs) if (from === name && to !== name) visit(to);
    ordered.push(name);
  };
  for (const name of names) visit(name);
  return ordered;
}

export interface TargetOptions {
  password: string | undefined;
  /** ms */
  timeout: number;
  /** Told what a person should know of the server. */
  onNotice: (text: string) => void;
}

/** @throws StartError with a sentence for the operator */
export async function openMoveTarget(address: string, options: TargetOptions): Promise<MoveTarget> {
  const { password, timeout } = options;
  const { driver } = await probe(parseAddress(address, password), timeout);
  const db = await openPostgres(address, { ...options, connections: 2 });
  return new MoveTarget(db, { driver, timeout });
}
