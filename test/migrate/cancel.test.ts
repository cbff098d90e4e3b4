/** A migration that is cancelled, whenever that is, leaves the database and the disk as they were. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { json } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, ask, buildStore, migrationEnd, SECOND_MODEL, startMigration } from "./corpus.ts";

const QUESTION = "which river carries water";
const RECHUNKED = { type: "static", static: { max_chunk_size_tokens: 120, chunk_overlap_tokens: 20 } };

interface Progress {
  status: string;
  progress: { chunks_done: number };
}

/** Rows, and files below the directory of indexes. */
function held(server: TestServer): Record<string, number | string[]> {
  using db = new Database(join(server.dataDir, "meta.sqlite"), { readonly: true });
  const count = (table: string) => db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? -1;
  return {
    chunks: count("chunk"),
    terms: count("chunk_terms"),
    vectors: count("vector"),
    files: count("generation_file"),
    cached: count("embedding_cache"),
    generations: count("generation WHERE state <> 'retired'"),
    // Of the query log, and of what is due later.
    migrations: count("migration WHERE status NOT IN ('cancelled')"),
    onDisk: readdirSync(join(server.dataDir, "stores"), { recursive: true }).map(String).toSorted(),
    temporary: readdirSync(join(server.dataDir, "tmp")),
  };
}

async function isQuiet(server: TestServer): Promise<true | undefined> {
  const metrics = await (await server.fetch("/metrics")).text();
  return /^lectern_jobs_(waiting|running)\{kind="(retire|migrate|catch_up|build_index)"\} [1-9]/m.test(metrics)
    ? undefined
    : true;
}

test("a cancelled migration leaves no trace, in the database or on the disk", async () => {
  using dir = tempDir();
  await addSecondModel(dir.join("data"));
  // Graphs from the first hundred vectors on, so that the new generation would have one.
  const args = ["--log-level", "warn", "--hnsw-threshold", "100"];
  await using server = await startServer({ dataDir: dir.join("data"), args });
  const storeId = await buildStore(server, { files: 4, chunksEach: 100 });
  await ask(server, storeId, QUESTION);
  await waitFor("the live generation has its graph", async () => {
    const { index } = await json<{ index: { type: string } }>(server, "GET", `/v1/vector_stores/${storeId}`);
    return index.type === "hnsw" ? true : undefined;
  });
  await waitFor("nothing is under way", () => isQuiet(server));
  const before = held(server);
  const answer = await ask(server, storeId, QUESTION);

  const moments: [string, (state: Progress) => boolean][] = [
    ["at once", () => true],
    ["while it is built", ({ progress, status }) => progress.chunks_done > 0 || status === "ready"],
    ["when it is ready", ({ status }) => status === "ready"],
  ];
  for (const [when, isNow] of moments) {
    for (const more of [{}, { chunking_strategy: RECHUNKED }]) {
      const { id } = await startMigration(server, storeId, { embedding_model: SECOND_MODEL, dry_run: true, ...more });
      const path = `/v1/vector_stores/${storeId}/migrations/${id}`;
      await waitFor(`the moment to cancel (${when})`, async () =>
        isNow(await json<Progress>(server, "GET", path)) ? true : undefined,
      );
      await json(server, "POST", `${path}/cancel`, {});
      expect((await migrationEnd(server, storeId, id, (status) => status === "cancelled")).last_error).toBeNull();
      await waitFor("it is cleared away", () => isQuiet(server));
      expect({ when, ...held(server) }).toEqual({ when, ...before });
      expect(await ask(server, storeId, QUESTION)).toEqual(answer);
    }
  }
}, 180_000);
