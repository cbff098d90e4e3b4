/** What Dify sends and reads, against the server as it is run: its probe, its retrievals, and who may ask what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";

/** What it reads of a record. Without `metadata` it loses the record. */
interface Record {
  content: string;
  score: number;
  title: string;
  metadata: { document_id: string; category?: string } | null;
}

let server: TestServer;
let store: string;
let file: string;

beforeAll(async () => {
  server = await startServer();
  store = await newStore(server, { name: "handbook" });
  file = await addText(server, store, "refunds.md", "A refund takes ten days.", { category: "support" });
  await addText(server, store, "holidays.md", "Holidays are planned in spring.", { category: "people" });
}, 120_000);
afterAll(async () => await server?.[Symbol.asyncDispose]());

/** As Python writes JSON: blanks after commas and colons, and nothing but ASCII. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([key, member]) => `${pythonJson(key)}: ${pythonJson(member)}`)
      .join(", ")}}`;
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** As Dify's service sends it: with each member, whatever was set. */
function retrieval(knowledge: string, query: string, conditions: object[] | null = null, setting: object = {}): string {
  return pythonJson({
    retrieval_setting: { top_k: 4, score_threshold: 0, ...setting },
    query,
    knowledge_id: knowledge,
    metadata_condition: conditions === null ? null : { logical_operator: "and", conditions },
  });
}

/** What httpx adds to Dify's requests. */
const HTTPX = { accept: "*/*", "accept-encoding": "gzip, deflate", "user-agent": "python-httpx/0.28.1" };

async function ask(from: TestServer, body: string | undefined, path = "/dify/retrieval") {
  const headers = { ...HTTPX, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await from.fetch(path, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
  const json = (await response.json()) as { records: Record[]; error_code?: number; error_msg?: string };
  return { status: response.status, json };
}

/** A source of an answer, as Dify makes it of a record: it shows these, and gives the model the content. */
function sourcesOf(records: readonly Record[]) {
  return records.flatMap(({ content, title, score, metadata }) =>
    metadata === null ? [] : [{ document_id: metadata.document_id || title, document_name: title, score, content }],
  );
}

describe("Dify", () => {
  test("saves a connection: a good key is neither 403 nor 404, a wrong one is 403", async () => {
    expect((await ask(server, undefined)).status).toBe(400);
    const wrong = await ask(as(server, "sk-nobody-0123456789"), undefined);
    expect([wrong.status, wrong.json.error_code]).toEqual([403, 1002]);
  });

  test.each(["/dify/retrieval", "/api/v1/dify/retrieval"])("finds passages with their metadata at %s", async (path) => {
    for (const knowledge of [store, "handbook"]) {
      const { status, json } = await ask(server, retrieval(knowledge, "how long does a refund take"), path);
      expect(status).toBe(200);
      expect(json.records[0]).toMatchObject({
        content: "A refund takes ten days.",
        title: "refunds.md",
        metadata: { document_id: file, category: "support" },
      });
      expect(json.records[0]?.score).toBeGreaterThan(0.3);
    }
  });

  test("shows the sources of an answer, those above its threshold", async () => {
    const question = "Wie lange dauert eine Rückerstattung? refund ☕";
    const { json } = await ask(server, retrieval(store, question));
    const sources = sourcesOf(json.records);
    expect(sources[0]).toEqual({
      document_id: file,
      document_name: "refunds.md",
      score: expect.any(Number),
      content: "A refund takes ten days.",
    });
    expect(sources).toHaveLength(json.records.length);
    const limit = sources[0]?.score ?? 0;
    const above = await ask(server, retrieval(store, question, null, { score_threshold: limit }));
    expect(sourcesOf(above.json.records).map(({ document_name: name }) => name)).toEqual(["refunds.md"]);
  });

  test("sends null for a setting that nobody made", async () => {
    const { status, json } = await ask(
      server,
      retrieval(store, "refund", null, { top_k: null, score_threshold: null }),
    );
    expect([status, json.records[0]?.title]).toEqual([200, "refunds.md"]);
  });

  test("finds only what its condition holds for", async () => {
    const found = async (comparison_operator: string, value: unknown) => {
      const conditions = [{ name: "category", comparison_operator, value }];
      return (await ask(server, retrieval(store, "refund holidays", conditions))).json.records.map((one) => one.title);
    };
    expect(await found("is", "people")).toEqual(["holidays.md"]);
    expect(await found("start with", "supp")).toEqual(["refunds.md"]);
    expect(await found("contains", "nothing")).toEqual([]);
    expect((await found("not empty", null)).toSorted()).toEqual(["holidays.md", "refunds.md"]);
    expect(await found("in", ["people", "pets"])).toEqual(["holidays.md"]);
    expect((await found("is", null)).toSorted()).toEqual(["holidays.md", "refunds.md"]);
  });

  test("hears the same of another tenant's knowledge as of none", async () => {
    const tenant = await newTenant(server, "another");
    const other = as(server, (await newKey(server, { tenant_id: tenant, role: "admin" })).key);
    const limited = as(
      server,
      (await newKey(server, { role: "read", vector_store_ids: [await newStore(server)] })).key,
    );
    for (const from of [other, limited]) {
      for (const knowledge of [store, "handbook", "nothing"]) {
        const { status, json } = await ask(from, retrieval(knowledge, "refund"));
        expect([status, json]).toEqual([
          404,
          { error_code: 2001, error_msg: `No vector store found with id '${knowledge}'` } as never,
        ]);
      }
    }
    const reader = as(server, (await newKey(server, { role: "read", vector_store_ids: [store] })).key);
    expect((await ask(reader, retrieval("handbook", "refund"))).json.records.length).toBeGreaterThan(0);
  });
});
