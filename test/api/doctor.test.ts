/** `lectern doctor` looks into a data directory that nobody uses, and with `--fix` removes what can be made again. */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { addText, newStore, search } from "../helpers/api.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

test("a sound directory is told so, and without its caches answers the same", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  let storeId: string;
  {
    await using server = await startServer({ dataDir });
    storeId = await newStore(server);
    await addText(server, storeId, "a.txt", "A page about lighthouses.");
    const inUse = await runLectern(["doctor", "--data", dataDir, "--fix"]);
    expect([inUse.status, inUse.out]).toEqual([1, expect.stringMatching(/^fail {2}fix .* stop the server first/m)]);
    expect(await server.stop()).toBe(0);
  }
  const sound = await runLectern(["doctor", "--data", dataDir]);
  expect({ status: sound.status, out: sound.out }).toEqual({
    status: 0,
    out: expect.stringMatching(/^ok {4}database +1 stores, 1 files.*\nok {4}models +.*\nok {4}indexes +/m),
  });
  expect((await runLectern(["doctor", "--data", dataDir, "--fix"])).status).toBe(0);
  expect(["stores", "parsed", "native"].filter((name) => existsSync(dir.join("data", name)))).toEqual([]);
  await using server = await startServer({ dataDir });
  expect(await search(server, storeId, { query: "lighthouses" })).toHaveLength(1);
}, 180_000);

test("missing bytes, wrong counts, a broken model and a file that is no database are named", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  {
    await using server = await startServer({ dataDir });
    await addText(server, await newStore(server), "a.txt", "A page about lighthouses.");
    expect(await server.stop()).toBe(0);
  }
  {
    using db = new Database(dir.join("data/meta.sqlite"));
    db.run("UPDATE vector_store SET n_failed = 7");
    db.run("UPDATE file SET id = 'file-gone'");
  }
  mkdirSync(dir.join("data/models/half"), { recursive: true });
  writeFileSync(dir.join("data/models/half/config.json"), "{");
  const bad = await runLectern(["doctor", "--data", dataDir]);
  expect(bad.status).toBe(1);
  expect(bad.out).toMatch(/^fail {2}database +1 stores have wrong counts; the bytes of 1 files are missing/m);
  expect(bad.out).toMatch(/^warn {2}models +half: /m);
  writeFileSync(dir.join("data/meta.sqlite"), "no database at all ".repeat(500));
  expect((await runLectern(["doctor", "--data", dataDir])).out).toMatch(/^fail {2}database +cannot be read/m);
}, 180_000);
