/**
 * Another tenant's things cannot be told from things that never were: every operation of the route table is asked with
 * tenant B's keys about tenant A's ids and about random ones, and must answer the same to both.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { allOperations } from "../../src/api/testing/all-operations.ts";
import type { OperationSpec } from "../../src/http/operation.ts";
import { addText, json, newStore, search, settled, upload } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";

const SECRET = "tenantasecretword";
/** Path parameters that name what every tenant shares. */
const SHARED = new Set(["model", "deployment"]);

type Ids = Record<string, string>;

let server: TestServer;
let a: TestServer;
let ids: Ids;
let b: Record<"write" | "admin" | "restricted", TestServer>;
let own: { store: string; file: string };

beforeAll(async () => {
  server = await startServer();
  const [tenantA, tenantB] = [await newTenant(server, "A"), await newTenant(server, "B")];
  const keyA = await newKey(server, { tenant_id: tenantA, role: "admin" });
  a = as(server, keyA.key);
  const store = await newStore(a, { name: `${SECRET} store` });
  const file = await addText(a, store, `${SECRET}.txt`, `All about ${SECRET}.`);
  await search(a, store, { query: SECRET });
  const second = await upload(a, "second.txt", "more");
  const batch = await json<{ id: string }>(a, "POST", `/v1/vector_stores/${store}/file_batches`, {
    file_ids: [second],
  });
  await settled(a, store, second);
  const pending = await json<{ id: string }>(a, "POST", "/v1/uploads", {
    filename: "x.txt",
    purpose: "assistants",
    bytes: 3,
    mime_type: "text/plain",
  });
  const part = new FormData();
  part.set("data", new Blob(["abc"]));
  const partAnswer = await a.fetch(`/v1/uploads/${pending.id}/parts`, { method: "POST", body: part });
  const migration = await json<{ id: string }>(a, "POST", `/v1/vector_stores/${store}/migrate`, {
    embedding_model: "lectern-embed-en",
    dimensions: 64,
    dry_run: true,
  });
  const gone = await upload(a, "gone.txt", "gone");
  await json(a, "DELETE", `/v1/files/${gone}`);
  const judged = await json<{ first_id: string }>(a, "POST", `/v1/vector_stores/${store}/judgments`, {
    judgments: [{ query: SECRET, relevant: [{ file_id: file }] }],
  });
  const answer = await json<{ id: string }>(a, "POST", "/v1/responses", {
    input: SECRET,
    tools: [{ type: "file_search", vector_store_ids: [store] }],
  });
  const assistant = await json<{ id: string }>(a, "POST", "/v1/assistants", {
    model: SECRET,
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  const run = await json<{ id: string; thread_id: string }>(a, "POST", "/v1/threads/runs", {
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: SECRET }] },
  });
  const thread = `/v1/threads/${run.thread_id}`;
  await waitFor("the run ends", async () => {
    const { status } = await json<{ status: string }>(a, "GET", `${thread}/runs/${run.id}`);
    return status === "completed" || undefined;
  });
  const conversation = await json<{ id: string }>(a, "POST", "/v1/conversations", {
    items: [{ role: "user", content: SECRET }],
  });
  const evaluation = await json<{ id: string }>(a, "POST", `/v1/vector_stores/${store}/evals`, {});
  const first = async (path: string) => (await json<{ data: { id: string }[] }>(a, "GET", path)).data[0]?.id ?? "";
  ids = {
    vector_store_id: store,
    // Another one, so that what an answer repeats is told apart.
    store: await newStore(a, { name: `${SECRET} other` }),
    file_id: file,
    batch_id: batch.id,
    upload_id: pending.id,
    part_id: ((await partAnswer.json()) as { id: string }).id,
    migration_id: migration.id,
    judgment_id: judged.first_id,
    eval_id: evaluation.id,
    tenant_id: tenantA,
    key_id: keyA.id,
    response_id: answer.id,
    assistant_id: assistant.id,
    thread_id: run.thread_id,
    run_id: run.id,
    message_id: await first(`${thread}/messages`),
    step_id: await first(`${thread}/runs/${run.id}/steps`),
    conversation_id: conversation.id,
    item_id: await first(`/v1/conversations/${conversation.id}/items`),
    deletion_id: await first("/v1/admin/deletions"),
    query_id: await first(`/v1/vector_stores/${store}/queries`),
    chunk_id: await first(`/v1/vector_stores/${store}/chunks`),
  };
  const of = async (more: object) => as(server, (await newKey(server, { tenant_id: tenantB, ...more })).key);
  const write = await of({ role: "write" });
  own = { store: await newStore(write), file: await upload(write, "own.txt", "own") };
  b = {
    write,
    admin: await of({ role: "admin" }),
    restricted: await of({ role: "write", vector_store_ids: [own.store] }),
  };
}, 180_000);

