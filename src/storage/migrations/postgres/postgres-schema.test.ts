/** The schema on PostgreSQL is SQLite's: the same tables, columns, and what may be null; and who may use it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { hasPostgres, testDatabase } from "../../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../../test/helpers/lacks.ts";
import { waitFor } from "../../../../test/helpers/wait.ts";
import { IN_ORDER } from "../../postgres/one-writer.ts";
import { openPostgres } from "../../postgres/open.ts";
import type { PostgresDatabase } from "../../postgres/database.ts";
import { openSqlite } from "../../sqlite.ts";
import { SERVER_STARTS_MS } from "../../testing/kinds.ts";
import { NewerSchemaError } from "../newer-schema.ts";
import { migratePostgres, POSTGRES_MIGRATIONS } from "./runner.ts";

interface Shown {
  table: string;
  column: string;
  type: string;
  isNullable: boolean;
}

const NEWEST = POSTGRES_MIGRATIONS.at(-1)?.version ?? 0;
const TYPES: Record<string, string> = { bigint: "INTEGER", text: "TEXT", bytea: "BLOB" };
/** There is no table of counts: a view counts when asked. And a row's place is a column. */
const isOwn = ({ table, column }: Shown) => table === "job_count" || column === "rowid";

function ofSqlite(): Shown[] {
  const db = openSqlite(":memory:");
  const rows = db.raw
    .query<{ table: string; column: string; type: string; required: number; key: number }, []>(
      `SELECT t.name AS "table", c.name AS "column", c.type, c."notnull" AS required, c.pk AS key
       FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`,
    )
    .all();
  void db.close();
  return rows.map(({ required, key, ...row }) => ({ ...row, isNullable: required === 0 && key === 0 }));
}

async function ofPostgres(db: PostgresDatabase): Promise<Shown[]> {
  const rows = await db.all<{ table: string; column: string; type: string; nullable: string }>(
    `SELECT c.table_name AS "table", c.column_name AS "column", c.data_type AS type, c.is_nullable AS nullable
     FROM information_schema.columns c WHERE c.table_schema = 'public'`,
  );
  return rows.map(({ nullable, type, ...row }) => ({
    ...row,
    type: TYPES[type] ?? type,
    isNullable: nullable === "YES",
  }));
}

const listOf = (columns: readonly Shown[]) =>
  columns
    .filter((column) => !isOwn(column))
    .map(({ table, column, type, isNullable }) => `${table}.${column} ${type}${isNullable ? "" : " NOT NULL"}`)
    .toSorted();

