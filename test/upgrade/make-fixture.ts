/**
 * Writes test/fixtures/data-schema-N.tar.gz, a small data directory as a version of schema N left it. Made once, with that
 * version; later versions must open what is committed:
 *
 *   bun test/upgrade/make-fixture.ts N COMMAND...
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { addText, json, newStore } from "../helpers/api.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { FIXTURE } from "./fixture.ts";

const [schema, ...command] = process.argv.slice(2);
if (schema === undefined || command.length === 0) throw new Error("say which schema, and how that version is called");
using dir = tempDir();
const dataDir = dir.join("data");
const server = await startServer({ dataDir, command, env: { LECTERN_API_KEY: FIXTURE.key } });
await fill(server, Number(schema));
if ((await server.stop()) !== 0) throw new Error(server.log());
for (const name of ["native", "reserve", "parsed", "lock", "tmp"])
  rmSync(join(dataDir, name), { recursive: true, force: true });
const archive = join(ROOT, `test/fixtures/data-schema-${schema}.tar.gz`);
await Bun.spawn(["tar", "--sort=name", "--owner=0", "--group=0", "-czf", archive, "-C", dir.path, "data"]).exited;
console.log(`${Bun.file(archive).size} bytes`);

async function fill(on: TestServer, version: number): Promise<void> {
  const store = await newStore(on, { name: FIXTURE.store, metadata: { owner: "harbour" } });
  for (const [name, text] of Object.entries(FIXTURE.files)) await addText(on, store, name, text);
  await json(on, "POST", `/v1/vector_stores/${store}/search`, { query: FIXTURE.query });
  const search = { type: "file_search", vector_store_ids: [store] };
  if (version >= 11)
    await json(on, "POST", "/v1/responses", { model: "lectern", input: FIXTURE.query, tools: [search], store: true });
  if (version >= 12) {
    await json(on, "POST", "/v1/assistants", {
      model: "lectern",
      name: FIXTURE.assistant,
      tools: [{ type: "file_search" }],
    });
    await json(on, "POST", "/v1/threads", { messages: [{ role: "user", content: FIXTURE.query }] });
  }
  if (version >= 13) await json(on, "POST", "/v1/conversations", { metadata: { topic: FIXTURE.store } });
}
process.exit(0);
