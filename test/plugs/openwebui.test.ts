/** What Open WebUI's external document loader and its external reranker send and read, against the server as it is run. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as } from "../helpers/tenants.ts";

let server: TestServer;
beforeAll(async () => {
  // A machine with much else to do may take minutes over its first scan.
  server = await startServer({ env: { LECTERN_OPENWEBUI_SECONDS: "200" } });
}, 120_000);
afterAll(async () => await server?.[Symbol.asyncDispose]());

type Page = { page_content: string; metadata: { source: string; page?: number } };

/** As `requests.put(f"{url}/process", data=data, headers=headers)`. */
async function load(from: TestServer, name: string, bytes: Uint8Array | string, type: string) {
  const headers = { "content-type": type, "x-filename": encodeURIComponent(name), "x-openwebui-user-id": "1" };
  const body = typeof bytes === "string" ? bytes : new Blob([bytes as Uint8Array<ArrayBuffer>]);
  const response = await from.fetch("/openwebui/process", { method: "PUT", headers, body });
  return { status: response.status, json: (await response.json()) as Page[] & { detail?: string } };
}

test("a document comes back page by page, a scanned page too, and nothing of it stays", async () => {
  const page = { items: [{ text: "The first page", x: 72, y: 700 }] };
  const pdf = makePdf([page, { items: [], scan: "upright" }]);
  const { status, json } = await load(server, "Prüfung 1.pdf", pdf, "application/pdf");
  expect(status).toBe(200);
  expect(json.map(({ metadata }) => metadata)).toEqual([
    { source: "Prüfung 1.pdf", page: 1 },
    { source: "Prüfung 1.pdf", page: 2 },
  ]);
  expect(json[0]?.page_content).toBe("The first page");
  expect(json[1]?.page_content.length).toBeGreaterThan(10);
  expect(readdirSync(join(server.dataDir, "tmp"))).toEqual([]);
  const files = (await (await server.fetch("/v1/files")).json()) as { data: unknown[] };
  expect(files.data).toEqual([]);
});

test("what takes too long is told in time, and not kept", async () => {
  await using hasty = await startServer({ env: { LECTERN_OPENWEBUI_SECONDS: "1" } });
  const held = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("the beginning")),
  });
  const response = await hasty.fetch("/openwebui/process", { method: "PUT", body: held });
  const { detail } = (await response.json()) as { detail: string };
  expect([response.status, detail]).toEqual([504, expect.stringContaining("--openwebui-seconds")]);
  expect(readdirSync(join(hasty.dataDir, "tmp"))).toEqual([]);
});

test("a document without text is a 422 that lets Open WebUI read it by itself; a wrong key is a 401", async () => {
  const empty = await load(server, "blank.pdf", makePdf([{ items: [] }]), "application/pdf");
  expect([empty.status, empty.json.detail]).toEqual([422, expect.stringContaining("No extractable text")]);
  const stranger = await load(as(server, "sk-nobody-0123456789"), "a.txt", "text", "text/plain");
  expect([stranger.status, stranger.json.detail]).toEqual([401, expect.stringContaining("Incorrect API key")]);
});

test("documents at the same time each come back as their own", async () => {
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, i) => load(server, `${i}.txt`, `The text of ${i}`, "text/plain")),
  );
  expect(all.map(({ json }) => json[0]?.page_content)).toEqual(all.map((_, i) => `The text of ${i}`));
});

test("its reranker reads the scores it asked for", async () => {
  const documents = ["The sun is a star.", "Returns take 30 days."];
  const body = JSON.stringify({ model: "rerank", query: "How long does a return take?", documents, top_n: 2 });
  const headers = { "content-type": "application/json" };
  const unknown = await server.fetch("/v1/rerank", { method: "POST", headers, body });
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining("--alias")]);
  const named = body.replace('"rerank"', '"lectern-rank"');
  const { results } = (await (await server.fetch("/v1/rerank", { method: "POST", headers, body: named })).json()) as {
    results: { index: number; relevance_score: number }[];
  };
  expect(results.map(({ index }) => index)).toEqual([1, 0]);
});
