/** Another version of Lectern brings another revision of the bundled model: stores are moved to it by themselves. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { json, search } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { ask, buildStore, migrationEnd, type MigrationState } from "./corpus.ts";

test("a store made with an older bundled model answers from keywords and is moved to the new one", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  let storeId: string;
  let before: string[];
  {
    await using server = await startServer({ dataDir });
    storeId = await buildStore(server, { files: 3, chunksEach: 20 });
    before = (await ask(server, storeId, "which river")).hits;
    expect(await server.stop()).toBe(0);
  }
  {
    using db = new Database(join(dataDir, "meta.sqlite"));
    db.run("UPDATE generation SET model_revision = 'of-an-older-version'");
  }
  await using server = await startServer({ dataDir });
  const hits = await search(server, storeId, { query: "which river carries water" });
  expect(hits.length).toBeGreaterThan(0);
  const migration = await waitFor("a migration was begun", async () => {
    const page = await json<{ data: MigrationState[] }>(server, "GET", `/v1/vector_stores/${storeId}/migrations`);
    return page.data[0];
  });
  expect(await migrationEnd(server, storeId, migration.id)).toMatchObject({ status: "completed", last_error: null });
  expect(await ask(server, storeId, "which river")).toEqual({ generation: "2", hits: before });
}, 180_000);
