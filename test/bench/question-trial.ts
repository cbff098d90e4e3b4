import { json, newStore, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";
import { type BenchContext, medianTimes, round, type Times, timesOf } from "./bench.ts";
import { addMiniLm, makeTexts, MINILM } from "./models.ts";
import { metricOf, storeOf } from "./server-data.ts";

const ROUNDS = 3;
/** A new one is asked when the last was answered: the server is never idle between two. */
const QUESTIONS = 200;

/**
 * A question's vector by the model that indexes at the same time, as a client asks for it; and a small file of another
 * tenant.
 */
export async function questionTrial({ scale, report }: BenchContext): Promise<void> {
  const questions = scale === "small" ? 20 : QUESTIONS;
  using dir = tempDir();
  const dataDir = dir.join("data");
  await addMiniLm(dataDir);
  await using server = await startServer({ dataDir });
  const texts = await makeTexts(40, 8000, 2);
  const tenantId = await newTenant(server, "other");
  const other = as(server, (await newKey(server, { tenant_id: tenantId })).key);
  const small = await newStore(other, { name: "small", embedding_model: MINILM });
  await smallFile(other, small, "first");
  const runs = { idle: [] as Times[], indexing: [] as Times[] };
  const files = { idle: [] as number[], indexing: [] as number[] };
  for (let turn = 0; turn < (scale === "small" ? 1 : ROUNDS); turn++) {
    runs.idle.push(await ask(server, questions));
    files.idle.push(await smallFile(other, small, `idle ${turn}`));
    const fed = await feed(server, texts, turn);
    runs.indexing.push(await ask(server, questions));
    files.indexing.push(await smallFile(other, small, `indexing ${turn}`));
    await json(server, "DELETE", `/v1/vector_stores/${fed}`);
    await waitFor("the lanes are idle", async () => (await waiting(server)) === 0 || undefined, 60_000);
  }
  const idle = medianTimes(runs.idle);
  for (const [situation, times] of Object.entries(runs)) {
    const found = medianTimes(times);
    report({
      trial: `a question's vector, ${situation}`,
      model: MINILM,
      ...found,
      p99_over_idle: round(found.p99_ms / idle.p99_ms),
    });
  }
  for (const [situation, times] of Object.entries(files))
    report({ trial: `a small file, ${situation}`, model: MINILM, p50_ms: timesOf(times).p50_ms });
}

async function ask(server: TestServer, count: number): Promise<Times> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const input = `how do I reset the password of account ${i} of the customer`;
    await json(server, "POST", "/v1/embeddings", { model: MINILM, input, input_type: "query" });
    times.push(performance.now() - started);
  }
  return timesOf(times);
}

/** Milliseconds until a file of a few words can be searched. */
async function smallFile(server: TestServer, store: string, text: string): Promise<number> {
  const id = await upload(server, `${text}.txt`, `A short note: ${text}.`);
  const started = performance.now();
  await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: id });
  await waitFor("the small file is in", async () => {
    const { file_counts } = await storeOf(server, store);
    return file_counts.in_progress === 0 || undefined;
  });
  return performance.now() - started;
}

/** Gives a store of its own more to index than the trial lasts; resolves when the lanes are at it. */
async function feed(server: TestServer, texts: readonly string[], turn: number): Promise<string> {
  const store = await newStore(server, { name: `fed ${turn}`, embedding_model: MINILM });
  for (const [i, text] of texts.entries()) {
    const id = await upload(server, `fed-${turn}-${i}.txt`, `${turn} ${text}`);
    await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: id });
  }
  await waitFor("indexing has begun", async () => (await waiting(server)) > 0 || undefined, 60_000);
  return store;
}

/** Calls that wait for a worker of the ingest lane. */
const waiting = (server: TestServer) => metricOf(server, 'lectern_lane_waiting{lane="ingest"}');