afterAll(async () => await server?.[Symbol.asyncDispose]());

const random = seededRandom(runSeed("isolation"));
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** An id of the same kind and length that nobody has. */
function unknown(id: string): string {
  const prefix = /^[a-z]+[-_]/.exec(id)?.[0] ?? "";
  const rest = id.slice(prefix.length);
  if (/^\d+$/.test(rest)) return `${prefix}${1e9 + Math.floor(random() * 1e9)}`;
  const letters = Array.from(rest, () => ALPHABET[Math.floor(random() * ALPHABET.length)]);
  return prefix + letters.join("");
}

interface Seen {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** What a client can see of an answer, with the ids that it asked about and the request's own id left out. */
async function ask(from: TestServer, spec: OperationSpec, path: string, body: unknown, asked: Ids): Promise<Seen> {
  const init: RequestInit = { method: spec.method };
  if (spec.multipart !== undefined) {
    const form = new FormData();
    form.set("purpose", "assistants");
    form.set("data", new Blob(["abc"]), "x.txt");
    init.body = form;
  } else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const response = await from.fetch(path, init);
  const headers = Object.fromEntries(
    [...response.headers].filter(([name]) => !["x-request-id", "openai-processing-ms", "date"].includes(name)),
  );
  let text = await response.text();
  // Only whole ids: a short one may begin like a word of the answer.
  for (const [name, id] of Object.entries(asked))
    text = text.replaceAll(new RegExp(`(?<!\\w)${RegExp.escape(id)}(?!\\w)`, "g"), `<${name}>`);
  return { status: response.status, headers: { ...headers, "content-length": "" }, body: text };
}

function pathParams(spec: OperationSpec): string[] {
  return [...spec.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
}

const fill = (path: string, values: Ids) => path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
/** LibreChat's requests are signed and not made with keys: test/plugs has who sees what there. */
const SIGNED = "/librechat/";
const about = allOperations()
  .map(({ spec }) => spec)
  .filter(({ path }) => !path.startsWith(SIGNED))
  .filter((spec) => pathParams(spec).some((name) => !SHARED.has(name)));

describe("every address that names something", () => {
  test("is covered: no path parameter is unknown to this test", () => {
    const names = new Set(about.flatMap(pathParams));
    expect([...names].filter((name) => !(name in ids))).toEqual([]);
    expect(about.length).toBeGreaterThan(30);
  });

  test.each(about.map((spec) => [`${spec.method} ${spec.path}`, spec] as const))("%s", async (_, spec) => {
    for (const [role, from] of Object.entries(b)) {
      for (const dialect of ["openai", "fightclub", "openai-strict"]) {
        const randomIds = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, unknown(id)]));
        const query = `?dialect=${dialect}`;
        const body = spec.examples?.body;
        const theirs = await ask(from, spec, fill(spec.path, ids) + query, body, ids);
        const nobodys = await ask(from, spec, fill(spec.path, randomIds) + query, body, randomIds);
        expect({ role, dialect, ...theirs }).toEqual({ role, dialect, ...nobodys });
        expect([403, 404]).toContain(theirs.status);
        if (role === "admin" && spec.operatorOnly !== true) expect(theirs.status).toBe(404);
      }
    }
  });

