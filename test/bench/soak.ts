/**
 * An hour of everything at once: files come and go, searches of every kind, stores moved to another model and back.
 *
 *   bun test/bench/soak.ts        MINUTES=60 (default)   OUT=folder (default dist/soak)   SEED=number   SPEED=1 (times the load)
 *
 * Writes soak.svg (memory, latency of searches, queue, chunks) and soak.jsonl (a line a sample), and prints how fast each
 * grows, by a straight line through the samples after the first tenth. Ends with 1 when a request failed that should
 * not, when private memory grew by more than a tenth an hour, or when the queue did.
 */
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../helpers/random.ts";
import { json, newStore, search, upload } from "../helpers/api.ts";
import { mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { addSecondModel, SECOND_MODEL, startMigration } from "../migrate/corpus.ts";
import { percentile, round } from "./bench.ts";
import { BUNDLED, makeTexts } from "./models.ts";
import { drawPlot } from "./plot.ts";
import { settled, storeOf } from "./server-data.ts";
import { Words } from "./corpus.ts";

const MINUTES = Number(process.env["MINUTES"] ?? 60);
const OUT = process.env["OUT"] ?? join(ROOT, "dist/soak");
const SEED = Number(process.env["SEED"] ?? 1);
const SPEED = Number(process.env["SPEED"] ?? 1);
/** Files that the store holds once it is full: from then on as many go as come. */
const FILES = 150;
/** What the server keeps by default. */
const CACHED_QUERIES = 10_000;
const WRITERS = 2;
/** Of each writer: well below what a small machine can index beside the searches, so that the queue should stay short. */
const WRITE_EVERY_MS = 500 / SPEED;
const SEARCHES_A_SECOND = 10 * SPEED;
const SAMPLES = 240;
const PAUSE_BETWEEN_MIGRATIONS_MS = Math.min(120_000 / SPEED, (MINUTES * 60_000) / 12);
const MOST_GROWTH_AN_HOUR = 0.1;

interface Sample {
  minute: number;
  resident_mib: number;
  /** Without the pages of files, which grow with the database: its query log and its records of deletions. */
  private_mib: number;
  database_mib: number;
  p50_ms: number;
  p99_ms: number;
  waiting: number;
  chunks: number;
  generation: number;
}

interface Status {
  queues: { waiting: number }[];
  disk: { database_bytes: number };
}

const random = seededRandom(SEED);
const words = new Words(SEED);
const texts = await makeTexts(60, 600, SEED);
using dir = tempDir();
const dataDir = dir.join("data");
await addSecondModel(dataDir);
await using server = await startServer({ dataDir, args: ["--log-level", "warn"] });
const storeId = await newStore(server, { name: "soak" });
const counts = { uploads: 0, deletions: 0, searches: 0, migrations: 0 };
// Full from the start, the store and the cache of queries' vectors: what grows after that should not.
for (let i = 0; i < FILES; i++) await addFile();
await settled(server, storeId);
for (let asked = 0; asked < CACHED_QUERIES; asked += 100) {
  const questions = Array.from({ length: 100 }, () => words.question());
  await Promise.all(questions.map((query) => search(server, storeId, { query, search_mode: "vector" })));
}
const endsAt = performance.now() + MINUTES * 60_000;
const running = () => performance.now() < endsAt;
const failures = new Map<string, number>();
let latencies: number[] = [];

mkdirSync(OUT, { recursive: true });
rmSync(join(OUT, "soak.jsonl"), { force: true });
console.log(`${MINUTES} minutes, SEED=${SEED}, into ${OUT}`);
const samples: Sample[] = [];
await Promise.all([
  ...Array.from({ length: WRITERS }, () => repeat("write", () => every(WRITE_EVERY_MS, write))),
  searchAtFixedInstants(),
  repeat("migration", migrate),
  sampleRegularly(),
]);
finish();

async function repeat(name: string, once: () => Promise<void>): Promise<void> {
  while (running()) await counted(name, once);
}

/** A failure is counted, not thrown: the hour goes on. */
async function counted(name: string, once: () => Promise<void>): Promise<void> {
  try {
    await once();
  } catch (error) {
    const text = `${name}: ${(error instanceof Error ? error.message : String(error)).replaceAll(/\w+_\w{20,}|file-\w+/g, "…").slice(0, 200)}`;
    failures.set(text, (failures.get(text) ?? 0) + 1);
    await Bun.sleep(200);
  }
}

async function addFile(): Promise<void> {
  const id = await upload(server, `soak-${counts.uploads++}.txt`, `${words.text(20)} ${random.pick(texts)}`);
  const attributes = { lot: random.below(10) };
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id, attributes });
}

