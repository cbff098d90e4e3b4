import { describe, expect, test } from "bun:test";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";
import type { StoreApp, StoreAppOptions } from "../../app/testing/store-app.ts";
import type { NewKey } from "../../storage/keys.ts";
import { createChanges } from "../../platform/changes.ts";
import { FilesProgress } from "./progress.ts";
import { Watches } from "../following/watches.ts";
import { ALL_FILES } from "../../storage/store-files.ts";

const ADMIN = { authorization: `Bearer ${KEYS.admin}` };
const FOLLOWER = "sk-test-follower-0123456789";

/** A store with a batch in progress, and its events' address. */
async function followed(options: StoreAppOptions = {}, key: Partial<NewKey> = {}) {
  const f = await storeApp(options);
  await f.addKey(FOLLOWER, { id: "key_follower", role: "read", ...key });
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const file = await f.file();
  const body = { file_ids: [file] };
  const batch = (await f.call("POST", `/v1/vector_stores/${store}/file_batches`, body)).json.id as string;
  const path = `/v1/vector_stores/${store}/file_batches/${batch}/events`;
  const follow = (key = FOLLOWER) => f.request("GET", path, undefined, { authorization: `Bearer ${key}` });
  return { f, store, file, batch, path, follow };
}

const textOf = async (response: Response) => await response.text();
/** The first event, and the rest of the stream. */
async function firstOf(response: Response) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let first = "";
  while (!first.includes("\n\n")) first += decoder.decode((await reader.read()).value);
  const rest = async () => {
    let text = "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += decoder.decode(next.value);
    return text;
  };
  return { first, rest, leave: () => reader.cancel() };
}

describe("a stream ends, with a comment that says why, when", () => {
  const CASES: [string, (f: StoreApp, store: string) => unknown, RegExp][] = [
    [
      "its key is revoked",
      (f) => f.call("DELETE", "/v1/admin/keys/key_follower", undefined, ADMIN),
      /^: Incorrect API/,
    ],
    ["its key expires", (f) => (f.clock.seconds += 3600), /^: Incorrect API key provided: sk-\*\*\*6789/],
    [
      "its key is limited to another store",
      async (f) => {
        const other = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
        await f.call("POST", "/v1/admin/keys/key_follower", { vector_store_ids: [other] }, ADMIN);
      },
      /^: No vector store found with id 'vs_\w+'\n\n$/,
    ],
    [
      "its tenant is suspended",
      (f) => f.storage.tenants.update("ten_a", { status: "suspended" }),
      /^: Vector store 'vs_\w+' is suspended/,
    ],
    [
      "its store is suspended",
      (f, store) => f.call("POST", `/v1/admin/vector_stores/${store}/suspend`, undefined, ADMIN),
      /^: Vector store 'vs_\w+' is suspended/,
    ],
    [
      "its store is deleted",
      (f, store) => f.call("DELETE", `/v1/vector_stores/${store}`),
      /^: No vector store found with id 'vs_\w+'\n\n$/,
    ],
  ];
  test.each(CASES)("%s", async (_, act, why) => {
    const { f, store, follow } = await followed({}, { expiresAt: 1_800_003_600 });
    await using _kit = f;
    const { first, rest } = await firstOf(await follow());
    expect(first).toStartWith("event: progress\n");
    await act(f, store);
    expect(await rest()).toMatch(why);
    expect(f.app.inFlight()).toBe(0);
  });
});

test("the deletion of its tenant ends a stream, and leaves no word of it", async () => {
  const { f, follow } = await followed();
  await using _kit = f;
  const key = { authorization: `Bearer ${KEYS.other}` };
  const store = (await f.call("POST", "/v1/vector_stores", {}, key)).json.id as string;
  await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file("b.txt", "ten_b") }, key);
  const { rest } = await firstOf(await f.request("GET", `/v1/vector_stores/${store}/events`, undefined, key));
  const mine = await firstOf(await follow());
  expect((await f.call("DELETE", "/v1/admin/tenants/ten_b", undefined, ADMIN)).status).toBe(200);
  expect(await rest()).toMatch(/^: /);
  await mine.leave();
});

test("a held poll is refused when its key is revoked", async () => {
  const { f, store, file } = await followed();
  await using _kit = f;
  const asked = { authorization: `Bearer ${FOLLOWER}`, "x-stainless-poll-helper": "true" };
  const held = f.call("GET", `/v1/vector_stores/${store}/files/${file}`, undefined, asked);
  await f.call("DELETE", "/v1/admin/keys/key_follower", undefined, ADMIN);
  expect((await held).status).toBe(401);
});

