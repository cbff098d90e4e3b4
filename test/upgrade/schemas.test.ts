/** Directories that earlier schemas left, the one before this among them, are upgraded and answer; and each can go back. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { MIGRATIONS } from "../../src/storage/migrations/index.ts";
import { json, search } from "../helpers/api.ts";
import { ROOT, runLectern, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { FIXTURE, SCHEMAS } from "./fixture.ts";

const NEWEST = MIGRATIONS.at(-1)?.version ?? 0;
const STORES = "/v1/vector_stores";

function versionIn(path: string): number {
  using db = new Database(path);
  expect(db.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  return db.query<{ version: number }, []>("SELECT version FROM schema_version").get()?.version ?? 0;
}

test("there is a directory of the schema before this one", () => {
  expect(SCHEMAS.map(Number)).toContain(NEWEST - 1);
});

test.each(SCHEMAS)(
  "one of schema %d is upgraded, finds what it found, and goes back",
  async (schema) => {
    using dir = tempDir();
    const archive = join(ROOT, `test/fixtures/data-schema-${schema}.tar.gz`);
    expect(await Bun.spawn(["tar", "-xzf", archive, "-C", dir.path]).exited).toBe(0);
    const data = dir.join("data");
    expect(versionIn(`${data}/meta.sqlite`)).toBe(schema);
    {
      await using server = await startServer({ dataDir: data, env: { LECTERN_API_KEY: FIXTURE.key } });
      expect(server.log()).toContain(`upgraded the data directory from schema ${schema} to ${NEWEST}`);
      const { data: stores } = await json<{ data: { id: string; name: string }[] }>(server, "GET", STORES);
      expect(stores.map(({ name }) => name)).toEqual([FIXTURE.store]);
      const [hit] = await search(server, stores[0]?.id ?? "", { query: FIXTURE.query });
      expect(hit?.filename).toBe("pier.md");
      if (schema >= 12) {
        const { data: assistants } = await json<{ data: { name: string }[] }>(server, "GET", "/v1/assistants");
        expect(assistants.map(({ name }) => name)).toEqual([FIXTURE.assistant]);
      }
      expect(await server.stop()).toBe(0);
    }
    expect(versionIn(`${data}/meta.sqlite`)).toBe(NEWEST);
    expect((await runLectern(["restore", "--before-upgrade", "--data", data])).status).toBe(0);
    expect(versionIn(`${data}/meta.sqlite`)).toBe(schema);
  },
  120_000,
);
