/**
 * Writes test/fixtures/data-v1.tar.gz, a small data directory that holds something of everything, and beside it what is
 * in it. Made once, with the binary of the first version; later versions must open what is committed:
 *
 *   bun test/upgrade/make-first-version.ts BINARY
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addText, json, newStore, search, settled, upload } from "../helpers/api.ts";
import { bytesOf, OWN_DOCUMENTS } from "../helpers/corpus.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { migrationEnd, untilIndexed } from "../migrate/corpus.ts";
import type { FirstVersion, StoredFile } from "./first-version.ts";

const DOCUMENTS: readonly [name: string, attributes: Record<string, string | number | boolean>][] = [
  ["handbook.docx", { year: 2024, draft: false, path: "office/handbook.docx" }],
  ["handbook.pdf", { year: 2023, draft: true }],
  ["manual.md", { year: 2024, language: "en" }],
  ["japanese.docx", { language: "ja" }],
  ["berths.semicolon.csv", {}],
];
const QUERIES = ["who lights the lamp on the northern pier", "berth rent", "防波堤", "stand under a load"];

const [binary] = process.argv.slice(2);
if (binary === undefined) throw new Error("say which binary");
using dir = tempDir();
const dataDir = dir.join("data");
const server = await startServer({ dataDir, command: [binary] });
const facts = await fill(server);
if ((await server.stop()) !== 0) throw new Error(server.log());
// Native code, which the binary unpacks, and what is set aside for a full disk: both are made again at the start.
for (const name of ["native", "reserve"]) rmSync(join(dataDir, name), { recursive: true, force: true });
const archive = join(ROOT, "test/fixtures/data-v1.tar.gz");
await Bun.spawn(["tar", "--sort=name", "--owner=0", "--group=0", "-czf", archive, "-C", dir.path, "data"]).exited;
writeFileSync(join(ROOT, "test/fixtures/data-v1.json"), `${JSON.stringify(facts, null, 2)}\n`);
console.log(`${Bun.file(archive).size} bytes`);
process.exit(0);

async function fill(server: TestServer): Promise<FirstVersion> {
  const handbook = await newStore(server, { name: "handbook", metadata: { owner: "harbour" } });
  const files: StoredFile[] = [];
  for (const [name, attributes] of DOCUMENTS) files.push(await add(server, handbook, name, attributes));
  files.push(await addBroken(server, handbook));
  const deleted = await addText(server, handbook, "deleted.txt", "This text about marmots was deleted.");
  await json(server, "DELETE", `/v1/files/${deleted}`);
  const detached = await addText(server, handbook, "detached.txt", "This text about badgers was detached.");
  await json(server, "DELETE", `/v1/vector_stores/${handbook}/files/${detached}`);

  const notes = await newStore(server, { name: "notes" });
  const texts = ["Alders stand in water.", "Birches are white and thin.", "Cedars smell of resin."];
  const ids = await Promise.all(texts.map(async (text, i) => await upload(server, `tree-${i}.txt`, text)));
  const batch = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${notes}/file_batches`, {
    file_ids: ids,
    attributes: { kind: "tree" },
    chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } },
  });
  await untilIndexed(server, notes);
  const migration = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${notes}/migrate`, {
    embedding_model: "text-embedding-3-small",
    chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 20 } },
    retain_hours: 8760,
  });
  const { status } = await migrationEnd(server, notes, migration.id);
  if (status !== "completed") throw new Error(`the migration is ${status}`);

  await json(server, "POST", `/v1/vector_stores/${handbook}/judgments`, {
    judgments: QUERIES.slice(0, 2).map((query, i) => ({ query, relevant: [{ file_id: files[i]?.id, grade: 2 - i }] })),
  });
  const tenantId = await newTenant(server, "Acme", { max_vector_stores: 5 });
  const tenantKey = await newKey(server, { name: "acme", tenant_id: tenantId });
  const readKey = await newKey(server, { name: "reader", role: "read" });
  const acme = as(server, tenantKey.key);
  const tenantStore = await newStore(acme, { name: "acme notes" });
  const tenantFile = await addText(acme, tenantStore, "secret.txt", "The recipe of Acme needs saffron.", { year: 1 });
  const empty = await newStore(server, { name: "empty" });

  const answers: FirstVersion["handbook"]["answers"] = [];
  for (const query of QUERIES) {
    for (const mode of ["hybrid", "keyword", "vector"]) {
      const hits = await search(server, handbook, { query, search_mode: mode, max_num_results: 3 });
      answers.push({ query, mode, names: hits.map((hit) => hit.filename) });
    }
  }
  return {
    adminKey: server.key,
    readKey: readKey.key,
    handbook: { id: handbook, files, answers },
    notes: { id: notes, batch: batch.id, migration: migration.id, files: ids },
    empty,
    tenant: { id: tenantId, key: tenantKey.key, store: tenantStore, file: tenantFile },
    deleted,
    detached,
  };
}

async function add(
  server: TestServer,
  storeId: string,
  name: string,
  attributes: Record<string, string | number | boolean>,
): Promise<StoredFile> {
  const document = OWN_DOCUMENTS.find((one) => one.name === name);
  if (document === undefined) throw new Error(`there is no ${name}`);
  const bytes = bytesOf(document);
  const id = await upload(server, name, bytes);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id, attributes });
  const { status } = await settled(server, storeId, id);
  const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  return { id, name, status, attributes, sha256, text: await textOf(server, storeId, id) };
}

async function textOf(server: TestServer, storeId: string, id: string): Promise<string> {
  const path = `/v1/vector_stores/${storeId}/files/${id}/content`;
  return (await json<{ data: { text: string }[] }>(server, "GET", path)).data.map(({ text }) => text).join("");
}

async function addBroken(server: TestServer, storeId: string): Promise<StoredFile> {
  const content = "%PDF-1.7\nnothing";
  const id = await upload(server, "broken.pdf", content);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
  const { status } = await settled(server, storeId, id);
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
  return { id, name: "broken.pdf", status, attributes: {}, sha256, text: "" };
}
