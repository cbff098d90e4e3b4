import { beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { GUARDED, hasPostgres, STARTING_MS, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { freePort } from "../../../test/cluster/servers/process.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { StartError } from "../../platform/data-dir.ts";
import { openPostgres, type PostgresOptions } from "./open.ts";

describe.skipIf(lacks("postgres", hasPostgres))("opening a database", () => {
  beforeAll(() => testDatabase(), STARTING_MS);

  /** What a person is told when it does not open. */
  const refusal = async (address: string, options: PostgresOptions = {}) => {
    try {
      await using stack = new AsyncDisposableStack();
      const db = await openPostgres(address, { timeout: 4000, ...options });
      stack.defer(() => db.close());
      return "none";
    } catch (error) {
      expect(error).toBeInstanceOf(StartError);
      return (error as StartError).message;
    }
  };
  const as = async (address: string, ...statements: readonly string[]) => {
    await using sql = new SQL(address, { max: 1 });
    for (const statement of statements) await sql.unsafe(statement);
  };

  test("says what to do where there is no server, database, or user", async () => {
    const address = await testDatabase();
    const nowhere = `postgres://me:secret@127.0.0.1:${freePort()}/docs`;
    expect(await refusal(nowhere)).toContain("/docs cannot be reached");
    expect(await refusal(`${address}_other`)).toContain("does not exist; make it with CREATE DATABASE");
    const other = address.replace("postgres@", `${GUARDED}:wrong@`);
    await as(address, `CREATE ROLE ${GUARDED} LOGIN PASSWORD 'right'`, `GRANT ALL ON SCHEMA public TO ${GUARDED}`);
    expect(await refusal(other)).toContain("does not let the user in");
    expect(await refusal(other)).toContain("LECTERN_DATABASE_PASSWORD");
    for (const said of [await refusal(nowhere), await refusal(other)]) expect(said).not.toMatch(/secret|wrong/);
    expect(await refusal(other, { password: "right" })).toBe("none");
  });

  test("asks for TLS where the address does, and for none where it does not", async () => {
    const address = await testDatabase();
    expect(await refusal(`${address}?sslmode=require`)).toMatch(/cannot be reached under TLS|refuses/);
    expect(await refusal(`${address}?sslmode=prefer`)).toBe("none");
  });

  test("takes no database that keeps text in another encoding, or takes no writes", async () => {
    const latin = await testDatabase("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    expect(await refusal(latin)).toContain("keeps text as LATIN1; make one with CREATE DATABASE");
    const closed = await testDatabase();
    const name = new URL(closed).pathname.slice(1);
    await as(closed, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    expect(await refusal(closed)).toContain("takes no writes");
  });

  test("says when the clocks differ, and when commits are not kept", async () => {
    const address = await testDatabase();
    const name = new URL(address).pathname.slice(1);
    await as(
      address,
      "CREATE SCHEMA moved",
      `CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 min'''`,
      `ALTER DATABASE ${name} SET search_path = moved, pg_catalog, public`,
      `ALTER DATABASE ${name} SET synchronous_commit = off`,
    );
    const notices: string[] = [];
    expect(await refusal(address, { onNotice: (text) => notices.push(text) })).toBe("none");
    expect(notices).toEqual([
      expect.stringContaining("clock is 60 s ahead of this machine's"),
      expect.stringContaining("fsync = off"),
      expect.stringContaining("synchronous_commit = off"),
    ]);
  });

  test("the environment's own settings for other clients do not lead elsewhere", async () => {
    const address = await testDatabase();
    const before = { ...process.env };
    const port = String(freePort());
    Object.assign(process.env, {
      PGDATABASE: "other",
      PGPORT: port,
      PGHOST: "elsewhere",
      PGUSER: "else",
      PGPASSWORD: "p",
    });
    process.env["DATABASE_URL"] = `postgres://a@127.0.0.1:${port}/b`;
    try {
      expect(await refusal(address)).toBe("none");
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });
});