/** One file in; beyond FILES of them as many go, sometimes from the store first. */
async function write(): Promise<void> {
  await addFile();
  const path = `/v1/vector_stores/${storeId}/files`;
  const { file_counts } = await storeOf(server, storeId);
  for (let excess = file_counts.completed - FILES; excess > 0; excess--) {
    const page = await json<{ data: { id: string }[] }>(server, "GET", `${path}?order=asc&limit=20`);
    const victim = random.pick(page.data).id;
    const where = random() < 0.5 ? `${path}/${victim}` : `/v1/files/${victim}`;
    const response = await server.fetch(where, { method: "DELETE" });
    // The other writer may have taken it.
    if (response.status !== 200 && response.status !== 404) throw new Error(`DELETE: ${response.status}`);
    await server.fetch(`/v1/files/${victim}`, { method: "DELETE" });
    counts.deletions++;
  }
}

async function searchAtFixedInstants(): Promise<void> {
  const pending: Promise<void>[] = [];
  for (let due = performance.now(); running(); due += 1000 / SEARCHES_A_SECOND) {
    await Bun.sleep(Math.max(0, due - performance.now()));
    pending.push(counted("search", () => searchOnce(due)));
    if (pending.length > 200) await Promise.all(pending.splice(0, 100));
  }
  await Promise.all(pending);
}

async function searchOnce(due: number): Promise<void> {
  const search_mode = random.pick(["hybrid", "hybrid", "vector", "keyword"]);
  const filters = random() < 0.3 ? { type: "eq", key: "lot", value: random.below(10) } : null;
  await search(server, storeId, { query: words.question(), search_mode, filters });
  latencies.push(performance.now() - due);
  counts.searches++;
}

async function migrate(): Promise<void> {
  await pause(PAUSE_BETWEEN_MIGRATIONS_MS);
  if (!running()) return;
  const to = counts.migrations % 2 === 0 ? SECOND_MODEL : BUNDLED;
  const { id } = await startMigration(server, storeId, { embedding_model: to, retain_hours: 0 });
  for (;;) {
    const state = await json<{ status: string; last_error: { message: string } | null }>(
      server,
      "GET",
      `/v1/vector_stores/${storeId}/migrations/${id}`,
    );
    if (state.status === "completed") break;
    if (["failed", "cancelled", "ready"].includes(state.status)) {
      throw new Error(`migration to ${to}: ${state.status} ${state.last_error?.message ?? ""}`);
    }
    if (!running()) return;
    await pause(1000);
  }
  counts.migrations++;
}

async function sampleRegularly(): Promise<void> {
  const everyMs = (MINUTES * 60_000) / SAMPLES;
  const startedAt = performance.now();
  while (running()) {
    await pause(everyMs);
    await counted("sample", async () => {
      const sample = await takeSample((performance.now() - startedAt) / 60_000);
      samples.push(sample);
      appendFileSync(join(OUT, "soak.jsonl"), `${JSON.stringify(sample)}\n`);
      if (samples.length % 20 === 0) console.log(JSON.stringify(sample));
    });
  }
}

async function takeSample(minute: number): Promise<Sample> {
  const taken = latencies;
  latencies = [];
  const { index } = await storeOf(server, storeId);
  const status = await json<Status>(server, "GET", "/v1/admin/status");
  const { queues, disk } = status;
  const memory = memoryOf(server.pid);
  return {
    minute: round(minute, 4),
    resident_mib: mebibytes(memory.residentBytes),
    private_mib: mebibytes(memory.privateBytes),
    database_mib: mebibytes(disk.database_bytes),
    p50_ms: round(percentile(taken, 50)),
    p99_ms: round(percentile(taken, 99)),
    waiting: queues.reduce((sum, { waiting }) => sum + waiting, 0),
    chunks: index.chunks,
    generation: (index as { generation?: number }).generation ?? 0,
  };
}