  test("names inside a store of one's own are no different", async () => {
    const inside = about.filter((spec) => pathParams(spec).length > 1);
    expect(inside.length).toBeGreaterThan(8);
    for (const spec of inside) {
      const mine = { ...ids, vector_store_id: own.store };
      const nobodys = Object.fromEntries(Object.entries(mine).map(([name, id]) => [name, unknown(id)]));
      const randomIds: Ids = { ...nobodys, vector_store_id: own.store };
      const body = spec.examples?.body;
      const theirs = await ask(b.write, spec, fill(spec.path, mine), body, mine);
      expect(theirs).toEqual(await ask(b.write, spec, fill(spec.path, randomIds), body, randomIds));
      expect(theirs.status).toBe(404);
    }
  });
});

describe("ids in bodies, filters and cursors", () => {
  const bodies: [method: string, path: string, body: (own: Ids) => unknown][] = [
    ["POST", "/v1/vector_stores", (x) => ({ file_ids: [x["file_id"]] })],
    ["POST", "/v1/vector_stores/OWN/files", (x) => ({ file_id: x["file_id"] })],
    ["POST", "/v1/vector_stores/OWN/file_batches", (x) => ({ file_ids: [x["file_id"]] })],
    ["POST", "/v1/vector_stores/OWN/file_batches", (x) => ({ files: [{ file_id: x["file_id"] }] })],
    ["POST", "/v1/vector_stores/OWN/embeddings", (x) => ({ content: "x", file_id: x["file_id"] })],
    ["POST", "/v1/vector_stores/OWN/search", (x) => ({ query: "own", filters: { file_ids: [x["file_id"]] } })],
    ["GET", "/v1/files?after=ID", (x) => x["file_id"]],
    ["GET", "/v1/vector_stores?after=ID", (x) => x["vector_store_id"]],
    ["GET", "/v1/vector_stores?before=ID", (x) => x["vector_store_id"]],
    ["GET", "/v1/vector_stores/OWN/files?after=ID", (x) => x["file_id"]],
    ["GET", "/v1/vector_stores/OWN/migrations?after=ID", (x) => x["migration_id"]],
    ["GET", "/v1/vector_stores/OWN/judgments?after=ID", (x) => x["judgment_id"]],
    ["GET", "/v1/vector_stores/OWN/evals?after=ID", (x) => x["eval_id"]],
    [
      "POST",
      "/v1/vector_stores/OWN/judgments",
      (x) => ({ judgments: [{ query: "q", relevant: [{ file_id: x["file_id"] }] }] }),
    ],
    [
      "POST",
      "/v1/vector_stores/OWN/judgments",
      (x) => ({ judgments: [{ query: "q", relevant: [{ chunk_id: x["chunk_id"] }] }] }),
    ],
    ["GET", "/v1/vector_stores/OWN/chunks?file_id=ID", (x) => x["file_id"]],
    ["GET", "/v1/admin/tenants?after=ID", (x) => x["tenant_id"]],
    ["GET", "/v1/admin/keys?after=ID", (x) => x["key_id"]],
    ["GET", "/v1/admin/keys?tenant_id=ID", (x) => x["tenant_id"]],
    ["GET", "/v1/admin/deletions?after=ID", (x) => x["deletion_id"]],
    ["POST", "/v1/admin/keys", (x) => ({ name: "spy", tenant_id: x["tenant_id"] })],
    ["POST", "/v1/admin/keys", (x) => ({ name: "spy", vector_store_ids: [x["vector_store_id"]] })],
  ];

  test.each(bodies.map((one) => [`${one[0]} ${one[1]}`, one] as const))("%s", async (_, [method, path, body]) => {
    const from = path.includes("/admin/") ? b.admin : b.write;
    const at = async (values: Ids) => {
      const given = body(values);
      const spec = { method, path } as OperationSpec;
      const address = path.replace("OWN", own.store).replace("ID", typeof given === "string" ? given : "");
      return await ask(from, spec, address, typeof given === "string" ? undefined : given, values);
    };
    const randomIds = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, unknown(id)]));
    const theirs = await at(ids);
    expect(theirs).toEqual(await at(randomIds));
    expect(theirs.body).not.toContain(SECRET);
  });
});

