import { createHmac } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { KEYS, type StoreApp, type StoreAppOptions, storeApp } from "../../app/testing/store-app.ts";
import { waitFor } from "../../../test/helpers/wait.ts";

const SECRET = "16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef";
const AT = "/librechat";

function token(payload: object, secret = SECRET, head: object = { alg: "HS256", typ: "JWT" }): string {
  const parts = [head, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const signature = createHmac("sha256", secret).update(parts.join(".")).digest("base64url");
  return [...parts, signature].join(".");
}

async function chat(options: StoreAppOptions = {}): Promise<StoreApp> {
  return await storeApp({ ...options, settings: { librechatJwtKey: SECRET, ...options.settings } });
}

/** The headers of a request that LibreChat makes for a user. */
function of(user: string, seconds = 1_800_000_000): Record<string, string> {
  return { authorization: `Bearer ${token({ id: user, iat: seconds, exp: seconds + 300 })}` };
}

function form(fileId: string, name: string, text: string, more: Record<string, string> = {}): FormData {
  const sent = new FormData();
  sent.append("file_id", fileId);
  sent.append("file", new Blob([text]), name);
  for (const [field, value] of Object.entries(more)) sent.append(field, value);
  return sent;
}

const storeId = async (f: StoreApp) => (await f.storage.stores.named("ten_a", "librechat", null, 1))[0] ?? "";

/** Files of the store that wait to be indexed. */
async function waiting(f: StoreApp): Promise<string[]> {
  const id = await storeId(f);
  if (id === "") return [];
  const { rows } = await f.storage.storeFiles.list(
    "ten_a",
    id,
    { limit: 100, order: "asc" },
    { status: "in_progress", filename: null },
  );
  return rows.map((row) => row.file_id);
}

/** Embeds a file as LibreChat does, with these chunks as what the ingest makes of it. */
async function embed(f: StoreApp, user: string, fileId: string, chunks: string[], more: Record<string, string> = {}) {
  const before = await waiting(f);
  const answer = f.call("POST", `${AT}/embed`, form(fileId, `${fileId}.md`, "text", more), of(user));
  const id = await waitFor("the file is attached", async () => (await waiting(f)).find((one) => !before.includes(one)));
  await f.finish(await storeId(f), id, chunks);
  return await answer;
}

const query = async (f: StoreApp, user: string, body: object) =>
  await f.call("POST", `${AT}/query`, { query: "the password", k: 4, ...body }, of(user));

describe("LibreChat's files", () => {
  test("are embedded, found by their user, and deleted without a trace", async () => {
    await using f = await chat();
    const done = await embed(f, "user-1", "lc-1", ["The password is blue"], { storage_metadata: '{"a":1}' });
    expect([done.status, done.json]).toEqual([
      200,
      {
        status: true,
        message: "File processed successfully.",
        file_id: "lc-1",
        filename: "lc-1.md",
        known_type: true,
      },
    ]);
    const found = await query(f, "user-1", { file_id: "lc-1" });
    expect(found.json).toEqual([
      [
        {
          page_content: "The password is blue",
          metadata: { file_id: "lc-1", user_id: "user-1", source: "lc-1.md", page: 0 },
        },
        expect.any(Number),
      ],
    ]);
    const gone = await f.call("DELETE", `${AT}/documents`, ["lc-1"], of("user-1"));
    expect([gone.status, gone.json]).toEqual([200, { message: "Documents for 1 file deleted successfully" }]);
    expect((await query(f, "user-1", { file_id: "lc-1" })).json).toEqual([]);
    expect([f.blobs.list(), readdirSync(join(f.dataDir, "tmp"))]).toEqual([[], []]);
    const again = await f.call("DELETE", `${AT}/documents`, ["lc-1"], of("user-1"));
    expect([again.status, again.json]).toEqual([404, { detail: "One or more IDs not found" }]);
  });

  test("are given nearest first, with a distance that grows", async () => {
    await using f = await chat();
    await embed(f, "user-1", "lc-1", ["A horse in the field", "The password is blue", "The password"]);
    const { json } = await query(f, "user-1", { file_id: "lc-1", k: 3 });
    const distances = json.map(([, distance]: [object, number]) => distance);
    expect(distances).toEqual(distances.toSorted((a: number, b: number) => a - b));
    expect(json[0][0].page_content).toBe("The password");
    expect((await query(f, "user-1", { file_id: "lc-1", k: 1 })).json).toHaveLength(1);
    expect((await query(f, "user-1", { file_id: "lc-1", k: null })).status).toBe(200);
  });

  test("of one user are not there for another, but those of an agent are for who asks for the agent", async () => {
    await using f = await chat();
    await embed(f, "user-1", "lc-own", ["The password of one"]);
    await embed(f, "user-1", "lc-agent", ["The password of the agent"], { entity_id: "agent-7" });
    const texts = async (user: string, body: object) =>
      (await query(f, user, body)).json.map(([document]: [{ page_content: string }]) => document.page_content);
    expect(await texts("user-2", { file_id: "lc-own" })).toEqual([]);
    expect(await texts("user-2", { file_id: "lc-own", entity_id: "agent-7" })).toEqual([]);
    expect(await texts("user-2", { file_id: "lc-agent" })).toEqual([]);
    expect(await texts("user-2", { file_id: "lc-agent", entity_id: "agent-7" })).toEqual(["The password of the agent"]);
    expect(await texts("user-1", { file_id: "lc-own", entity_id: "agent-7" })).toEqual(["The password of one"]);
    expect(await texts("user-1", { file_id: "lc-agent", entity_id: null })).toEqual([]);
    for (const path of ["/documents?ids=lc-own", "/documents/lc-own/context"])
      expect((await f.call("GET", AT + path, undefined, of("user-2"))).status).toBe(404);
    expect((await f.call("GET", `${AT}/ids`, undefined, of("user-2"))).json).toEqual([]);
    const many = { query: "the password", file_ids: ["lc-own", "lc-agent"] };
    const none = await f.call("POST", `${AT}/query_multiple`, many, of("user-2"));
    expect([none.status, none.json]).toEqual([404, { detail: "No documents found for the given query" }]);
    expect((await f.call("POST", `${AT}/query_multiple`, many, of("user-1"))).json).toHaveLength(1);
  });

  test("are shown whole", async () => {
    await using f = await chat();
    await embed(f, "user-1", "lc-1", ["First part", "Second part"]);
    await embed(f, "user-1", "lc-2", ["123"]);
    const context = await f.request("GET", `${AT}/documents/lc-1/context`, undefined, of("user-1"));
    expect(await context.json()).toBe("First part\nSecond part");
    expect(context.headers.get("content-type")).toStartWith("application/json");
    // A text that looks like a number is still a text.
    expect(await (await f.request("GET", `${AT}/documents/lc-2/context`, undefined, of("user-1"))).text()).toBe(
      '"123"',
    );
    const both = await f.call("GET", `${AT}/documents?ids=lc-1&ids=lc-2`, undefined, of("user-1"));
    expect(both.json).toEqual([
      { page_content: "First part\nSecond part", metadata: { file_id: "lc-1", user_id: "user-1", source: "lc-1.md" } },
      { page_content: "123", metadata: { file_id: "lc-2", user_id: "user-1", source: "lc-2.md" } },
    ]);
    expect((await f.call("GET", `${AT}/ids`, undefined, of("user-1"))).json).toEqual(["lc-1", "lc-2"]);
    expect((await f.call("GET", `${AT}/documents?ids=lc-1&ids=lc-3`, undefined, of("user-1"))).status).toBe(404);
  });

  test("replace what was embedded under their id, and nothing of another's", async () => {
    await using f = await chat();
    await embed(f, "user-1", "same", ["The password was red"]);
    await embed(f, "user-2", "same", ["The password of two"]);
    await embed(f, "user-1", "same", ["The password is green"]);
    const texts = async (user: string) =>
      (await query(f, user, { file_id: "same" })).json.map(([one]: [{ page_content: string }]) => one.page_content);
    expect([await texts("user-1"), await texts("user-2")]).toEqual([
      ["The password is green"],
      ["The password of two"],
    ]);
    expect(f.blobs.list()).toHaveLength(2);
  });

  test("that are replaced while they are waited for are answered as kept: the newer one is found", async () => {
    await using f = await chat();
    const older = f.call("POST", `${AT}/embed`, form("same", "a.txt", "The password was red"), of("user-1"));
    await waitFor("the older one is attached", async () => ((await waiting(f)).length === 1 ? true : undefined));
    await embed(f, "user-1", "same", ["The password is green"]);
    const { status, json } = await older;
    expect([status, json.status, json.file_id]).toEqual([200, true, "same"]);
    const found = (await query(f, "user-1", { file_id: "same" })).json;
    expect(found.map(([one]: [{ page_content: string }]) => one.page_content)).toEqual(["The password is green"]);
  });

  test("that cannot be indexed leave nothing, and say whether their kind is known", async () => {
    await using f = await chat();
    const answer = f.call("POST", `${AT}/embed`, form("lc-1", "x.bin", "?"), of("user-1"));
    const id = await waitFor("the file is attached", async () => (await waiting(f))[0]);
    await f.fail(await storeId(f), id);
    const { status, json } = await answer;
    expect([status, json]).toEqual([
      200,
      {
        status: false,
        message: "The file type is not supported.",
        file_id: "lc-1",
        filename: "x.bin",
        known_type: false,
      },
    ]);
    expect(f.blobs.list()).toEqual([]);
  });

  test("whose client went away, or whose server stops, leave nothing", async () => {
    await using f = await chat();
    const gone = new AbortController();
    const request = new Request(`http://localhost${AT}/embed`, {
      method: "POST",
      body: form("lc-1", "a.md", "text"),
      headers: of("user-1"),
      signal: gone.signal,
    });
    const aborted = f.app.handle(request);
    await waitFor("the file is attached", async () => (await waiting(f))[0]);
    gone.abort();
    await aborted;
    expect(f.blobs.list()).toEqual([]);
    const stopped = f.call("POST", `${AT}/embed`, form("lc-2", "b.md", "text"), of("user-1"));
    await waitFor("the file is attached", async () => (await waiting(f))[0]);
    f.stopping.abort();
    expect((await stopped).status).toBe(503);
    expect(f.blobs.list()).toEqual([]);
  });

  test("are only read where LibreChat asks for their text", async () => {
    await using f = await chat();
    const sent = form("lc-1", "note.md", "# Note\n\nSome text.");
    const { status, json } = await f.call("POST", `${AT}/text`, sent, of("user-1"));
    expect([status, json]).toEqual([
      200,
      { text: "# Note\n\nSome text.", file_id: "lc-1", filename: "note.md", known_type: true },
    ]);
    const broken = await f.call("POST", `${AT}/text`, form("lc-1", "x.pdf", "%PDF-1.7 broken"), of("user-1"));
    expect([broken.status, Object.keys(broken.json)]).toEqual([400, ["detail"]]);
    expect([f.blobs.list(), readdirSync(join(f.dataDir, "tmp"))]).toEqual([[], []]);
  });
});

describe("the store of LibreChat's files", () => {
  test("is made once, whoever comes first, and no other is touched", async () => {
    await using f = await chat();
    const ids = () => f.storage.stores.named("ten_a", "librechat", null, 10);
    await Promise.all([1, 2, 3].map((i) => query(f, `user-${i}`, { file_id: "x" })));
    expect(await ids()).toHaveLength(1);
    await f.call("POST", "/v1/vector_stores", { name: "another" });
    await query(f, "user-1", { file_id: "x" });
    expect(await ids()).toHaveLength(1);
  });

  test("is the one that is named, and a file outside it is not there", async () => {
    await using f = await chat({ settings: { librechatStore: "shelf" } });
    const outside = await f.file("secret.md");
    const { json: other } = await f.call("POST", "/v1/vector_stores", { name: "other" });
    await f.call("POST", `/v1/vector_stores/${other.id}/files`, {
      file_id: outside,
      attributes: { librechat_file_id: "lc-out", user_id: "user-1" },
    });
    await f.finish(other.id, outside, ["The password outside"]);
    expect((await query(f, "user-1", { file_id: "lc-out" })).json).toEqual([]);
    expect((await f.call("DELETE", `${AT}/documents`, ["lc-out"], of("user-1"))).status).toBe(404);
    expect(await f.storage.stores.named("ten_a", "shelf", null, 10)).toHaveLength(1);
  });
});

describe("who may ask", () => {
  const now = 1_800_000_000;
  const good = { id: "user-1", exp: now + 300 };
  const bad: [what: string, authorization: string][] = [
    ["nothing", ""],
    ["a key of this server", `Bearer ${KEYS.admin}`],
    ["another secret", `Bearer ${token(good, "another")}`],
    ["an empty secret", `Bearer ${token(good, "x").split(".").slice(0, 2).join(".")}.`],
    ["no algorithm", `Bearer ${token(good, SECRET, { alg: "none" })}`],
    ["another algorithm", `Bearer ${token(good, SECRET, { alg: "HS512" })}`],
    ["an old token", `Bearer ${token({ ...good, exp: now - 61 })}`],
    ["a token for ever", `Bearer ${token({ id: "user-1" })}`],
    ["a token of later", `Bearer ${token({ ...good, nbf: now + 61 })}`],
    ["a token of nobody", `Bearer ${token({ exp: now + 300 })}`],
    ["a token of a number", `Bearer ${token({ ...good, id: 7 })}`],
    ["a token of a long name", `Bearer ${token({ ...good, id: "x".repeat(257) })}`],
    ["a part too many", `Bearer ${token(good)}.x`],
    ["a long token", `Bearer ${"x".repeat(9000)}.y.z`],
    ["no JSON", `Bearer ${Buffer.from("{").toString("base64url")}.x.y`],
    ["another scheme", `Basic ${token(good)}`],
  ];
  test("nobody whom LibreChat did not sign for", async () => {
    await using f = await chat();
    const calls: [string, string, unknown][] = [
      ["POST", "/embed", form("a", "a.md", "a")],
      ["POST", "/text", form("a", "a.md", "a")],
      ["POST", "/query", { query: "x", file_id: "a" }],
      ["POST", "/query_multiple", { query: "x", file_ids: ["a"] }],
      ["DELETE", "/documents", ["a"]],
      ["GET", "/documents?ids=a", undefined],
      ["GET", "/documents/a/context", undefined],
      ["GET", "/ids", undefined],
    ];
    for (const [method, path, body] of calls) {
      for (const [what, authorization] of bad) {
        const { status, json } = await f.call(method, AT + path, body, { authorization });
        expect([path, what, status, Object.keys(json)]).toEqual([path, what, 401, ["detail"]]);
      }
    }
    expect(await storeId(f)).toBe("");
    expect((await query(f, "user-1", { file_id: "a" })).status).toBe(200);
  });

  test("nobody where no secret is set, and a message says what to set", async () => {
    await using f = await storeApp();
    const { status, json } = await query(f, "user-1", { file_id: "a" });
    expect([status, json.detail]).toEqual([401, expect.stringContaining("--librechat-jwt-secret-file")]);
    const unsigned = await f.call("POST", `${AT}/query`, {}, { authorization: `Bearer ${token(good, "")}` });
    expect(unsigned.status).toBe(401);
  });

  test("everybody whether the server is up", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("GET", `${AT}/health`, undefined, { authorization: "" });
    expect([status, json]).toEqual([200, { status: "UP" }]);
  });

  test("not a suspended tenant", async () => {
    await using f = await chat();
    await query(f, "user-1", { file_id: "a" });
    await f.storage.tenants.update("ten_a", { status: "suspended" });
    const { status, json } = await f.call("POST", `${AT}/embed`, form("a", "a.md", "a"), of("user-1"));
    expect([status, Object.keys(json)]).toEqual([402, ["detail"]]);
  });
});

