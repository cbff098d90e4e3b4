/**
 * The directory of the first version is upgraded step by step, with the process killed in each step and after each: every
 * start goes on where the last one was, keeps the database from before the first step, and says what it does. Then the way
 * back, and an executable that finds a directory too new.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { expect, test } from "bun:test";
import { join } from "node:path";
import written from "../fixtures/data-v1.json" with { type: "json" };
import { MIGRATIONS } from "../../src/storage/migrations/index.ts";
import { json } from "../helpers/api.ts";
import { ROOT, runLectern, startServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";

const NEWEST = MIGRATIONS.at(-1)?.version ?? 0;
/** Of the directory that the first version left. */
const FIRST = 7;
const ENV = { LECTERN_API_KEY: written.adminKey };

async function unpack(dir: TempDir): Promise<string> {
  const archive = join(ROOT, "test/fixtures/data-v1.tar.gz");
  expect(await Bun.spawn(["tar", "-xzf", archive, "-C", dir.path]).exited).toBe(0);
  return dir.join("data");
}

function versionIn(path: string): number {
  using db = new Database(path);
  expect(db.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  return db.query<{ version: number }, []>("SELECT version FROM schema_version").get()?.version ?? 0;
}

/** Starts a server that ends itself at a point; what it logged. */
async function killedAt(data: string, point: string): Promise<string> {
  const env = { ...ENV, LECTERN_TEST_FAILPOINT: point };
  const { status, err } = await runLectern(["serve", "--port", "0", "--data", data, "--no-local-cli"], { env });
  expect([point, status]).toEqual([point, 137]);
  return err;
}

test("a kill in any step, and after any, costs nothing: the next start goes on there", async () => {
  using dir = tempDir();
  const data = await unpack(dir);
  const kept = join(data, "before-upgrade/meta.sqlite");
  await killedAt(data, "upgrade:copied");
  expect([versionIn(`${data}/meta.sqlite`), versionIn(kept)]).toEqual([FIRST, FIRST]);
  for (let version = FIRST; version < NEWEST; version++) {
    await killedAt(data, "upgrade:in-step");
    expect(versionIn(`${data}/meta.sqlite`)).toBe(version);
    const log = await killedAt(data, "upgrade:step-done");
    expect(log).toContain(
      `upgrading the data directory from schema ${version} to ${NEWEST}: step 1 of ${NEWEST - version}`,
    );
    expect([versionIn(`${data}/meta.sqlite`), versionIn(kept)]).toEqual([version + 1, FIRST]);
  }
  await using server = await startServer({ dataDir: data, env: ENV });
  const { data: stores } = await json<{ data: { name: string }[] }>(server, "GET", "/v1/vector_stores");
  expect(stores.map(({ name }) => name).toSorted()).toEqual(["empty", "handbook", "notes"]);
}, 240_000);

test("the database from before is put back, and upgraded again", async () => {
  using dir = tempDir();
  const data = await unpack(dir);
  {
    await using server = await startServer({ dataDir: data, env: ENV });
    await json(server, "POST", "/v1/vector_stores", { name: "after" });
    expect(server.log()).toContain(`upgraded the data directory from schema ${FIRST} to ${NEWEST}`);
    const busy = await runLectern(["restore", "--before-upgrade", "--data", data]);
    expect([busy.status, busy.err]).toEqual([1, expect.stringContaining("is using the data directory")]);
    expect(await server.stop()).toBe(0);
  }
  const back = await runLectern(["restore", "--before-upgrade", "--data", data]);
  expect([back.status, back.err]).toEqual([0, expect.stringContaining(`(schema ${FIRST})`)]);
  expect([versionIn(`${data}/meta.sqlite`), versionIn(`${data}/undone-upgrade/meta.sqlite`)]).toEqual([FIRST, NEWEST]);
  await using server = await startServer({ dataDir: data, env: ENV });
  const { data: stores } = await json<{ data: { name: string }[] }>(server, "GET", "/v1/vector_stores");
  expect(stores.map(({ name }) => name)).not.toContain("after");
}, 120_000);

test("an upgrade that must not go without a copy stops where there is no room; one that may goes on", async () => {
  using dir = tempDir();
  const data = await unpack(dir);
  const start = (copy: string) => ({
    dataDir: data,
    args: ["--upgrade-copy", copy, "--min-free-disk-mb", String(2 ** 40)],
    env: ENV,
  });
  const refusal = startServer(start("always"));
  // A file system that shares the bytes of a copy always has room.
  const isShared = await refusal.then(
    async (server) => (await server.kill(), true),
    (error: unknown) => {
      expect(String(error)).toContain("the disk has no room for a copy of the database");
      return false;
    },
  );
  if (isShared) return;
  expect(versionIn(`${data}/meta.sqlite`)).toBe(FIRST);
  await using server = await startServer(start("auto"));
  expect(server.log()).toContain("there is no way back but a backup");
  expect(existsSync(join(data, "before-upgrade"))).toBe(false);
}, 120_000);

test("a directory of a newer version is left alone, and told by which version it was written", async () => {
  using dir = tempDir();
  const data = dir.join("data");
  {
    await using server = await startServer({ dataDir: data });
    expect(await server.stop()).toBe(0);
  }
  {
    using db = new Database(`${data}/meta.sqlite`);
    db.run("UPDATE schema_version SET version = 99, min_safe_version = 98");
  }
  await Bun.write(`${data}/version`, "7.2.0\n");
  const { status, err } = await runLectern(["serve", "--port", "0", "--data", data]);
  expect(status).toBe(1);
  expect(err).toContain(`newer Lectern (7.2.0, schema 99), and this is`);
  expect(err).toContain(`knows schemas up to ${NEWEST}; start the newer one`);
  expect(versionIn(`${data}/meta.sqlite`)).toBe(99);
}, 60_000);
