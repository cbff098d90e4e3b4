/** What LibreChat asks of its `rag_api`, against the server as it is run. */
import { createHmac } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import { json, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";

const SECRET = "16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef";
const ENV = { LECTERN_LIBRECHAT_JWT_SECRET: SECRET };

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: ENV });
}, 120_000);
afterAll(async () => await server?.[Symbol.asyncDispose]());

/** As `jwt.sign({ id }, JWT_SECRET, { expiresIn: "5m", algorithm: "HS256" })`. */
function signed(user: string): string {
  const iat = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { id: user, iat, exp: iat + 300 },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return [...parts, createHmac("sha256", SECRET).update(parts.join(".")).digest("base64url")].join(".");
}

interface Answer {
  status: number;
  // Answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** What axios adds to LibreChat's requests. */
const AXIOS = { "accept-encoding": "gzip, compress, deflate, br", "user-agent": "axios/1.21.1" };

interface Sent {
  name: string;
  /** As the types of `form-data` have it for the name. */
  type: string;
  bytes: string | Uint8Array;
}

/** A form as the package `form-data` writes it: names of files as they are, in UTF-8; what is said of a file behind it. */
class Form {
  readonly type: string;
  readonly bytes: Uint8Array;

  constructor(fileId: string, { name, type, bytes }: Sent, more: Record<string, string> = {}) {
    const boundary = "--------------------------fdfb00d0c9a303f22ca718bf";
    const part = (head: string, content: string | Uint8Array) => [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
      Buffer.from(content as string),
      Buffer.from("\r\n"),
    ];
    this.type = `multipart/form-data; boundary=${boundary}`;
    this.bytes = Buffer.concat([
      ...part('name="file_id"', fileId),
      ...part(`name="file"; filename="${name}"\r\nContent-Type: ${type}`, bytes),
      ...Object.entries(more).flatMap(([field, value]) => part(`name="${field}"`, value)),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
  }
}

async function ask(user: string, method: string, path: string, body?: unknown, at = server): Promise<Answer> {
  const isForm = body instanceof Form;
  const accept = isForm || method === "DELETE" ? "application/json" : "application/json, text/plain, */*";
  const type = isForm ? body.type : "application/json";
  const headers = { ...AXIOS, accept, ...(body === undefined ? {} : { "content-type": type }) };
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = isForm ? body.bytes : JSON.stringify(body);
  const response = await as(at, signed(user)).fetch(`/librechat${path}`, init);
  return { status: response.status, body: await response.json() };
}

async function embed(user: string, id: string, text: string, more: Record<string, string> = {}, at = server) {
  const sent = { name: `${id}.md`, type: "text/markdown", bytes: text };
  return await ask(user, "POST", "/embed", new Form(id, sent, more), at);
}

/** A source of an answer, as LibreChat's file search makes it of a hit. */
function sourcesOf(hits: [{ page_content: string; metadata: { source: string; page?: number } }, number][]) {
  return hits.map(([{ page_content: content, metadata }, distance]) => ({
    content,
    fileName: metadata.source.split("/").pop(),
    relevance: 1 - distance,
    pages: Number.isInteger(metadata.page) ? [Number(metadata.page) + 1] : [],
  }));
}

test("a file is embedded, found, shown and deleted, and nothing of it stays", async () => {
  expect(await ask("u1", "GET", "/health")).toEqual({ status: 200, body: { status: "UP" } });
  const metadata = { storage_metadata: JSON.stringify({ bucket: "b" }) };
  expect((await embed("u1", "f-1", "A refund takes ten days.", metadata)).body).toEqual({
    status: true,
    message: "File processed successfully.",
    file_id: "f-1",
    filename: "f-1.md",
    known_type: true,
  });
  const { body } = await ask("u1", "POST", "/query", { file_id: "f-1", query: "how long is a refund", k: 5 });
  const [[document, distance]] = body;
  expect(document).toMatchObject({
    page_content: "A refund takes ten days.",
    metadata: { file_id: "f-1", user_id: "u1", source: "f-1.md" },
  });
  expect([distance > 0, distance < 1]).toEqual([true, true]);
  expect((await ask("u1", "GET", "/documents/f-1/context")).body).toBe("A refund takes ten days.");
  expect((await ask("u1", "GET", "/ids")).body).toEqual(["f-1"]);
  expect(await ask("u1", "DELETE", "/documents", ["f-1"])).toEqual({
    status: 200,
    body: { message: "Documents for 1 file deleted successfully" },
  });
  expect((await ask("u1", "POST", "/query", { file_id: "f-1", query: "refund" })).body).toEqual([]);
  expect((await ask("u1", "DELETE", "/documents", ["f-1"])).status).toBe(404);
  const files = await json<{ data: unknown[] }>(server, "GET", "/v1/files");
  expect([files.data, readdirSync(join(server.dataDir, "tmp"))]).toEqual([[], []]);
});

test("what cannot be read is said and not kept", async () => {
  const bytes = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0]);
  const sent = { name: "x.bin", type: "application/octet-stream", bytes };
  const { status, body } = await ask("u1", "POST", "/embed", new Form("f-bin", sent));
  expect([status, body.status, body.known_type]).toEqual([200, false, false]);
  expect((await ask("u1", "GET", "/documents?ids=f-bin")).status).toBe(404);
});

test("a page of a file becomes a source of an answer", async () => {
  // So many lines that the last passage begins on the second page.
  const lines = Array.from({ length: 100 }, (_, i) => `Holidays of number ${i} are planned in spring.`);
  const page = (texts: string[]) => ({ items: texts.map((text, i) => ({ text, x: 72, y: 760 - 7 * i, size: 5 })) });
  const bytes = makePdf([page(lines), page([...lines, "A refund takes ten days."])]);
  const sent = { name: "Rückgabe und mehr.pdf", type: "application/pdf", bytes };
  expect((await ask("u3", "POST", "/embed", new Form("f-pdf", sent))).body).toMatchObject({
    status: true,
    known_type: true,
    filename: "Rückgabe und mehr.pdf",
  });
  const { body } = await ask("u3", "POST", "/query", { file_id: "f-pdf", query: "how long is a refund", k: 5 });
  const sources = sourcesOf(body);
  const [first] = sources;
  expect(sources.map(({ fileName }) => fileName)).toEqual(sources.map(() => "Rückgabe und mehr.pdf"));
  expect([first?.content.includes("A refund takes ten days."), first?.pages]).toEqual([true, [2]]);
  expect([(first?.relevance ?? 0) > 0, (first?.relevance ?? 1) < 1]).toEqual([true, true]);
});

test("a file's text alone is what it asks for before it shows a file to a model", async () => {
  // Without a signature: it looks whether somebody is there.
  const health = await fetch(`${server.url}/librechat/health`, { headers: AXIOS });
  expect([health.status, health.ok]).toEqual([200, true]);
  const sent = { name: "notes.txt", type: "text/plain", bytes: "A refund takes ten days." };
  expect((await ask("u1", "POST", "/text", new Form("f-text", sent))).body).toEqual({
    text: "A refund takes ten days.",
    file_id: "f-text",
    filename: "notes.txt",
    known_type: true,
  });
  expect((await ask("u1", "GET", "/ids")).body).not.toContain("f-text");
});

test("an agent's file is deleted in its name by whoever may, and a second time it is not there", async () => {
  await embed("u4", "f-shared", "The password of the agent is green.", { entity_id: "agent-2" });
  const query = async (more: object = {}) =>
    (await ask("u5", "POST", "/query", { file_id: "f-shared", query: "password", k: 5, ...more })).body;
  expect([await query(), (await query({ entity_id: "agent-2" })).length]).toEqual([[], 1]);
  const remove = async () => (await ask("u5", "DELETE", "/documents?entity_id=agent-2", ["f-shared"])).status;
  expect([await remove(), await query({ entity_id: "agent-2" }), await remove()]).toEqual([200, [], 404]);
});

test("users and agents are apart, however many come at once", async () => {
  const done = await Promise.all([
    embed("u1", "f-own", "The password of one is blue."),
    embed("u2", "f-two", "The password of two is red."),
    embed("u1", "f-agent", "The password of the agent is green.", { entity_id: "agent-1" }),
    embed("u1", "f-again", "The password was white."),
    embed("u1", "f-again", "The password was black."),
  ]);
  expect(done.map(({ body }) => body.status)).toEqual([true, true, true, true, true]);
  const texts = async (user: string, body: object) =>
    (await ask(user, "POST", "/query", { query: "the password", ...body })).body.map(
      ([document]: [{ page_content: string }]) => document.page_content,
    );
  expect(await texts("u2", { file_id: "f-own" })).toEqual([]);
  expect(await texts("u2", { file_id: "f-agent" })).toEqual([]);
  expect(await texts("u2", { file_id: "f-agent", entity_id: "agent-1" })).toHaveLength(1);
  expect(await texts("u1", { file_id: "f-own" })).toEqual(["The password of one is blue."]);
  expect(await texts("u1", { file_id: "f-again" })).toHaveLength(1);
  const many = await ask("u1", "POST", "/query_multiple", { query: "password", file_ids: ["f-own", "f-two"] });
  expect(many.body).toHaveLength(1);
});

test("its signature opens nothing else, and this server's keys do not open its addresses", async () => {
  for (const path of ["/v1/vector_stores", "/v1/files", "/api/tags", "/v1/me"])
    expect((await as(server, signed("u1")).fetch(path)).status).toBe(401);
  const own = await server.fetch("/librechat/ids");
  expect([own.status, Object.keys((await own.json()) as object)]).toEqual([401, ["detail"]]);
});

test("the store may be one of another tenant, which others see nothing of", async () => {
  using directory = tempDir();
  const dataDir = directory.path;
  let store = "";
  let tenantKey = "";
  {
    await using first = await startServer({ dataDir });
    const tenant = await newTenant(first, "chat");
    tenantKey = (await newKey(first, { tenant_id: tenant, role: "write" })).key;
    store = await newStore(as(first, tenantKey), { name: "shelf" });
  }
  await using second = await startServer({ dataDir, env: { ...ENV, LECTERN_LIBRECHAT_STORE: store } });
  expect((await embed("u1", "f-1", "A refund takes ten days.", {}, second)).body.status).toBe(true);
  const shown = await json<{ data: unknown[] }>(as(second, tenantKey), "GET", `/v1/vector_stores/${store}/files`);
  expect(shown.data).toHaveLength(1);
  const stores = await json<{ data: unknown[] }>(second, "GET", "/v1/vector_stores");
  expect(stores.data).toEqual([]);
}, 120_000);
