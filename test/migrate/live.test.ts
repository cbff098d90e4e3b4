/**
 * A store is moved to another model and back while clients search it and others attach and delete files. No search
 * fails or comes back empty, every answer is wholly from one of the two generations, and in the end the store answers
 * as one that was built with the new model from the start. MIGRATE_CHUNKS says how large (20,000 unless set).
 */
import { expect, test } from "bun:test";
import { addText, json } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import {
  addSecondModel,
  ask,
  buildStore,
  migrationEnd,
  QUESTIONS,
  SECOND_MODEL,
  startMigration,
  untilIndexed,
  type Answer,
} from "./corpus.ts";

const CHUNKS = Number(process.env["MIGRATE_CHUNKS"] ?? 20_000);
const FILES = 40;
const SEARCHERS = 4;
const WRITERS = 2;

interface Load {
  answers: { question: string; answer: Answer }[];
  failures: string[];
  /** Ends the load and resolves when every client has. */
  stop(): Promise<void>;
}

/** Clients that search the same questions, and others that attach and delete files about something else. */
function startLoad(server: TestServer, storeId: string): Load {
  const load: Load = { answers: [], failures: [], stop: () => Promise.resolve() };
  const stopping = new AbortController();
  const guard = async (work: (turn: number) => Promise<void>) => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      try {
        await work(turn);
      } catch (error) {
        load.failures.push(String(error));
      }
    }
  };
  const searchers = Array.from({ length: SEARCHERS }, (_, client) =>
    guard(async (turn) => {
      const question = QUESTIONS[(turn + client) % QUESTIONS.length] ?? "";
      load.answers.push({ question, answer: await ask(server, storeId, question) });
    }),
  );
  const writers = Array.from({ length: WRITERS }, (_, client) =>
    guard(async (turn) => {
      // Digits only: the models know no word of it, so it never enters the answers that are compared.
      const id = await addText(server, storeId, `extra-${client}-${turn}.txt`, `${client}${turn}`.padStart(40, "7"));
      if (turn % 2 === 0) await json(server, "DELETE", `/v1/vector_stores/${storeId}/files/${id}`);
    }),
  );
  load.stop = async () => {
    stopping.abort();
    await Promise.all([...searchers, ...writers]);
  };
  return load;
}

async function answersOf(server: TestServer, storeId: string): Promise<Map<string, string[]>> {
  const answers = new Map<string, string[]>();
  for (const question of QUESTIONS) answers.set(question, (await ask(server, storeId, question)).hits);
  return answers;
}

test(`${CHUNKS} chunks change their model and go back under load, and no answer is wrong`, async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  await addSecondModel(dataDir);
  await using server = await startServer({ dataDir, args: ["--log-level", "warn"] });
  const size = { files: FILES, chunksEach: Math.ceil(CHUNKS / FILES) };
  const storeId = await buildStore(server, size);
  const freshId = await buildStore(server, { ...size, model: SECOND_MODEL });
  const before = await answersOf(server, storeId);
  const fresh = await answersOf(server, freshId);
  expect(QUESTIONS.some((question) => before.get(question)?.join() !== fresh.get(question)?.join())).toBe(true);

  const load = startLoad(server, storeId);
  const { id } = await startMigration(server, storeId, { gate: { min_recall: 0.9 } });
  const state = await migrationEnd(server, storeId, id);
  expect(state).toMatchObject({ status: "completed", last_error: null, report: { gate: "passed" } });
  const reached = load.answers.length;
  await waitFor("the new generation answers", () => (load.answers.length > reached + 50 ? true : undefined));
  await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/rollback`, {});
  await migrationEnd(server, storeId, id, (status) => status === "rolled_back");
  const rolledBack = load.answers.length;
  await waitFor("the old generation answers again", () => (load.answers.length > rolledBack + 50 ? true : undefined));
  await load.stop();

  expect(load.failures).toEqual([]);
  const seen = new Set<string>();
  for (const { question, answer } of load.answers) {
    seen.add(answer.generation);
    const expected = answer.generation === "1" ? before.get(question) : fresh.get(question);
    expect({ question, ...answer }).toEqual({ question, generation: answer.generation, hits: expected ?? [] });
  }
  expect([...seen].toSorted()).toEqual(["1", "2"]);

  // Once more, without load: what was attached meanwhile is in the new generation, what was deleted is not.
  await untilIndexed(server, storeId);
  const again = await startMigration(server, storeId);
  expect((await migrationEnd(server, storeId, again.id)).status).toBe("completed");
  expect(await answersOf(server, storeId)).toEqual(fresh);
  const { file_counts } = await json<{ file_counts: { completed: number; total: number } }>(
    server,
    "GET",
    `/v1/vector_stores/${storeId}`,
  );
  expect(file_counts.completed).toBe(file_counts.total);
}, 300_000);
