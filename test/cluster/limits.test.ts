/** A server whose database has no room, takes no writes, or has no connection left: what clients get, and what is done. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, QUESTIONS, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";
import { give } from "./servers/process.ts";

setDefaultTimeout(240_000);

/** MiB; an empty database takes 8 of them. */
const DISK = 40;

describe.skipIf(lacks("postgres", hasPostgres))("a server whose database", () => {
  let database: PostgresServer;
  beforeAll(async () => {
    database = await startPostgres();
  }, 240_000);
  afterAll(() => database?.[Symbol.asyncDispose]());

  const ready = async (server: TestServer) => {
    const response = await server.fetch("/readyz");
    return { status: response.status, text: await response.text() };
  };
  const isReady = (server: TestServer) =>
    waitFor("it is ready", async () => ((await ready(server)).status === 200 ? true : undefined));
  const storesOf = async (server: TestServer) =>
    (await json<{ data: { id: string }[] }>(server, "GET", "/v1/vector_stores?limit=100")).data.length;
  /** A row of nearly half a page. */
  const newStore = (server: TestServer, n: number) => {
    const value = () => Buffer.from(crypto.getRandomValues(new Uint8Array(384))).toString("base64");
    const metadata = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, value()]));
    return server.fetch("/v1/vector_stores", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: `n${n}`, metadata }),
    });
  };
  /** With a store and a file in it. */
  const open = async (address: string) => {
    const server = await startServer({ args: ["--database", address, "--database-timeout", "4"] });
    const { id: store } = await json<{ id: string }>(server, "POST", "/v1/vector_stores", { name: "s" });
    await json(server, "POST", `/v1/vector_stores/${store}/files`, {
      file_id: await upload(server, "one.md", makeText(1, 6)),
    });
    await untilIndexed(server, store);
    return { server, store };
  };
  /** Everything that changes something answers so; nothing of it is there. */
  const expectAway = async (server: TestServer) => {
    for (const response of [await newStore(server, 0), await server.fetch("/v1/files")]) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(await response.json()).toMatchObject({ error: { code: "storage_unavailable" } });
    }
    expect((await server.fetch("/healthz")).status).toBe(200);
  };

  test.skipIf(lacks("the right to mount", mayMount()))(
    "has no room on its disk answers 507, has nothing half done, and goes on when there is room",
    async () => {
      await using database = await startPostgres();
      using disk = smallDisk(join(database.directory, "small"));
      await database.query(`CREATE TABLESPACE small LOCATION '${disk.path}'`);
      const address = await database.createDatabase("stuffed", "TABLESPACE small");
      const { server, store } = await open(address);
      await using _ = server;
      const late = await upload(server, "late.md", makeText(2, 40));
      await database.query("CREATE TABLE ballast (bytes bytea)", "stuffed");
      // What is to be written later has its place then: any statement may have to write any page.
      await database.query("CHECKPOINT");
      await database.query("ALTER TABLE ballast ALTER COLUMN bytes SET STORAGE EXTERNAL", "stuffed");
      for (const bytes of [1 << 20, 1 << 13]) {
        const fill = `INSERT INTO ballast SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, ${bytes / 32}) i`;
        await waitFor("the disk is full", () =>
          database.query(fill, "stuffed").then(
            () => undefined,
            (error: Error) => (error.message.includes("No space left") ? true : undefined),
          ),
        );
      }
      let made = 0;
      const refused = await waitFor("a refusal", async () => {
        const response = await newStore(server, made);
        if (response.status !== 200) return response;
        made++;
        return undefined;
      });
      expect([refused.status, await refused.text()]).toEqual([507, expect.stringContaining("insufficient_storage")]);
      expect((await ready(server)).status).toBe(200);
      // What was there is still found.
      expect((await search(server, store, { query: QUESTIONS[0] })).length).toBeGreaterThan(0);
      await waitFor("the ballast is gone", () =>
        database.query("DROP TABLE ballast", "stuffed").then(
          () => true as const,
          () => undefined,
        ),
      );
      expect(await storesOf(server)).toBe(made + 1);
      expect((await newStore(server, made)).status).toBe(200);
      await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: late });
      await untilIndexed(server, store);
      const { file_counts } = await json<{ file_counts: object }>(server, "GET", `/v1/vector_stores/${store}`);
      expect(file_counts).toMatchObject({ completed: 2, total: 2 });
    },
  );

  test("is a standby answers 503, says why, and goes on when it is made the primary", async () => {
    const { server, store } = await open(await database.createDatabase("standing"));
    await using _ = server;
    await database.stop("fast");
    await Bun.write(join(database.directory, "data", "standby.signal"), "");
    give(join(database.directory, "data", "standby.signal"));
    await database.start();
    await waitFor("it says why", async () =>
      (await ready(server)).text.includes("takes no writes") ? true : undefined,
    );
    await expectAway(server);
    await database.query("SELECT pg_promote()");
    await isReady(server);
    expect(await storesOf(server)).toBe(1);
    expect((await search(server, store, { query: QUESTIONS[0] })).length).toBeGreaterThan(0);
  });

  test("has no connection left answers 503, says why, and goes on when there are some", async () => {
    await database.createDatabase("crowded");
    await database.query("CREATE ROLE common LOGIN; ALTER DATABASE crowded OWNER TO common");
    const { server, store } = await open(database.url("crowded").replace("postgres@", "common@"));
    await using _ = server;
    await database.query("ALTER DATABASE crowded CONNECTION LIMIT 0");
    await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'crowded'");
    await waitFor("it is not ready", async () => ((await ready(server)).status === 503 ? true : undefined));
    await expectAway(server);
    await database.query("ALTER DATABASE crowded CONNECTION LIMIT -1");
    await isReady(server);
    expect(await storesOf(server)).toBe(1);
    expect((await search(server, store, { query: QUESTIONS[0] })).length).toBeGreaterThan(0);
  });
});

function smallDisk(path: string): Disposable & { path: string } {
  mkdirSync(path);
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${DISK}m`, "tmpfs", path]);
  expect(mounted.success).toBe(true);
  give(path);
  return { path, [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) };
}

function mayMount(): boolean {
  return process.getuid?.() === 0 && Bun.spawnSync(["unshare", "--mount", "true"]).success;
}
