/**
 * Nothing is kept of a request that is over. Operations of each kind are done so often, in a server within this process, and
 * what is alive afterwards is counted: an object for every operation, or some bytes of each, is a leak, however slowly it
 * shows in a server's memory. KEPT_OPERATIONS=10000 does that many of each and prints what each leaves, resident memory too.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { heapStats } from "bun:jsc";
import { createContext, type Context } from "../../src/app/context.ts";
import { readConfig } from "../../src/config/config.ts";
import { silentLog } from "../../src/platform/log.ts";
import { type Asking, asking } from "../helpers/asking.ts";
import { TEST_DEFAULT_MODEL, TEST_KEY } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const OPERATIONS = Number(process.env["KEPT_OPERATIONS"] ?? 400);
const AT_ONCE = 4;
/** Times that operations are looked at which seem to leave something. */
const LOOKS = 3;
/** Compiled code, and what is made at the first use. Of objects also half of one for each operation. */
const MOST_BESIDE = { objects: 300, bytes: 3 * 2 ** 20, residentBytes: 48 * 2 ** 20 };

interface Kind {
  name: string;
  run(n: number): Promise<void>;
  /** Objects of an operation that are remembered by design, up to a bound that this test does not reach. */
  remembered?: number;
  /** Of one that takes long, only a part as many. */
  part?: number;
}

let context: Context;
let server: Asking;
let store: string;
const dir = tempDir();

