/** What was deleted is not on the disk any more, once the server has settled: neither texts, names, queries nor bytes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { addText, json, newStore, search, settled, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const WORDS = "erasurecanarywords";
const NAME = "erasurecanaryname";
const QUERY = "erasurecanaryquery";
const METADATA = "erasurecanarymetadata";

function holding(directory: string, canary: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(canary));
}

test("a deleted file, its text in every store and a deleted store's queries are in no file of the data directory", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  await using server = await startServer({ dataDir });
  const [one, two] = [await newStore(server), await newStore(server)];
  const kept = await addText(server, one, "kept.txt", "keptcanarywords stay");
  const long = Array.from({ length: 500 }, (_, i) => `Paragraph ${i} of ${WORDS} and more.`).join("\n\n");
  const file = await addText(server, one, `${NAME}.txt`, long);
  await json(server, "POST", `/v1/vector_stores/${two}/files`, { file_id: file });
  await settled(server, two, file);
  const own = { content: "A text with metadata", metadata: { note: METADATA } };
  for (const vector of [own, { ...own, file_id: file }])
    await json(server, "POST", `/v1/vector_stores/${two}/embeddings`, vector);
  await search(server, two, { query: QUERY });
  // Reading the log writes what waits to be logged.
  await json(server, "GET", `/v1/vector_stores/${two}/queries`);
  for (const canary of [WORDS, NAME, QUERY, METADATA]) expect(holding(dataDir, canary)).not.toEqual([]);

  await json(server, "DELETE", `/v1/files/${file}`);
  await json(server, "DELETE", `/v1/vector_stores/${two}`);
  await waitFor("both deletions are complete", async () => {
    const path = "/v1/admin/deletions";
    const { data } = await json<{ data: { completed_at: number | null }[] }>(server, "GET", path);
    return (data.length === 2 && data.every((one) => one.completed_at !== null)) || undefined;
  });
  expect(await server.stop()).toBe(0);
  for (const canary of [WORDS, NAME, QUERY, METADATA]) expect([canary, holding(dataDir, canary)]).toEqual([canary, []]);
  expect(holding(dataDir, "keptcanarywords")).not.toEqual([]);

  await using again = await startServer({ dataDir });
  expect((await search(again, one, { query: "keptcanarywords" })).map((hit) => hit.file_id)).toEqual([kept]);
  expect((await again.fetch(`/v1/files/${await upload(again, "new.txt", "new")}/content`)).status).toBe(200);
});
