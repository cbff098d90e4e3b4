/** The verbs of an operator whose database is elsewhere. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createBlobs } from "../../src/storage/blob-directory.ts";
import { upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runLectern, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";

setDefaultTimeout(240_000);

interface Told {
  checks: { name: string; state: string; detail: string }[];
}

describe.skipIf(lacks("postgres", hasPostgres))("with --database", () => {
  const dir = tempDir();
  let address: string;
  let server: TestServer;

  beforeAll(async () => {
    address = await testDatabase();
  }, 480_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  const run = (args: readonly string[], database = address) =>
    runLectern([...args], { env: { LECTERN_DATABASE: database, LECTERN_DATABASE_TIMEOUT: "3" } });
  const doctor = async (database = address) => {
    const { status, out } = await run(["doctor", "--data", dir.join("data"), "--json"], database);
    const { checks } = JSON.parse(out) as Told;
    return { status, database: checks.find(({ name }) => name === "database"), out };
  };

  test("doctor looks at the database before the first start, and while a server has it, and changes nothing", async () => {
    expect((await doctor()).database).toMatchObject({ state: "ok", detail: expect.stringContaining("is empty") });
    server = await startServer({ dataDir: dir.join("data"), args: ["--database", address] });
    expect((await doctor()).database).toMatchObject({ state: "ok", detail: expect.stringContaining("schema version") });
    expect((await server.fetch("/readyz")).status).toBe(200);
  });

  test("doctor says what the server is, and finds rows without bytes and bytes without rows", async () => {
    const path = (id: string) => createBlobs(dir.join("data")).path(id);
    const ids = [await upload(server, "a.txt", "some words"), await upload(server, "b.txt", "other words")];
    const check = async (name: string) => {
      const { out } = await doctor();
      return (JSON.parse(out) as Told).checks.find((one) => one.name === name);
    };
    expect(await check("postgres")).toMatchObject({
      state: "ok",
      detail: expect.stringMatching(/^PostgreSQL \d+.*clock/),
    });
    expect(await check("connections")).toMatchObject({
      state: "ok",
      detail: expect.stringContaining("max_connections"),
    });
    expect(await check("uploads")).toMatchObject({ state: "ok", detail: "the bytes of 2 files are there" });
    mkdirSync(dirname(path("file-stray")), { recursive: true });
    writeFileSync(path("file-stray"), "nobody's");
    expect(await check("uploads")).toMatchObject({
      state: "ok",
      detail: expect.stringContaining("of 1 more there is no row"),
    });
    renameSync(path(ids[0] ?? ""), dir.join("aside"));
    expect(await check("uploads")).toMatchObject({
      state: "fail",
      detail: expect.stringContaining(`missing: ${ids[0]}`),
    });
    renameSync(dir.join("aside"), path(ids[0] ?? ""));
    rmSync(path("file-stray"));
  });

  test("backup says whose business it is, in which order", async () => {
    const { status, err } = await run(["backup", dir.join("none.lectern"), "--data", dir.join("data")]);
    expect([status, err]).toEqual([1, expect.stringMatching(/pg_dump.* uploads after it/)]);
    expect(existsSync(dir.join("none.lectern"))).toBe(false);
  });

  test("doctor says that the database cannot be reached, without its password", async () => {
    const { status, database, out } = await doctor("postgres://lectern:s3cret-word@127.0.0.1:9/lectern");
    expect([status, database?.state]).toEqual([1, "fail"]);
    expect(out).not.toContain("s3cret-word");
  });

  test("support writes its archive, in which nothing of the address is", async () => {
    const archive = dir.join("help.tar.gz");
    const { status, err } = await run(
      ["support", archive, "--data", dir.join("data"), "--yes"],
      "postgres://fred-the-user:s3cret-word@127.0.0.1:9/house-of-books",
    );
    expect([status, err.includes("s3cret-word")]).toEqual([0, false]);
    const text = Buffer.from(Bun.gunzipSync(await Bun.file(archive).bytes())).toString();
    expect(text.includes('"database"')).toBe(true);
    expect(["fred-the-user", "s3cret-word", "house-of-books"].filter((word) => text.includes(word))).toEqual([]);
  });

  test("restore leaves the database to its own tools, and touches nothing", async () => {
    const { status, err } = await run(["restore", dir.join("none.lectern"), "--data", dir.join("other")]);
    expect([status === 0, err]).toEqual([false, expect.stringContaining("LECTERN_DATABASE names a database")]);
    expect(await Bun.file(dir.join("other")).exists()).toBe(false);
  });
});