beforeAll(async () => {
  const argv = [
    "--data",
    dir.join("data"),
    "--port",
    "0",
    "--api-key",
    TEST_KEY,
    "--default-model",
    TEST_DEFAULT_MODEL,
  ];
  // Small, so that it is full after the first operations.
  const config = readConfig({
    argv: [...argv, "--query-cache-entries", "10", "--parse-workers", "1"],
    env: {},
    machine: { cpus: 2 },
    readFile: () => "",
  });
  context = await createContext(config, { log: silentLog, flush: false });
  server = asking((await context.start()).url, TEST_KEY);
  store = await made("/v1/vector_stores", { name: "kept" });
  await indexed(store, "The refund of an order is paid within fourteen days.");
}, 120_000);
afterAll(async () => {
  await context[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

async function ask(status: number, method: string, path: string, body?: unknown): Promise<string> {
  const init: RequestInit = { method };
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined)
    Object.assign(init, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const response = await server.fetch(path, init);
  const text = await response.text();
  if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text;
}

async function made(path: string, body: unknown): Promise<string> {
  return (JSON.parse(await ask(200, "POST", path, body)) as { id: string }).id;
}

function sent(text: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new Blob([text]), "note.txt");
  return made("/v1/files", form);
}

async function indexed(into: string, text: string): Promise<string> {
  const file = await sent(text);
  await ask(200, "POST", `/v1/vector_stores/${into}/files`, { file_id: file });
  await waitFor("the file is read", async () => {
    const told = JSON.parse(await ask(200, "GET", `/v1/vector_stores/${into}/files/${file}`)) as { status: string };
    return told.status === "in_progress" ? undefined : true;
  });
  return file;
}

/** Made and deleted again. */
const comes = (name: string, path: string, body: unknown, more: Partial<Kind> = {}): Kind => ({
  name,
  run: async () => void (await ask(200, "DELETE", `${path}/${await made(path, body)}`)),
  ...more,
});

const KINDS: readonly Kind[] = [
  {
    name: "searches by words",
    run: async (n) =>
      void (await ask(200, "POST", `/v1/vector_stores/${store}/search`, {
        query: `refund ${n % 50}`,
        search_mode: "keyword",
      })),
  },
  {
    name: "searches by words and meaning",
    run: async (n) =>
      void (await ask(200, "POST", `/v1/vector_stores/${store}/search`, { query: `when is order ${n % 50} paid` })),
  },
  {
    name: "filtered searches",
    run: async (n) =>
      void (await ask(200, "POST", `/v1/vector_stores/${store}/search`, {
        query: "refund",
        filters: { type: "eq", key: "year", value: n },
      })),
  },
  {
    name: "embeddings",
    run: async (n) =>
      void (await ask(200, "POST", "/v1/embeddings", { model: TEST_DEFAULT_MODEL, input: `text ${n}` })),
  },
  { name: "lists", run: async () => void (await ask(200, "GET", "/v1/vector_stores")) },
  // Deleted stores are remembered, 10,000 of them.
  comes("stores", "/v1/vector_stores", { name: "short" }, { remembered: 2 }),
  { name: "uploads", run: async (n) => void (await ask(200, "DELETE", `/v1/files/${await sent(`note ${n}`)}`)) },
  comes("conversations", "/v1/conversations", {}),
  comes("assistants", "/v1/assistants", { model: "lectern-extractive" }),
  comes("threads", "/v1/threads", {}),
  comes("keys", "/v1/admin/keys", { name: "short", role: "read" }),
  {
    name: "answers",
    run: async () => {
      const tools = [{ type: "file_search", vector_store_ids: [store] }];
      const body = { model: "lectern-extractive", input: "When is a refund paid?", tools };
      await ask(200, "DELETE", `/v1/responses/${await made("/v1/responses", body)}`);
    },
  },
  {
    name: "refusals",
    run: async (n) => {
      await ask(404, "GET", `/v1/files/file-${n}`);
      await ask(404, "GET", `/nothing/${n}`);
      await ask(404, "POST", "/v1/embeddings", { model: `no-model-${n}`, input: "x" });
      await ask(400, "POST", "/v1/vector_stores", { name: n });
      const response = await fetch(`${server.url}/v1/files`, { headers: { authorization: `Bearer sk-${n}` } });
      const text = await response.text();
      // 600 a minute are looked up for one address.
      if (response.status !== 401 && response.status !== 429)
        throw new Error(`a wrong key: ${response.status} ${text}`);
    },
  },
  {
    name: "files read, found and deleted",
    part: 0.25,
    run: async (n) => {
      const file = await indexed(store, `The number ${n} is on the list.`);
      await ask(200, "POST", `/v1/vector_stores/${store}/search`, { query: `number ${n % 50}` });
      await ask(200, "DELETE", `/v1/files/${file}`);
    },
  },
];

async function times(kind: Kind, count: number): Promise<void> {
  let n = 0;
  const client = async () => {
    while (n < count) await kind.run(n++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

/** What is alive: collected until two looks are the same, since what waits for its end is not garbage yet. */
async function alive() {
  // Searches are written down in groups; whoever reads the log has those written that wait.
  await ask(200, "GET", `/v1/vector_stores/${store}/queries?limit=1`);
  let before = Infinity;
  const settled = await waitFor("nothing more is collected", async () => {
    Bun.gc(true);
    const { objectCount, heapSize, extraMemorySize, objectTypeCounts } = heapStats();
    const isSettled = Math.abs(objectCount - before) < 200;
    before = objectCount;
    return isSettled ? { objects: objectCount, bytes: heapSize + extraMemorySize, types: objectTypeCounts } : undefined;
  });
  return { ...settled, residentBytes: process.memoryUsage.rss() };
}

test.each(KINDS)(
  "$name keep nothing",
  async (kind) => {
    const count = Math.ceil(OPERATIONS * (kind.part ?? 1));
    // As often before as afterwards: what is compiled, and what is filled, is by then.
    await times(kind, count);
    let said = "";
    let before = await alive();
    // What is made once, at whatever time, is there once: a leak grows each time.
    for (let look = 0; look < LOOKS; look++) {
      await times(kind, count);
      const after = await alive();
      said = keptOf(kind, count, before, after);
      if (said === "") return;
      before = after;
    }
    expect(said).toBe("");
  },
  3_600_000,
);

type Alive = Awaited<ReturnType<typeof alive>>;

/** What so many operations left, in words; empty where it is nothing. */
function keptOf(kind: Kind, count: number, before: Alive, after: Alive): string {
  const grown = {
    objects: after.objects - before.objects,
    bytes: after.bytes - before.bytes,
    residentBytes: after.residentBytes - before.residentBytes,
  };
  const types = Object.entries(after.types).map(([type, n]) => [type, n - (before.types[type] ?? 0)] as const);
  const most = types
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, 5)
    .map(([type, n]) => `${type} ${n}`)
    .join(", ");
  const said = `${count} ${kind.name}: ${grown.objects} objects, ${(grown.bytes / 2 ** 10).toFixed(0)} KiB, resident ${(grown.residentBytes / 2 ** 20).toFixed(1)} MiB (${most})`;
  if (process.env["KEPT_OPERATIONS"] !== undefined) console.log(said);
  const isKept =
    grown.objects - (kind.remembered ?? 0) * count > Math.max(MOST_BESIDE.objects, count / 2) ||
    grown.bytes > MOST_BESIDE.bytes ||
    grown.residentBytes > MOST_BESIDE.residentBytes;
  return isKept ? said : "";
}