test("no list, log or metric that B can read holds anything of A", async () => {
  const lists = allOperations()
    .map(({ spec }) => spec)
    .filter((spec) => spec.method === "GET" && spec.role !== "none" && !spec.path.endsWith("/events"));
  for (const from of Object.values(b)) {
    for (const spec of lists) {
      const path = fill(spec.path, { ...ids, vector_store_id: own.store, file_id: own.file });
      const text = await (await from.fetch(path)).text();
      expect(text.includes(SECRET)).toBe(false);
      // An id in an error text, or among B's own searches, is one that B asked for.
      if (!text.startsWith('{"error"') && !spec.path.endsWith("/queries"))
        for (const id of Object.values(ids)) expect(text).not.toContain(id);
    }
  }
  const metrics = await (await server.fetch("/metrics")).text();
  for (const id of Object.values(ids)) expect(metrics).not.toContain(id);
  expect(server.log()).not.toContain(SECRET);
});

test("ids made of anything at all are unknown, never an error of the server", async () => {
  const shapes = [
    "'",
    "%27%20OR%201%3D1",
    "%00",
    "..%2F..%2Fetc%2Fpasswd",
    "%F0%9F%98%80",
    "null",
    "a".repeat(3000),
    "-1",
  ];
  for (const spec of about) {
    for (const shape of shapes) {
      const odd = Object.fromEntries(pathParams(spec).map((name) => [name, shape]));
      const seen = await ask(b.admin, spec, fill(spec.path, odd), spec.examples?.body, {});
      expect([spec.path, shape, seen.status === 403 || seen.status === 404 || seen.status === 400]).toEqual([
        spec.path,
        shape,
        true,
      ]);
    }
  }
});

test("answers about another tenant's store take as long as those about none", async () => {
  const timed = async (id: string) => {
    const startedAt = performance.now();
    await (await b.write.fetch(`/v1/vector_stores/${id}`)).text();
    return performance.now() - startedAt;
  };
  const [theirs, nobodys]: [number[], number[]] = [[], []];
  for (let i = 0; i < 300; i++) {
    theirs.push(await timed(ids["vector_store_id"] ?? ""));
    nobodys.push(await timed(unknown(ids["vector_store_id"] ?? "")));
  }
  const median = (values: number[]) => values.toSorted((x, y) => x - y)[values.length / 2] ?? 0;
  const ratio = median(theirs) / median(nobodys);
  console.log(
    `median answer: another tenant's ${median(theirs).toFixed(3)} ms, nobody's ${median(nobodys).toFixed(3)} ms`,
  );
  expect(ratio).toBeGreaterThan(0.7);
  expect(ratio).toBeLessThan(1.4);
});

test("after all of it A's things are as they were", async () => {
  const store = ids["vector_store_id"] ?? "";
  expect((await search(a, store, { query: SECRET })).map((hit) => hit.file_id)).toContain(ids["file_id"] ?? "");
  const migration = await waitFor("the dry run ends", async () => {
    const path = `/v1/vector_stores/${store}/migrations/${ids["migration_id"]}`;
    const { status } = await json<{ status: string }>(a, "GET", path);
    return ["queued", "building", "catching_up", "verifying"].includes(status) ? undefined : status;
  });
  expect(migration).toBe("ready");
  const upload = await json<{ status: string }>(a, "POST", `/v1/uploads/${ids["upload_id"]}/complete`, {
    part_ids: [ids["part_id"]],
  });
  expect(upload.status).toBe("completed");
});