describe("streams at the same time", () => {
  test("of a key and of a tenant are bounded, whatever else they ask", async () => {
    const { f, follow } = await followed({ maxStreams: { perKey: 2, perTenant: 3 } });
    await using _kit = f;
    const open = [await follow(), await follow()];
    const third = await follow();
    expect([third.status, third.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await third.text()).toContain("this key may have 2 open");
    open.push(await follow(WRITER));
    const fourth = await follow(WRITER);
    expect([fourth.status, (await fourth.text()).includes("this organisation may have 3 open")]).toEqual([429, true]);
    await open[0]?.body?.cancel();
    expect((await follow(WRITER)).status).toBe(200);
  });

  test("keep their places among the requests of their key until they end", async () => {
    const { f, follow, store, file } = await followed({ maxRequestsPerKey: 1 });
    await using _kit = f;
    const stream = await firstOf(await follow());
    expect(f.app.inFlight()).toBe(1);
    expect((await follow()).status).toBe(429);
    await f.finish(store, file, ["x"]);
    expect(await stream.rest()).toContain("event: done");
    expect(f.app.inFlight()).toBe(0);
    const again = await follow();
    expect([again.status, await textOf(again)]).toEqual([200, expect.stringContaining("event: done")] as never);
  });

  test("tell one that comes later all there is, then the same as the others", async () => {
    const { f, follow, store, file } = await followed();
    await using _kit = f;
    const one = await firstOf(await follow());
    const two = await firstOf(await follow());
    expect(two.first).toContain(`"id":"${file}","status":"in_progress"`);
    await f.finish(store, file, ["x"]);
    const [a, b] = await Promise.all([one.rest(), two.rest()]);
    expect(a).toContain(`"files":[{"id":"${file}","status":"completed","progress":null}]`);
    expect(b).toBe(a);
  });
});

const WRITER = KEYS.write;

describe("a watch", () => {
  const subject = (look: () => void) => ({
    key: "k",
    storeId: "vs_1",
    leastMs: 0,
    mostMs: 60_000,
    eachMs: 0,
    look: async () => (look(), { seen: null, isLast: false }),
  });

  test("looks once for all who follow, and ends with the last of them", async () => {
    const changes = createChanges();
    const watches = new Watches(changes);
    let looks = 0;
    const told = Promise.withResolvers<void>();
    const seen: number[] = [];
    const leave = Array.from({ length: 100 }, (_, i) =>
      watches.follow(
        subject(() => (looks += 1)),
        () => {
          seen.push(i);
          if (seen.length === 200) told.resolve();
        },
      ),
    );
    while (seen.length < 100) await new Promise(setImmediate);
    expect(looks).toBe(1);
    // Woken again only once it waits.
    const timer = setInterval(() => changes.notify("vs_1"), 1);
    await told.promise;
    clearInterval(timer);
    expect(looks).toBeLessThan(5);
    for (const go of leave) go();
    expect(watches.size).toBe(0);
  });

  test("goes on after a look that failed", async () => {
    const changes = createChanges();
    const watches = new Watches(changes);
    let looks = 0;
    const told = Promise.withResolvers<void>();
    const failing = subject(() => {
      looks += 1;
      if (looks === 1) throw new Error("the disk");
    });
    const leave = watches.follow(failing, () => told.resolve());
    const timer = setInterval(() => changes.notify("vs_1"), 1);
    await told.promise;
    clearInterval(timer);
    leave();
    expect(watches.size).toBe(0);
  });
});

test("of many files each is told once, a thousand in an event, and later only what changed", async () => {
  const { f, store } = await followed();
  await using _kit = f;
  const row = await f.storage.stores.get("ten_a", store);
  if (row === null) throw new Error("no store");
  const template = (await f.storage.storeFiles.list("ten_a", store, { limit: 1, order: "asc" }, ALL_FILES)).rows[0];
  if (template === undefined) throw new Error("no file");
  const rows = Array.from({ length: 2500 }, (_, i) => ({ ...template, seq: i + 1, file_id: `file-${i + 1}` }));
  let asked: readonly number[] = [];
  const counts = { in_progress: rows.length, completed: 0, failed: 0, cancelled: 0, total: rows.length };
  const progress = new FilesProgress({
    storeId: store,
    batchId: "vsfb_1",
    forgetsEnded: false,
    tellsCounts: false,
    counts: async () => counts,
    all: async () => rows,
    inProgress: async () => rows.filter((one) => one.status === "in_progress").map(({ seq }) => seq),
    rows: async (seqs) => rows.filter(({ seq }) => (asked = seqs).includes(seq)),
    progress: { fresh: () => Promise.resolve(), get: () => null },
  });
  await progress.look(row);
  const filesOf = (bytes: Uint8Array | undefined): string[] =>
    JSON.parse(new TextDecoder().decode(bytes).split("data: ")[1] ?? "{}").files.map(({ id }: { id: string }) => id);
  const told: string[] = [];
  let upTo = 0;
  for (let next = progress.eventAfter(upTo); next !== null; next = progress.eventAfter(upTo)) {
    told.push(...filesOf(next.bytes));
    upTo = next.upTo;
  }
  expect(told).toEqual(rows.map((one) => one.file_id));
  rows[7] = { ...template, seq: 8, file_id: "file-8", status: "completed", n_chunks: 3 };
  await progress.look({ ...row, n_completed: 1 });
  expect(asked).toEqual([8]);
  expect(filesOf(progress.eventAfter(upTo)?.bytes)).toEqual(["file-8"]);
  // Whoever was told the same is given the same bytes.
  expect(progress.eventAfter(upTo)?.bytes).toBe(progress.eventAfter(upTo)?.bytes as Uint8Array<ArrayBuffer>);
});
