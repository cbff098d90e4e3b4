/**
 * The process is killed at every named point of a migration, and at random instants; after the restart the migration
 * goes on by itself to its end, or, where it was cancelled, leaves no trace. CRASHES says how many random kills (8 unless
 * set), SEED repeats a run.
 */
import { Database } from "bun:sqlite";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FAILPOINTS } from "../../src/platform/failpoint.ts";
import { json } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import {
  addSecondModel,
  ask,
  buildStore,
  migrationEnd,
  QUESTIONS,
  startMigration,
  type MigrationState,
} from "./corpus.ts";

const CRASHES = Number(process.env["CRASHES"] ?? 8);
const QUESTION = QUESTIONS[0] ?? "";

let dir: TempDir;
/** A data directory with one store, copied for every case. */
let template: string;
let storeId: string;
let before: string[];
let after: string[];

beforeAll(async () => {
  dir = tempDir();
  template = dir.join("template");
  await addSecondModel(template);
  await using server = await startServer({ dataDir: template });
  storeId = await buildStore(server, { files: 4, chunksEach: 40 });
  before = (await ask(server, storeId, QUESTION)).hits;
  const { id } = await startMigration(server, storeId);
  await migrationEnd(server, storeId, id);
  after = (await ask(server, storeId, QUESTION)).hits;
  await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/rollback`, {});
  await waitFor("the rolled back generation is gone", async () => (await vectorsOf(server)) || undefined);
  expect(await server.stop()).toBe(0);
}, 180_000);
afterAll(() => dir[Symbol.dispose]());

/** Whether nothing is left to do in the background. */
async function vectorsOf(server: TestServer): Promise<boolean> {
  const metrics = await (await server.fetch("/metrics")).text();
  return !/^lectern_jobs_(waiting|running)\{kind="(retire|migrate|catch_up)"\} [1-9]/m.test(metrics);
}

function freshCopy(name: string): string {
  const copy = dir.join(name.replaceAll(":", "-"));
  cpSync(template, copy, { recursive: true });
  return copy;
}

async function latest(server: TestServer): Promise<MigrationState | undefined> {
  const page = await json<{ data: MigrationState[] }>(server, "GET", `/v1/vector_stores/${storeId}/migrations?limit=1`);
  return page.data[0];
}

/** The store is wholly in one state, and nothing in the database belongs to no generation in use. */
async function checkWhole(dataDir: string, server: TestServer): Promise<void> {
  const state = await latest(server);
  const answer = await ask(server, storeId, QUESTION);
  expect(answer.hits).toEqual(state?.status === "completed" ? after : before);
  await waitFor("the background is quiet", async () => (await vectorsOf(server)) || undefined);
  expect(await server.stop()).toBe(0);
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  const count = (sql: string) => db.query<{ n: number }, []>(sql).get()?.n;
  expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect({
    strayVectors: count(
      "SELECT count(*) AS n FROM vector v JOIN generation g ON g.id = v.generation WHERE g.state = 'retired'",
    ),
    vectorsWithoutChunk: count("SELECT count(*) AS n FROM vector WHERE chunk_id NOT IN (SELECT id FROM chunk)"),
    building: count("SELECT count(*) AS n FROM generation WHERE state = 'building'"),
    live: count("SELECT count(*) AS n FROM generation WHERE state = 'live'"),
    unfinished: count(
      "SELECT count(*) AS n FROM migration WHERE status NOT IN ('completed', 'rolled_back', 'cancelled', 'failed')",
    ),
  }).toEqual({ strayVectors: 0, vectorsWithoutChunk: 0, building: 0, live: 1, unfinished: 0 });
}

/** What the client does to pass the named point. */
async function provoke(point: string, server: TestServer): Promise<void> {
  if (point.includes("cancelled") || point.startsWith("retire:")) {
    const { id } = await startMigration(server, storeId, { dry_run: true });
    await migrationEnd(server, storeId, id);
    await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/cancel`, {});
  } else if (point.includes("rollback")) {
    const { id } = await startMigration(server, storeId);
    await migrationEnd(server, storeId, id);
    await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/rollback`, {});
  } else await startMigration(server, storeId);
}

describe("killed at", () => {
  // The others are passed elsewhere: test/migrate/reanalyze.test.ts, test/upgrade/steps.test.ts, test/crash/image-kills.test.ts.
  for (const point of FAILPOINTS.filter((name) => !/^(reanalyze|upgrade|image|move):/.test(name))) {
    test(
      point,
      async () => {
        const dataDir = freshCopy(point);
        {
          await using doomed = await startServer({ dataDir, env: { LECTERN_TEST_FAILPOINT: point } });
          // The request that passes the point loses its connection.
          await provoke(point, doomed).catch(() => {});
          await waitFor(`${point} is passed`, async () => ((await isUp(doomed)) ? undefined : true), 100_000);
        }
        await using server = await startServer({ dataDir });
        await waitFor("the migration ends", async () => (isSettled(await latest(server)) ? true : undefined), 100_000);
        await checkWhole(dataDir, server);
      },
      120_000,
    );
  }
});

test(
  `killed ${CRASHES} times at random instants, it goes on to its end`,
  async () => {
    const random = seededRandom(runSeed("migrate"));
    const dataDir = freshCopy("random");
    let started = false;
    for (let round = 0; round < CRASHES; round++) {
      await using server = await startServer({ dataDir });
      if (!started) await startMigration(server, storeId);
      started = true;
      await Bun.sleep(Math.floor(random() * 300));
      await server.kill();
    }
    await using server = await startServer({ dataDir });
    await waitFor("the migration ends", async () => (isSettled(await latest(server)) ? true : undefined), 100_000);
    expect((await latest(server))?.status).toBe("completed");
    await checkWhole(dataDir, server);
  },
  180_000 + CRASHES * 5_000,
);

function isSettled(state: MigrationState | undefined): boolean {
  return state === undefined || ["completed", "rolled_back", "cancelled", "failed"].includes(state.status);
}

async function isUp(server: TestServer): Promise<boolean> {
  try {
    return (await server.fetch("/healthz")).ok;
  } catch {
    return false;
  }
}
