/** `lectern move`: a data directory into PostgreSQL, whatever instant it is ended at, with proof that both are equal. */
import { Database } from "bun:sqlite";
import { SQL } from "bun";
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { json, newStore, search, settled, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { ROOT, runLectern, startServer, type TestServer } from "../helpers/server.ts";
import { as } from "../helpers/tenants.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { stockStore, STOCK_OPTIONS } from "../bench/stocked-store.ts";
import { Words } from "../bench/corpus.ts";
import { waitFor } from "../helpers/wait.ts";
import written from "../fixtures/data-v1.json" with { type: "json" };
import { QUESTIONS } from "../migrate/corpus.ts";
import { type Appliance, fullAppliance } from "./full-appliance.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";

setDefaultTimeout(480_000);

interface Proof {
  equal: boolean;
  rows: number;
  tables: number;
  searches: { searches: number; stores: number };
  differences: { table: string; detail: string }[];
}

/** What a server that has its database alone never writes. */
const OF_SEVERAL_SERVERS = [
  "commit_mark",
  "console_pass",
  "duty",
  "held",
  "list_place",
  "rate",
  "replica",
  "response_step",
  "store_change",
];

describe.skipIf(lacks("postgres", hasPostgres))("lectern move", () => {
  const dir = tempDir();
  let appliance: Appliance;
  let own: TempDir;

  beforeAll(async () => {
    appliance = await fullAppliance(dir.join("data"));
  }, 480_000);
  afterAll(() => dir[Symbol.dispose]());
  afterEach(() => own?.[Symbol.dispose]());

  const run = async (database: string, args: readonly string[] = [], data = appliance.dataDir, failpoint?: string) => {
    const into = args.includes("--blobs") ? [] : ["--into", own.join("server")];
    const env = failpoint === undefined ? {} : { LECTERN_TEST_FAILPOINT: failpoint };
    return await runLectern(["move", "--data", data, "--database", database, ...into, ...args], { env });
  };
  const proofOf = (out: string) => JSON.parse(out) as Proof;
  const refusedStart = async (database: string) => {
    const { status, err } = await runLectern([
      "serve",
      "--port",
      "0",
      "--data",
      own.join("early"),
      "--database",
      database,
    ]);
    return [status, err] as const;
  };

  test("the appliance of this test has rows in every table", () => {
    using db = new Database(join(appliance.dataDir, "meta.sqlite"), { readonly: true });
    const tables = db
      .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all()
      .map(({ name }) => name);
    const empty = tables.filter((name) => db.query(`SELECT 1 FROM "${name}" LIMIT 1`).get() === null);
    expect(empty.toSorted()).toEqual(OF_SEVERAL_SERVERS);
  });

  test("brings all of it over, changes nothing here, and a server over it answers as one over the data directory", async () => {
    own = tempDir();
    const database = await testDatabase();
    expect((await run(database, ["--verify"])).err).toContain("holds nothing that was moved out of");
    const before = contentOf(appliance.dataDir);
    const dry = await run(database, ["--dry-run", "--json"]);
    expect(dry.status).toBe(0);
    expect(JSON.parse(dry.out)).toMatchObject({ object: "move.plan", goesOn: false, blobs: { there: 0, missing: [] } });
    expect(existsSync(own.join("server"))).toBe(false);
    const { status, out, err } = await run(database, ["--json"]);
    expect([status, err]).toEqual([0, expect.stringContaining("Start servers with")]);
    const proof = proofOf(out);
    expect(proof).toMatchObject({ equal: true, differences: [], searches: { stores: 3 } });
    expect(proof.searches.searches).toBeGreaterThan(20);
    expect(proof.tables).toBeGreaterThan(40);
    expect(contentOf(appliance.dataDir)).toEqual(before);
    expect((await run(database, ["--verify"])).out).toStartWith("Equal: ");
    // A second one is kept from what is there.
    expect((await run(database)).err).toContain("holds what was moved out of");
    await using here = await startServer({ dataDir: copyOf(appliance.dataDir, own) });
    await using there = await startServer({ dataDir: own.join("server"), args: ["--database", database] });
    await expectSame(here, there, appliance);
    await goesOn(there, appliance);
  });

  test.each([
    ["move:marked"],
    ["move:begun"],
    ["move:blob:3"],
    ["move:batch"],
    ["move:batch:12"],
    ["move:batch:30"],
    ["move:rows"],
    ["move:compared"],
  ])("ended at %s by a kill, is served by nobody, and goes on when it is called again", async (point) => {
    own = tempDir();
    const database = await testDatabase();
    expect((await run(database, [], appliance.dataDir, point)).status).not.toBe(0);
    const [status, said] = await refusedStart(database);
    expect([status === 0, said]).toEqual([false, expect.stringContaining("whose move into it has not ended")]);
    const { out, err } = await run(database, ["--json"]);
    expect(err).toContain("Going on with the move that was begun");
    expect(proofOf(out)).toMatchObject({ equal: true });
  });

  test("ended by a kill after its last step is whole", async () => {
    own = tempDir();
    const database = await testDatabase();
    expect((await run(database, [], appliance.dataDir, "move:ended")).status).not.toBe(0);
    expect((await run(database, ["--verify", "--json"])).status).toBe(0);
  });

  test("begins anew where the data directory was served in between", async () => {
    own = tempDir();
    const database = await testDatabase();
    const data = copyOf(appliance.dataDir, own);
    await run(database, [], data, "move:batch:20");
    {
      await using server = await startServer({ dataDir: data });
      await upload(server, "between.md", "written in between");
      await server.stop();
    }
    const { out, err } = await run(database, ["--json"], data);
    expect(err).not.toContain("Going on");
    expect(proofOf(out)).toMatchObject({ equal: true });
  });

  test("refuses what it cannot move, with a sentence, and changes nothing", async () => {
    own = tempDir();
    const database = await testDatabase();
    const refusal = async (args: readonly string[], data = appliance.dataDir, to = database) => {
      const { status, err } = await run(to, args, data);
      expect(status).not.toBe(0);
      return err;
    };
    expect(await refusal([], own.join("nothing"))).toContain("holds no database");
    const without = await runLectern(["move", "--data", appliance.dataDir, "--database", database]);
    expect([without.status, without.err]).toEqual([1, expect.stringContaining("say where the bytes of uploads go")]);
    {
      const data = copyOf(appliance.dataDir, own);
      await using server = await startServer({ dataDir: data });
      expect(server.pid).toBeGreaterThan(0);
      expect(await refusal([], data)).toContain("is using the data directory");
    }
    expect(await refusal([], await older(own))).toContain("start this version on it once");
    {
      await using server = await startServer({ dataDir: own.join("other"), args: ["--database", database] });
      expect(await refusal([])).toContain("is not empty");
      await server.stop();
    }
    const missing = copyOf(appliance.dataDir, own, "missing");
    rmSync(join(missing, "blobs"), { recursive: true });
    expect(await refusal([], missing, await testDatabase())).toContain(
      "neither in the data directory nor in the place",
    );
    const half = await testDatabase();
    await run(half, [], appliance.dataDir, "move:batch:5");
    const other = join(own.path, "another");
    await using made = await startServer({ dataDir: other });
    await made.stop();
    expect(await refusal([], other, half)).toContain("a part of another data directory");
  });

  test("says which table differs, and lets nobody in", async () => {
    own = tempDir();
    const database = await testDatabase();
    await run(database, [], appliance.dataDir, "move:rows");
    const sql = new SQL(database, { max: 1 });
    await sql.unsafe(
      "UPDATE vector SET data = set_byte(data, 3, get_byte(data, 3) # 1) WHERE id = (SELECT min(id) FROM vector)",
    );
    await sql.unsafe("DELETE FROM judgment WHERE seq = (SELECT min(seq) FROM judgment)");
    await sql.close();
    const { status, out } = await run(database, ["--json"]);
    expect(status).toBe(1);
    expect(
      proofOf(out)
        .differences.map(({ table }) => table)
        .toSorted(),
    ).toContain("vector");
    expect((await refusedStart(database))[1]).toContain("whose move into it has not ended");
  });

  test("copies bytes into a place that servers share", async () => {
    own = tempDir();
    const database = await testDatabase();
    const place = `file://${own.join("shared")}`;
    expect((await run(database, ["--blobs", place])).status).toBe(0);
    const args = ["--database", database, "--blobs", place];
    await using server = await startServer({ dataDir: own.join("server"), args });
    const bytes = await (await server.fetch(`/v1/files/${appliance.files[0]}/content`)).text();
    await using here = await startServer({ dataDir: copyOf(appliance.dataDir, own) });
    expect(bytes).toBe(await (await here.fetch(`/v1/files/${appliance.files[0]}/content`)).text());
  });

  test("brings over what the first version wrote, once this one has upgraded it", async () => {
    own = tempDir();
    const data = await older(own);
    const env = { LECTERN_API_KEY: written.adminKey };
    await using here = await startServer({ dataDir: data, env });
    await waitFor("the upgrade's work is done", () => {
      using db = new Database(join(data, "meta.sqlite"), { readonly: true });
      const { n } = db.query<{ n: number }, []>("SELECT count(*) AS n FROM job WHERE kind <> 'retire'").get() ?? {
        n: 1,
      };
      return n === 0 ? true : undefined;
    });
    await here.stop();
    const database = await testDatabase();
    expect(proofOf((await run(database, ["--json"], data)).out)).toMatchObject({ equal: true });
    await using again = await startServer({ dataDir: data, env });
    await using there = await startServer({ dataDir: own.join("server"), env, args: ["--database", database] });
    for (const { query, mode } of written.handbook.answers) {
      const body = { query, search_mode: mode };
      expect(await search(there, written.handbook.id, body)).toEqual(await search(again, written.handbook.id, body));
    }
  });

  const chunks = Number(process.env["LECTERN_TEST_MOVE_CHUNKS"] ?? 3000);
  test(`brings over ${chunks} chunks, ended twice in the middle`, async () => {
    own = tempDir();
    const database = await testDatabase();
    const data = own.join("large");
    const store = await stockStore(data, chunks);
    for (const point of ["move:batch:34", "move:batch:2"]) await run(database, [], data, point);
    const from = performance.now();
    const { out, status } = await run(database, ["--json"], data);
    expect(status).toBe(0);
    expect(proofOf(out)).toMatchObject({ equal: true, searches: { searches: 200 } });
    console.log(`${chunks} chunks: moved on and compared in ${Math.round(performance.now() - from)} ms`);
    await using here = await startServer({ ...STOCK_OPTIONS, dataDir: data });
    const args = [...(STOCK_OPTIONS.args ?? []), "--database", database];
    await using there = await startServer({ ...STOCK_OPTIONS, dataDir: own.join("server"), args });
    const words = new Words(5);
    for (let i = 0; i < 10; i++) {
      const body = { query: words.question(), max_num_results: 20 };
      expect(await search(there, store, body)).toEqual(await search(here, store, body));
    }
  });
});

/** The name and the content of every file that a server would use, but those that say who has the directory. */
function contentOf(dataDir: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
    const name = join(path.parentPath, path.name);
    const ofHolder = /\/(?:lock|holder\.json|meta\.sqlite-(?:wal|shm))$/.test(name) || name.includes("/tmp/");
    if (path.isFile() && !ofHolder) found[name] = String(Bun.hash(new Uint8Array(Bun.mmap(name))));
  }
  return found;
}

