/**
 * kill -9 at random instants during ingest, then a restart on the same data directory. What was acknowledged is there,
 * completes by itself and is found; nothing is there twice or left over; the database is sound.
 * ROUNDS says how often (50 unless set), SEED repeats a run.
 */
import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { json, newStore, search } from "../helpers/api.ts";
import type { StoreFile } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 50);
const MAX_LIFE_MS = 700;
/** Writers at the same time, as an SDK's batch upload has. */
const WRITERS = 4;

/** What the client was told: only answers of status 200 count. */
interface Acknowledged {
  /** file id -> the word that only this file holds */
  uploaded: Map<string, string>;
  attached: Set<string>;
  /** Asked to be deleted, answered or not. */
  deleting: Set<string>;
  deleted: Set<string>;
}

test(
  `${ROUNDS} times killed in the middle of its work, the server comes back whole`,
  async () => {
    const random = seededRandom(runSeed("crash"));
    using dir = tempDir();
    const dataDir = dir.join("data");
    const known: Acknowledged = { uploaded: new Map(), attached: new Set(), deleting: new Set(), deleted: new Set() };
    let storeId = "";
    let slowestMs = 0;

    for (let round = 0; round < ROUNDS; round++) {
      const server = await startServer({ dataDir });
      slowestMs = Math.max(slowestMs, server.startMs);
      try {
        storeId ||= await newStore(server, { name: "crash" });
        const life = Promise.withResolvers<void>();
        setTimeout(life.resolve, Math.floor(random() * MAX_LIFE_MS));
        const writers = Array.from({ length: WRITERS }, (_, i) =>
          write(server, storeId, known, `w${round}x${i}`, random),
        );
        await life.promise;
        await server.kill();
        await Promise.all(writers);
      } finally {
        await server[Symbol.asyncDispose]();
      }
    }
    expect(known.attached.size).toBeGreaterThan(0);

    await using server = await startServer({ dataDir });
    // Nobody asks for anything: the files go on by themselves.
    await waitFor(
      "nothing is in progress",
      async () => {
        const store = await json<{ file_counts: { in_progress: number } }>(
          server,
          "GET",
          `/v1/vector_stores/${storeId}`,
        );
        return store.file_counts.in_progress === 0 ? true : undefined;
      },
      120_000,
    );
    await checkAnswers(server, storeId, known);
    expect(await server.stop()).toBe(0);
    checkDirectory(dataDir, storeId);
    console.log(
      `${ROUNDS} kills: ${known.uploaded.size} uploads, ${known.attached.size} attaches, ${known.deleted.size} deletes acknowledged; slowest start ${Math.round(slowestMs)} ms`,
    );
  },
  60_000 + ROUNDS * 10_000,
);

/** Uploads, attaches and sometimes deletes until the server is gone; keeps what was acknowledged. */
async function write(
  server: TestServer,
  storeId: string,
  known: Acknowledged,
  name: string,
  random: () => number,
): Promise<void> {
  for (let i = 0; ; i++) {
    const word = `${name}n${i}`;
    // Some files are long enough to take several chunks and embedding batches.
    const paragraphs = random() < 0.2 ? 120 : 1 + Math.floor(random() * 4);
    const text = Array.from(
      { length: paragraphs },
      (_, p) => `Paragraph ${p} of ${word} speaks of rivers, bridges and the weather of the week.`,
    ).join("\n\n");
    try {
      const form = new FormData();
      form.set("purpose", "assistants");
      form.set("file", new Blob([text]), `${word}.txt`);
      const uploaded = await server.fetch("/v1/files", { method: "POST", body: form });
      const { id } = (await uploaded.json()) as { id: string };
      if (uploaded.status !== 200) throw new Error(`upload: ${uploaded.status}`);
      known.uploaded.set(id, word);
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
      known.attached.add(id);
      if (random() < 0.1) {
        known.deleting.add(id);
        await json(server, "DELETE", `/v1/files/${id}`);
        known.deleted.add(id);
      }
    } catch (error) {
      // The connection broke: what was in flight may or may not have happened. Any answer but 200 is a failure.
      if (error instanceof Error && /: \d{3}/.test(error.message)) throw error;
      return;
    }
  }
}