describe.skipIf(lacks("PostgreSQL", hasPostgres))("the schema on PostgreSQL", () => {
  let db: PostgresDatabase;
  beforeAll(async () => {
    db = await openPostgres(await testDatabase(), { connections: 2 });
  }, SERVER_STARTS_MS);
  afterAll(() => db.close());

  test("has the tables and columns of SQLite's", async () => {
    const [a, b] = await Promise.all([migratePostgres(db), migratePostgres(db)]);
    // Who comes second finds it begun, and each step done once.
    expect([Math.min(a.from, b.from), Math.max(a.from, b.from) > 0]).toEqual([0, true]);
    expect([a.to, b.to]).toEqual([NEWEST, NEWEST]);
    expect(listOf(await ofPostgres(db))).toEqual(listOf(ofSqlite()));
  });

  test("has the tenant first in every key, but where a tenant is not known or there is none", async () => {
    const keys = await db.all<{ name: string; first: string }>(
      `SELECT i.relname AS name, a.attname AS first FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
       JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] WHERE x.indisunique AND n.nspname = 'public'`,
    );
    const others = keys.filter(({ first }) => first !== "tenant_id").map(({ name }) => name);
    expect(others.toSorted()).toEqual([
      "api_key_hash_key",
      "api_key_pkey",
      "api_key_rowid_key",
      "commit_mark_pkey",
      "duty_pkey",
      "instance_pkey",
      "query_log_size_pkey",
      "replica_pkey",
      "schema_version_pkey",
      "shown_id_pkey",
      "tenant_pkey",
      "tenant_rowid_key",
    ]);
  });

  test("compares text byte by byte, whatever the database's own order is", async () => {
    const other = await db.all<{ column: string }>(
      `SELECT table_name || '.' || column_name AS "column" FROM information_schema.columns
       WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'`,
    );
    expect(other).toEqual([]);
  });

  test("of version 18 is upgraded with what is in it", async () => {
    await using stack = new AsyncDisposableStack();
    const old = stack.adopt(await openPostgres(await testDatabase(), { connections: 2 }), (opened) => opened.close());
    await migratePostgres(
      old,
      POSTGRES_MIGRATIONS.filter(({ version }) => version <= 18),
    );
    await old.run("INSERT INTO tenant (id, name, status, created_at) VALUES ('ten_a', 'a', 'active', 1)");
    await old.run(`INSERT INTO vector_store (id, tenant_id, name, created_at, last_active_at, embedding_model)
      VALUES ('vs_1', 'ten_a', '', 1, 1, 'm')`);
    await old.run(`INSERT INTO store_file (tenant_id, store_id, file_id, filename, file_bytes, created_at, status, max_tokens,
      overlap_tokens) VALUES ('ten_a', 'vs_1', 'file-1', 'a.txt', 1, 1, 'completed', 800, 400)`);
    expect(await migratePostgres(old)).toEqual({ from: 18, to: NEWEST });
    const version = async () => (await old.get<{ version: number }>("SELECT version FROM vector_store"))?.version;
    expect(await version()).toBe(0);
    // As a statement of the version before, which runs on.
    await old.run("UPDATE store_file SET attributes = '{}'");
    await old.run("DELETE FROM store_file");
    expect(await version()).toBe(2);
    const told = await old.all("SELECT version, kind FROM store_change ORDER BY version");
    expect(told).toEqual([
      { version: 1, kind: "attributes" },
      { version: 2, kind: "removed" },
    ]);
  });

  describe("is upgraded beside another server", () => {
    const version = NEWEST + 1;
    const both = "ALTER TABLE vector_store ADD COLUMN next_note TEXT; ALTER TABLE tenant ADD COLUMN next_note TEXT;";
    const next = [...POSTGRES_MIGRATIONS, { version, sql: both, minSafeVersion: NEWEST }];
    let own: PostgresDatabase;
    let other: SQL;
    beforeEach(async () => {
      const address = await testDatabase();
      own = await openPostgres(address, { connections: 2 });
      await migratePostgres(own);
      other = new SQL(address, { max: 1 });
    }, SERVER_STARTS_MS);
    afterEach(async () => {
      await other.close({ timeout: 0 });
      await own.close();
    });

    /** What both need, in the other order; `begun` begins the other server's transaction. */
    async function meet(begun: string, waitsFor: string): Promise<{ upgraded: Promise<unknown>; failed: unknown }> {
      await other.unsafe("BEGIN");
      await other.unsafe(begun);
      await other.unsafe("SELECT 1 FROM tenant");
      const upgraded = migratePostgres(own, next);
      const waiting = `SELECT 1 AS n FROM pg_locks WHERE NOT granted AND ${waitsFor}`;
      await waitFor("the upgrade waits", async () => ((await own.get(waiting)) === null ? undefined : true));
      const failed = await other.unsafe("SELECT 1 FROM vector_store").then(
        () => null,
        (error: unknown) => error,
      );
      await other.unsafe("COMMIT");
      return { upgraded, failed };
    }

    test("that reads: the server ends one of two that wait for each other, and that one does it again", async () => {
      const { upgraded } = await meet("SELECT 1", "relation = 'tenant'::regclass");
      expect(await upgraded).toEqual({ from: NEWEST, to: version });
    });

    test("that writes: it waits for the end of what is being written, and has nothing before", async () => {
      const { upgraded, failed } = await meet(IN_ORDER, "locktype = 'advisory'");
      expect(failed).toBeNull();
      expect(await upgraded).toEqual({ from: NEWEST, to: version });
    });
  });

  test("of a newer Lectern that says that this one must not use it is refused, and left as it is", async () => {
    const broken = [
      ...POSTGRES_MIGRATIONS,
      { version: 1000, sql: "CREATE TABLE half (x BIGINT); SELECT nonsense;", minSafeVersion: 1 },
    ];
    expect(await migratePostgres(db, broken).catch(() => "failed")).toBe("failed");
    expect(await db.get("SELECT to_regclass('half')::text AS half")).toEqual({ half: null });
    await db.run("UPDATE schema_version SET version = 99");
    expect(await migratePostgres(db)).toEqual({ from: 99, to: 99 });
    await db.run("UPDATE schema_version SET min_safe_version = 99");
    const error: unknown = await migratePostgres(db).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NewerSchemaError);
    expect(error).toMatchObject({ found: 99, known: NEWEST });
  });
});
