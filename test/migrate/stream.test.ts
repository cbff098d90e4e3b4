/**
 * Files stream into a store without pause, much faster than its new model takes them up: the migration ends all the
 * same, and no file is lost or failed by waiting for it.
 */
import { expect, test } from "bun:test";
import { addMiniLm, MINILM } from "../bench/models.ts";
import { json, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { ask, buildStore, makeText, migrationEnd, QUESTIONS, startMigration } from "./corpus.ts";

const STREAMS = 2;
const CHUNKS_EACH = 10;
/** On a machine that is busy with other tests too. */
const LONGEST_MS = 400_000;
const SMALL_CHUNKS = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };

interface Counts {
  file_counts: { completed: number; failed: number; in_progress: number; total: number };
}

test(
  "a store into which files stream faster than its new model embeds them changes its model nevertheless",
  async () => {
    using dir = tempDir();
    const dataDir = dir.join("data");
    // Still many times slower than the model that the store has.
    await addMiniLm(dataDir, 1);
    await using server = await startServer({ dataDir, args: ["--log-level", "warn"] });
    const storeId = await buildStore(server, { files: 4, chunksEach: 10 });
    const countsOf = async () => (await json<Counts>(server, "GET", `/v1/vector_stores/${storeId}`)).file_counts;

    const stopping = new AbortController();
    let sent = 0;
    const send = async () => {
      const number = sent++;
      const file_id = await upload(server, `streamed-${number}.txt`, makeText(1000 + number, CHUNKS_EACH));
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id, chunking_strategy: SMALL_CHUNKS });
    };
    const { id } = await startMigration(server, storeId, { embedding_model: MINILM });
    const streams = Promise.all(
      Array.from({ length: STREAMS }, async () => {
        while (!stopping.signal.aborted) await send();
      }),
    );
    const state = await Promise.race([
      migrationEnd(server, storeId, id, undefined, LONGEST_MS),
      streams.then(() => null),
    ]);
    const counts = await countsOf();
    stopping.abort();
    await streams;

    expect(state).toMatchObject({ status: "completed", last_error: null });
    // They came all the time; some wait, and some were taken up meanwhile.
    expect(counts.in_progress).toBeGreaterThan(0);
    expect(counts.failed).toBe(0);
    expect(state?.report?.counts.to).toBeGreaterThan(40);
    const answer = await ask(server, storeId, QUESTIONS[0] ?? "");
    expect([answer.generation, answer.hits.length]).toEqual(["2", 10]);
  },
  LONGEST_MS + 60_000,
);
