/** A backup taken under load, restored elsewhere, answers as the original; a broken one is refused; a kill leaves none. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { addText, json, newStore, refusal, upload } from "../helpers/api.ts";
import { runLectern, startServer, TEST_KEY, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { buildStore, makeText, QUESTIONS } from "../migrate/corpus.ts";

const QUERIES = 200;

async function answers(server: TestServer, storeId: string): Promise<string[]> {
  const bodies: string[] = [];
  for (let i = 0; i < QUERIES; i++) {
    const query = `${QUESTIONS[i % QUESTIONS.length]} ${1000 + i}`;
    const response = await server.fetch(`/v1/vector_stores/${storeId}/search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, explain: true, search_mode: (["hybrid", "vector", "keyword"] as const)[i % 3] }),
    });
    expect(response.status).toBe(200);
    bodies.push(await response.text());
  }
  return bodies;
}

/** Uploads, attaches and deletes in one store and searches in it until stopped; the names of what was acknowledged. */
function startLoad(server: TestServer, storeId: string) {
  const attached: string[] = [];
  const stopping = new AbortController();
  const work = (async () => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const id = await upload(server, `load-${turn}.txt`, makeText(turn + 500, 5));
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
      attached.push(id);
      if (turn % 5 === 4) {
        const victim = attached.shift();
        if (victim !== undefined) await json(server, "DELETE", `/v1/files/${victim}`);
      }
      await server.fetch(`/v1/vector_stores/${storeId}/search`, {
        method: "POST",
        body: JSON.stringify({ query: "river" }),
      });
    }
  })();
  return {
    attached,
    stop: async () => {
      stopping.abort();
      await work;
    },
  };
}

test("a backup under load is restored to byte-identical answers", async () => {
  using dir = tempDir();
  const file = dir.join("backup.tar");
  const dataDir = dir.join("data");
  await using original = await startServer({ dataDir });
  const quiet = await buildStore(original, { files: 5, chunksEach: 40 });
  const busy = await newStore(original);
  const before = await answers(original, quiet);
  const load = startLoad(original, busy);
  await waitFor("the load has begun", () => (load.attached.length > 5 ? true : undefined));
  const acknowledged = [...load.attached];
  const taken = await runLectern(["backup", file, "--url", original.url, "--key", TEST_KEY]);
  expect({ status: taken.status, err: taken.err }).toMatchObject({ status: 0 });
  await load.stop();

  const restored = await runLectern(["restore", file, "--data", dir.join("copy")]);
  expect({ status: restored.status, err: restored.err }).toMatchObject({ status: 0 });
  await using copy = await startServer({ dataDir: dir.join("copy") });
  expect(await answers(copy, quiet)).toEqual(before);
  // What the client had been told before the backup began, less what was deleted since, is there and gets ready.
  const deletedSince = new Set(acknowledged.filter((id) => !load.attached.includes(id)));
  for (const id of acknowledged.filter((known) => !deletedSince.has(known))) {
    const state = await waitFor("the file is indexed", async () => {
      const { status } = await json<{ status: string }>(copy, "GET", `/v1/vector_stores/${busy}/files/${id}`);
      return status === "in_progress" ? undefined : status;
    });
    expect(state).toBe("completed");
  }
  const again = await runLectern(["restore", file, "--data", dir.join("copy")]);
  expect([again.status, again.err]).toEqual([1, expect.stringContaining("is not empty")]);
}, 120_000);

test("a damaged or cut backup is refused before anything is written", async () => {
  using dir = tempDir();
  const file = dir.join("backup.tar");
  await using server = await startServer({ dataDir: dir.join("data") });
  await addText(server, await newStore(server), "a.txt", "A page about lighthouses.");
  expect((await runLectern(["backup", file, "--url", server.url, "--key", TEST_KEY])).status).toBe(0);
  const good = readFileSync(file);
  const flipped = Uint8Array.from(good);
  flipped[20_000] = (flipped[20_000] ?? 0) ^ 1;
  for (const bad of [
    flipped,
    good.subarray(0, good.byteLength / 2),
    new Uint8Array(),
    new TextEncoder().encode("no backup at all"),
  ]) {
    writeFileSync(file, bad);
    const result = await runLectern(["restore", file, "--data", dir.join("copy")]);
    expect([result.status, result.err]).toEqual([1, expect.stringContaining("cannot be restored")]);
    expect([existsSync(dir.join("copy")), existsSync(dir.join("copy.restoring"))]).toEqual([false, false]);
  }
}, 180_000);

test("a server killed in the middle of a backup leaves no backup and comes back whole", async () => {
  using dir = tempDir();
  const file = dir.join("backup.tar");
  let storeId: string;
  {
    await using server = await startServer({ dataDir: dir.join("data") });
    storeId = await newStore(server);
    await addText(server, storeId, "a.txt", "A page about lighthouses.");
    await upload(server, "large.bin", new Blob([new Uint8Array(64 * 1024 * 1024)]));
    const taking = runLectern(["backup", file, "--url", server.url, "--key", TEST_KEY]);
    await waitFor("the backup has begun", () => (existsSync(`${file}.partial`) ? true : undefined));
    await server.kill();
    const result = await taking;
    // Either it broke off, or it was whole already: never a half one under its name.
    if (result.status === 0) expect((await runLectern(["restore", file, "--check"])).status).toBe(0);
    else expect([existsSync(file), existsSync(`${file}.partial`)]).toEqual([false, false]);
  }
  await using server = await startServer({ dataDir: dir.join("data") });
  const page = await json<{ data: unknown[] }>(server, "POST", `/v1/vector_stores/${storeId}/search`, {
    query: "lighthouses",
  });
  expect(page.data).toHaveLength(1);
  expect((await runLectern(["backup", file, "--url", server.url, "--key", TEST_KEY])).status).toBe(0);
}, 180_000);

test("a backup is the operator's alone", async () => {
  await using server = await startServer();
  expect(await refusal(server, "GET", "/v1/admin/backup", undefined, { authorization: "Bearer wrong" })).toMatchObject({
    status: 401,
  });
});