function copyOf(dataDir: string, dir: TempDir, name = "copy"): string {
  const copy = dir.join(name);
  cpSync(dataDir, copy, { recursive: true });
  return copy;
}

async function older(dir: TempDir): Promise<string> {
  const archive = join(ROOT, "test/fixtures/data-v1.tar.gz");
  expect(await Bun.spawn(["tar", "-xzf", archive, "-C", dir.path]).exited).toBe(0);
  return dir.join("data");
}

/** Everything that can be asked for, the same on both. */
async function expectSame(here: TestServer, there: TestServer, appliance: Appliance): Promise<void> {
  const [store = ""] = appliance.stores;
  const paths = [
    "/v1/files?limit=100",
    "/v1/vector_stores?limit=100",
    ...appliance.stores.map((id) => `/v1/vector_stores/${id}`),
    ...appliance.stores.map((id) => `/v1/vector_stores/${id}/files?limit=100`),
    `/v1/vector_stores/${store}/chunks?limit=50`,
    `/v1/vector_stores/${store}/chunks/${appliance.chunk}`,
    `/v1/vector_stores/${store}/migrations`,
    `/v1/vector_stores/${store}/judgments`,
    `/v1/vector_stores/${store}/evals`,
    `/v1/vector_stores/${store}/queries`,
    `/v1/responses/${appliance.response}`,
    `/v1/responses/${appliance.response}/input_items`,
    `/v1/threads/${appliance.thread}/messages`,
    "/v1/assistants",
    "/v1/admin/deletions",
    `/v1/admin/deletions/${appliance.deletion}`,
    "/v1/admin/tenants",
    "/v1/admin/keys",
  ];
  for (const path of paths) {
    const [a, b] = await Promise.all([here.fetch(path), there.fetch(path)]);
    expect([path, b.status, withoutUse(await b.text())]).toEqual([path, a.status, withoutUse(await a.text())]);
  }
  for (const id of appliance.files) {
    const bytes = async (server: TestServer) => (await server.fetch(`/v1/files/${id}/content`)).text();
    expect(await bytes(there)).toBe(await bytes(here));
  }
  for (const id of appliance.stores) {
    for (const query of QUESTIONS) {
      for (const more of [{}, { search_mode: "keyword" }, { filters: { type: "gte", key: "n", value: 1 } }]) {
        const body = { query, max_num_results: 20, ...more };
        expect(await search(there, id, body)).toEqual(await search(here, id, body));
      }
    }
  }
  const theirs = as(there, appliance.tenantKey);
  expect((await json<{ data: unknown[] }>(theirs, "GET", "/v1/files")).data).toHaveLength(1);
}

/** When a key or a store was used last is of the server that it was used on. */
function withoutUse(text: string): string {
  return text.replaceAll(/"last_(?:used|active)_at":(?:\d+|null)/g, "");
}

/** New rows get numbers of their own, and counts go on. */
async function goesOn(server: TestServer, { stores: [store = ""], files }: Appliance): Promise<void> {
  const path = `/v1/vector_stores/${store}`;
  const counts = async () =>
    (await json<{ file_counts: { total: number; completed: number } }>(server, "GET", path)).file_counts;
  const before = await counts();
  const id = await upload(server, "after.md", "The narwhal was written after the move.");
  await json(server, "POST", `${path}/files`, { file_id: id });
  expect((await settled(server, store, id)).status).toBe("completed");
  expect((await search(server, store, { query: "narwhal" }))[0]?.file_id).toBe(id);
  expect(await counts()).toMatchObject({ total: before.total + 1, completed: before.completed + 1 });
  await json(server, "DELETE", `/v1/files/${files[1]}`);
  expect(await counts()).toMatchObject({ total: before.total, completed: before.completed });
  await newStore(server, { name: "new" });
}