test.each<[method: string, path: string, body: unknown, word: string]>([
  ["POST", "/query", { file_id: "a" }, "query"],
  ["POST", "/query", { query: "x" }, "file_id"],
  ["POST", "/query", { query: "x", file_id: "a", k: 0 }, "k"],
  ["POST", "/query", { query: "x", file_id: "a", k: 101 }, "k"],
  ["POST", "/query", { query: "x", file_id: ["a"] }, "file_id"],
  ["POST", "/query", { query: "x", file_id: "x".repeat(257) }, "file_id"],
  ["POST", "/query_multiple", { query: "x", file_ids: [] }, "file_ids"],
  ["POST", "/query_multiple", { query: "x", file_ids: Array(1001).fill("a") }, "file_ids"],
  ["DELETE", "/documents", [], ""],
  ["DELETE", "/documents", { file_ids: ["a"] }, ""],
  ["DELETE", "/documents", undefined, ""],
  ["GET", "/documents", undefined, "ids"],
  ["POST", "/embed", "x", "multipart"],
  ["POST", "/embed", form("", "a.md", "a"), "file_id"],
  ["POST", "/embed", form("x".repeat(257), "a.md", "a"), "file_id"],
])("a wrong %s %s is refused in FastAPI's words (%#)", async (method, path, body, word) => {
  await using f = await chat();
  const { status, json } = await f.call(method, AT + path, body, of("user-1"));
  expect([status, Object.keys(json)]).toEqual([400, ["detail"]]);
  expect(json.detail).toContain(word);
  expect(f.blobs.list()).toEqual([]);
});