async function checkAnswers(server: TestServer, storeId: string, known: Acknowledged): Promise<void> {
  const files = new Set<string>();
  for await (const file of server.client.files.list()) {
    expect(files.has(file.id)).toBe(false);
    files.add(file.id);
  }
  const attached = new Map<string, StoreFile>();
  for await (const file of server.client.vectorStores.files.list(storeId, { limit: 100 })) {
    expect(attached.has(file.id)).toBe(false);
    attached.set(file.id, file as unknown as StoreFile);
  }
  for (const id of known.deleted) expect([id, files.has(id), attached.has(id)]).toEqual([id, false, false]);
  for (const [id, word] of known.uploaded) {
    if (known.deleting.has(id) && !files.has(id)) {
      // The delete happened, with its answer or without: then the file is gone from everywhere.
      expect([id, attached.has(id)]).toEqual([id, false]);
      continue;
    }
    expect([id, files.has(id)]).toEqual([id, true]);
    if (!known.attached.has(id)) continue;
    expect([id, attached.get(id)?.status, attached.get(id)?.last_error]).toEqual([id, "completed", null]);
    const hits = await search(server, storeId, { query: word, max_num_results: 1, search_mode: "keyword" });
    expect([word, hits[0]?.file_id]).toEqual([word, id]);
  }
}

/** The directory of a stopped server: rows agree with each other and with the files beside them. */
function checkDirectory(dataDir: string, storeId: string): void {
  const database = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  const count = (sql: string) => database.query<{ n: number }, []>(sql).get()?.n;
  expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  expect(database.query("PRAGMA foreign_key_check").all()).toEqual([]);
  const zero: Record<string, string> = {
    "chunks without their file": "SELECT count(*) AS n FROM chunk WHERE store_file NOT IN (SELECT seq FROM store_file)",
    "chunks of an older revision":
      "SELECT count(*) AS n FROM chunk c JOIN store_file f ON f.seq = c.store_file WHERE c.revision <> f.revision",
    "vectors without their chunk": "SELECT count(*) AS n FROM vector WHERE chunk_id NOT IN (SELECT id FROM chunk)",
    "terms without their chunk": "SELECT count(*) AS n FROM chunk_terms WHERE chunk_id NOT IN (SELECT id FROM chunk)",
    "chunks without a vector": "SELECT count(*) AS n FROM chunk WHERE id NOT IN (SELECT chunk_id FROM vector)",
    "chunks twice":
      "SELECT count(*) AS n FROM (SELECT 1 FROM chunk GROUP BY store_file, chunk_set, idx HAVING count(*) > 1)",
    "attached files that do not exist":
      "SELECT count(*) AS n FROM store_file WHERE file_id NOT IN (SELECT id FROM file)",
    "ingest jobs left": "SELECT count(*) AS n FROM job WHERE kind = 'ingest'",
    "wrong chunk counts":
      "SELECT count(*) AS n FROM store_file f WHERE n_chunks <> (SELECT count(*) FROM chunk c WHERE c.store_file = f.seq)",
    "wrong store counts": `SELECT count(*) AS n FROM vector_store s WHERE n_completed <> (SELECT count(*) FROM store_file f WHERE f.store_id = s.id AND f.status = 'completed')
      OR usage_bytes <> (SELECT coalesce(sum(usage_bytes), 0) FROM store_file f WHERE f.store_id = s.id)`,
  };
  expect(Object.fromEntries(Object.entries(zero).map(([what, sql]) => [what, count(sql)]))).toEqual(
    Object.fromEntries(Object.keys(zero).map((what) => [what, 0])),
  );
  expect(count(`SELECT count(*) AS n FROM vector_store WHERE id = '${storeId}'`)).toBe(1);

  const ids = new Set(
    database
      .query<{ id: string }, []>("SELECT id FROM file")
      .all()
      .map((row) => row.id),
  );
  database.close();
  const blobs = readdirSync(join(dataDir, "blobs"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(new Set(blobs.map((entry) => entry.name))).toEqual(ids);
  expect(readdirSync(join(dataDir, "tmp"))).toEqual([]);
}
