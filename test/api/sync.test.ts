/**
 * `lectern sync --watch` on the compiled binary against a real server. LECTERN_TEST_SYNC_FILES sets how many files the
 * folder of the last test holds: 200 unless set, 10000 for the size that is promised.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { json, search } from "../helpers/api.ts";
import { LECTERN, plainEnv, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { memoryOf } from "../helpers/process-memory.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const FILES = Number(process.env["LECTERN_TEST_SYNC_FILES"] ?? 200);
const IS_FULL = FILES >= 10_000;
/** To index all of it, on a machine that has other work. */
const PATIENCE_MS = IS_FULL ? 900_000 : 100_000;

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
    stderr: "ignore",
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
    waitFor(
      `sync says ${JSON.stringify(what)} after ${text}`,
      () => lines().find((line) => Object.entries(what).every(([key, value]) => line[key as keyof Line] === value)),
      PATIENCE_MS,
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

/** Changes one after the other, and what each may take until it is found. */
const CHANGES = IS_FULL ? 20 : 5;
const MOST_MS = 2000;
const BURST = IS_FULL ? 1000 : 50;
const FOLDERS = 20;
/** A word of letters alone: a number in it would be found by itself. */
const wordOf = (i: number) => `tamarisk${String.fromCharCode(97 + i)}`;
/** What the command may grow by while the burst goes through. */
const MOST_GROWTH = 64 * 2 ** 20;

test(
  `in a folder of ${FILES} files a change is soon found, a burst is taken over whole, and what moved is not indexed again`,
  async () => {
    using dir = tempDir();
    for (let i = 0; i < FILES; i++) {
      mkdirSync(dir.join(`docs/d${i % FOLDERS}`), { recursive: true });
      writeFileSync(dir.join(`docs/d${i % FOLDERS}/n${i}.md`), `Note ${i} of the word${i}.`);
    }
    await using sync = await watching(dir.join("docs"), "many");
    const times: number[] = [];
    for (let i = 0; i < CHANGES; i++) {
      const word = wordOf(i);
      const startedAt = performance.now();
      writeFileSync(dir.join(`docs/d${i}/n${i}.md`), `A single change about ${word}.`);
      await waitFor("the change is found", async () =>
        (await found(sync.storeId, word)).includes(`docs/d${i}/n${i}.md`) ? true : undefined,
      );
      times.push(performance.now() - startedAt);
    }
    const before = memoryOf(sync.pid).residentBytes;
    for (let i = 0; i < BURST; i++) writeFileSync(dir.join(`docs/d${i % FOLDERS}/burst${i}.md`), `Burst ${i}.`);
    for (let i = 0; i < BURST; i++) await sync.said({ path: `docs/d${i % FOLDERS}/burst${i}.md`, status: "indexed" });
    const grown = memoryOf(sync.pid).residentBytes - before;

    const moved = Math.ceil(FILES / FOLDERS) + Math.ceil(BURST / FOLDERS);
    const uploaded = () => sync.lines().filter(({ status }) => status === "indexed").length;
    const indexedBefore = uploaded();
    renameSync(dir.join("docs/d0"), dir.join("docs/elsewhere"));
    await waitFor(
      "the folder has moved",
      () => (sync.lines().filter(({ status }) => status === "moved").length >= moved ? true : undefined),
      PATIENCE_MS,
    );
    const attributes = { type: "eq", key: "path", value: "docs/elsewhere/n0.md" };
    const [hit] = await search(server, sync.storeId, { query: wordOf(0), search_mode: "keyword", filters: attributes });
    expect(hit?.attributes).toMatchObject({ path: "docs/elsewhere/n0.md" });
    expect(uploaded()).toBe(indexedBefore);
    const store = await json<{ file_counts: object }>(server, "GET", `/v1/vector_stores/${sync.storeId}`);
    expect(store.file_counts).toMatchObject({ total: FILES + BURST, failed: 0 });
    const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Infinity;
    console.log(
      `${FILES} files: ${Math.round(median)} ms (median) from a change to a search that finds it, at most ` +
        `${Math.round(Math.max(...times))}; ${BURST} changes grew the command by ${(grown / 2 ** 20).toFixed(1)} MiB`,
    );
    expect(grown).toBeLessThan(MOST_GROWTH);
    if (IS_FULL) expect(median).toBeLessThan(MOST_MS);
    expect(await sync.stop()).toBe(0);
  },
  2 * PATIENCE_MS + 40_000,
);
