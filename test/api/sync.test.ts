/**
 * `lectern sync --watch` on the compiled binary against a real server. LECTERN_TEST_SYNC_FILES sets how many files the
 * folder of the last test holds: 200 unless set, 10000 for the size that is promised.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { json, search } from "../helpers/api.ts";
import { LECTERN, plainEnv, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Line {
  object: string;
  path?: string;
  status?: string;
  from?: string;
  file_id?: string;
  store_id?: string;
  by?: string;
}

/** A `sync --watch` that runs; what it has said so far. */
async function watching(folder: string, store: string, more: { cmd?: string[]; args?: string[] } = {}) {
  const child = Bun.spawn({
    cmd: [...(more.cmd ?? []), ...LECTERN, "sync", folder, "--store", store, "--watch", "--json", ...(more.args ?? [])],
    env: plainEnv({ LECTERN_URL: server.url, LECTERN_API_KEY: server.key }),
    stdout: "pipe",
    stderr: "inherit",
  });
  let text = "";
  const read = (async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) text += piece;
  })();
  const lines = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  const said = (what: Partial<Line>) =>
    waitFor(`sync says ${JSON.stringify(what)} after ${text}`, () =>
      lines().find((line) => Object.entries(what).every(([key, value]) => line[key as keyof Line] === value)),
    );
  const { store_id: storeId = "", by } = await said({ object: "sync.watching" });
  return {
    storeId,
    by,
    lines,
    said,
    pid: child.pid,
    async stop(signal: NodeJS.Signals = "SIGTERM") {
      child.kill(signal);
      const status = await child.exited;
      await read;
      return status;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function found(storeId: string, query: string): Promise<string[]> {
  const hits = await search(server, storeId, { query, max_num_results: 50, search_mode: "keyword" });
  return hits.map((hit) => String(hit.attributes?.["path"]));
}

test("what is written, replaced, moved and deleted is so in the store; temporary files are not", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("docs/deep"), { recursive: true });
  writeFileSync(dir.join("docs/alder.md"), "Alders stand in water.");
  writeFileSync(dir.join("docs/deep/birch.md"), "Birches are white.");
  await using sync = await watching(dir.join("docs"), "watched");
  expect(sync.by).toBe("reports");

  writeFileSync(dir.join("docs/notes.md.tmp"), "Temporary.");
  writeFileSync(dir.join("docs/.hidden.md"), "Hidden.");
  mkdirSync(dir.join("docs/new/folder"), { recursive: true });
  writeFileSync(dir.join("docs/new/folder/cedar.md"), "Cedars come from Lebanon.");
  await sync.said({ path: "docs/new/folder/cedar.md", status: "indexed" });
  expect(await found(sync.storeId, "Lebanon")).toEqual(["docs/new/folder/cedar.md"]);

  // As editors do: the new text under another name, then in the place of the old one.
  writeFileSync(dir.join("docs/.alder.md.swp"), "Alders stand in rivers.");
  renameSync(dir.join("docs/.alder.md.swp"), dir.join("docs/alder.md"));
  await waitFor("the new text is found", async () =>
    (await found(sync.storeId, "rivers")).length > 0 ? true : undefined,
  );
  // The old text is searchable until the new one is.
  await waitFor("the old text is gone", async () =>
    (await found(sync.storeId, "water")).length === 0 ? true : undefined,
  );

  const before = (await json<{ data: { id: string }[] }>(server, "GET", "/v1/files?limit=100")).data.map(
    ({ id }) => id,
  );
  renameSync(dir.join("docs/deep"), dir.join("docs/shallow"));
  await sync.said({ path: "docs/shallow/birch.md", status: "moved", from: "docs/deep/birch.md" });
  expect(await found(sync.storeId, "birches")).toEqual(["docs/shallow/birch.md"]);
  const after = (await json<{ data: { id: string }[] }>(server, "GET", "/v1/files?limit=100")).data.map(({ id }) => id);
  expect(after.toSorted()).toEqual(before.toSorted());

  rmSync(dir.join("docs/new"), { recursive: true });
  await sync.said({ path: "docs/new/folder/cedar.md", status: "removed" });
  expect(await found(sync.storeId, "Lebanon")).toEqual([]);
  expect(await sync.stop("SIGINT")).toBe(0);
  expect(sync.lines().at(-1)).toMatchObject({ object: "sync.stopped", moved: 1, removed: 1, failed: 0 });
  expect(sync.lines().filter(({ path = "" }) => /tmp|hidden|swp/.test(path))).toEqual([]);
}, 240_000);

test("a folder that goes away takes nothing out of the store, and is followed again when it is back", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("docs"));
  writeFileSync(dir.join("docs/alder.md"), "Alders stand in water.");
  await using sync = await watching(dir.join("docs"), "away");
  renameSync(dir.join("docs"), dir.join("elsewhere"));
  mkdirSync(dir.join("docs"));
  writeFileSync(dir.join("docs/birch.md"), "Birches are white.");
  await sync.said({ path: "docs/birch.md", status: "indexed" });
  rmSync(dir.join("docs"), { recursive: true });
  renameSync(dir.join("elsewhere"), dir.join("docs"));
  writeFileSync(dir.join("docs/cedar.md"), "Cedars come from Lebanon.");
  await sync.said({ path: "docs/cedar.md", status: "indexed" });
  expect(await sync.stop()).toBe(0);
}, 240_000);

const FILES = Number(process.env["LECTERN_TEST_SYNC_FILES"] ?? 200);

test(`in a folder of ${FILES} files a burst is taken over whole, and one change for itself`, async () => {
  using dir = tempDir();
  for (let i = 0; i < FILES; i++) {
    mkdirSync(dir.join(`docs/d${i % 20}`), { recursive: true });
    writeFileSync(dir.join(`docs/d${i % 20}/n${i}.md`), `Note ${i} of the word${i}.`);
  }
  await using sync = await watching(dir.join("docs"), "many");
  writeFileSync(dir.join("docs/d3/n3.md"), "A single change about tamarisks.");
  await waitFor("the change is found", async () =>
    (await found(sync.storeId, "tamarisks")).length > 0 ? true : undefined,
  );
  for (let i = 0; i < 50; i++) writeFileSync(dir.join(`docs/d${i % 20}/burst${i}.md`), `Burst ${i}.`);
  for (let i = 0; i < 50; i++) await sync.said({ path: `docs/d${i % 20}/burst${i}.md`, status: "indexed" });
  const store = await json<{ file_counts: object }>(server, "GET", `/v1/vector_stores/${sync.storeId}`);
  expect(store.file_counts).toMatchObject({ total: FILES + 50, failed: 0 });
  expect(await sync.stop()).toBe(0);
}, 240_000);
