/** Uploads a folder into a new vector store, searches it with a filter, and removes it again. */
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";

const folder = process.argv[2] ?? "docs/examples/handbook";
const question = process.argv[3] ?? "what is paid for a hotel";
const baseURL = `${process.env["LECTERN_URL"] ?? "http://127.0.0.1:8080"}/v1`;
const client = new OpenAI({ baseURL, apiKey: process.env["LECTERN_API_KEY"] });

const store = await client.vectorStores.create({ name: "example" });
const files = await Promise.all(
  readdirSync(folder).map((name) =>
    client.files.create({ file: createReadStream(join(folder, name)), purpose: "assistants" }),
  ),
);
const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, {
  file_ids: files.map(({ id }) => id),
  attributes: { kind: "policy" },
});
console.log(`${batch.file_counts.completed} of ${batch.file_counts.total} files indexed`);

const page = await client.vectorStores.search(store.id, {
  query: question,
  max_num_results: 3,
  filters: { type: "eq", key: "kind", value: "policy" },
});
for (const hit of page.data) console.log(hit.score.toFixed(3), hit.filename);

await client.vectorStores.delete(store.id);
for (const { id } of files) await client.files.delete(id);