/** Runs `once` so that it begins at most this often. */
async function every(ms: number, once: () => Promise<void>): Promise<void> {
  const due = performance.now() + ms;
  await once();
  await pause(due - performance.now());
}

async function pause(ms: number): Promise<void> {
  await Bun.sleep(Math.max(0, Math.min(ms, endsAt - performance.now())));
}

function finish(): void {
  const settled = samples.slice(Math.floor(samples.length / 10));
  const slope = (pick: (sample: Sample) => number) => slopeAnHour(settled, pick);
  const memory = slope((s) => s.private_mib);
  const middleOf = (pick: (sample: Sample) => number) => percentile(settled.map(pick), 50);
  const middle = middleOf((s) => s.private_mib);
  const table = [
    ["private memory", `${middle} MiB`, `${round(memory)} MiB/h`],
    ["resident memory", `${middleOf((s) => s.resident_mib)} MiB`, `${round(slope((s) => s.resident_mib))} MiB/h`],
    ["database", `${middleOf((s) => s.database_mib)} MiB`, `${round(slope((s) => s.database_mib))} MiB/h`],
    ["search p50", `${middleOf((s) => s.p50_ms)} ms`, `${round(slope((s) => s.p50_ms))} ms/h`],
    ["search p99", `${middleOf((s) => s.p99_ms)} ms`, `${round(slope((s) => s.p99_ms))} ms/h`],
    ["jobs waiting", String(middleOf((s) => s.waiting)), `${round(slope((s) => s.waiting))} /h`],
    ["chunks", String(middleOf((s) => s.chunks)), `${round(slope((s) => s.chunks))} /h`],
  ];
  for (const row of table) console.log(`${row[0]?.padEnd(16)} ${row[1]?.padStart(12)} ${row[2]?.padStart(16)}`);
  console.log(JSON.stringify({ ...counts, failures: Object.fromEntries(failures) }));
  void Bun.write(
    join(OUT, "soak.svg"),
    drawPlot(
      `Lectern, ${MINUTES} minutes of mixed load`,
      "minutes",
      samples.map((s) => s.minute),
      [
        {
          title: "memory, MiB",
          lines: [
            { name: "resident", values: samples.map((s) => s.resident_mib) },
            { name: "private", values: samples.map((s) => s.private_mib) },
            { name: "database", values: samples.map((s) => s.database_mib) },
          ],
        },
        {
          title: "searches, ms",
          lines: [
            { name: "p50", values: samples.map((s) => s.p50_ms) },
            { name: "p99", values: samples.map((s) => s.p99_ms) },
          ],
        },
        { title: "jobs waiting", lines: [{ name: "waiting", values: samples.map((s) => s.waiting) }] },
        { title: "chunks in the store", lines: [{ name: "chunks", values: samples.map((s) => s.chunks) }] },
      ],
    ),
  );
  // A short run says nothing about growth.
  const grew = MINUTES >= 10 && memory > middle * MOST_GROWTH_AN_HOUR;
  const queued = MINUTES >= 10 && slope((s) => s.waiting) > 40;
  if (grew) console.log("FAILED: memory grew");
  if (queued) console.log("FAILED: the queue grew");
  if (failures.size > 0) console.log("FAILED: requests failed");
  process.exitCode = grew || queued || failures.size > 0 ? 1 : 0;
}

/** Of the straight line through the points (least squares), per hour. */
function slopeAnHour(points: readonly Sample[], pick: (sample: Sample) => number): number {
  const meanX = points.reduce((sum, one) => sum + one.minute, 0) / points.length;
  const meanY = points.reduce((sum, one) => sum + pick(one), 0) / points.length;
  let [above, below] = [0, 0];
  for (const one of points) {
    above += (one.minute - meanX) * (pick(one) - meanY);
    below += (one.minute - meanX) ** 2;
  }
  return below === 0 ? 0 : (above / below) * 60;
}
