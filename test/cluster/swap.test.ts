/**
 * A store is moved to another model and back while clients search it at two servers on one database: every answer is wholly
 * of one generation, and from the swap on both servers answer by the new one. LECTERN_SWAP_FILES: how many files of twenty
 * chunks each (12 unless set).
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { json } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import {
  addSecondModel,
  type Answer,
  ask,
  buildStore,
  migrationEnd,
  QUESTIONS,
  startMigration,
} from "../migrate/corpus.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { startReplicas } from "./servers/replicas.ts";

setDefaultTimeout(480_000);

const SIZE = { files: Number(process.env["LECTERN_SWAP_FILES"] ?? 12), chunksEach: 20 };
/** Around a swap: what was asked within so long of the first answer by the new generation. ms */
const AROUND_MS = 1000;

/** A client that asks until it is told to stop. */
interface Client {
  readonly answers: { question: string; answer: Answer; from: number; ms: number }[];
  readonly failures: string[];
  stop(): Promise<void>;
}

function startClient(server: TestServer, store: string): Client {
  const client: Client = { answers: [], failures: [], stop: () => Promise.resolve() };
  const stopping = new AbortController();
  const running = (async () => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const question = QUESTIONS[turn % QUESTIONS.length] ?? "";
      const from = performance.now();
      try {
        const answer = await ask(server, store, question);
        client.answers.push({ question, answer, from, ms: performance.now() - from });
      } catch (error) {
        client.failures.push(String(error));
      }
    }
  })();
  client.stop = async () => {
    stopping.abort();
    await running;
  };
  return client;
}

async function answersOf(server: TestServer, store: string): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (const question of QUESTIONS) answers.set(question, await ask(server, store, question));
  return answers;
}

const p99 = (ms: readonly number[]) => ms.toSorted((a, b) => a - b)[Math.floor(ms.length * 0.99)] ?? 0;

/** What its client waited: before the migration was near its end, around the swap, and for the first answer after it. */
function waits({ answers }: Client) {
  const first = answers.findIndex(({ answer }) => answer.generation === "2");
  const at = answers[first]?.from ?? 0;
  const msOf = (isOf: (from: number) => boolean) => answers.filter(({ from }) => isOf(from)).map(({ ms }) => ms);
  return {
    before: msOf((from) => from < at - AROUND_MS),
    around: msOf((from) => Math.abs(from - at) <= AROUND_MS),
    first: answers[first]?.ms ?? 0,
  };
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test("answer by one generation each, before, after and back", async () => {
    await using replicas = await startReplicas(await testDatabase(), 2, { prepare: addSecondModel });
    const [a, b] = [replicas.servers[0]!, replicas.servers[1]!];
    const store = await buildStore(a, SIZE);
    const before = await answersOf(a, store);
    expect(await answersOf(b, store)).toEqual(before);
    const idle = startClient(b, store);
    await waitFor("an idle server has answered", () => (idle.answers.length >= 50 ? true : undefined));
    await idle.stop();

    const clients = [a, b].map((server) => startClient(server, store));
    const { id } = await startMigration(a, store);
    expect(await migrationEnd(b, store, id)).toMatchObject({ status: "completed", last_error: null });
    // Acknowledged to a client of one server: the other answers by it too.
    const after = await answersOf(a, store);
    const swapped = [...after.values()].map(({ generation }) => generation);
    expect(new Set(swapped)).toEqual(new Set(["2"]));
    expect(await answersOf(b, store)).toEqual(after);
    expect(QUESTIONS.some((question) => before.get(question)?.hits.join() !== after.get(question)?.hits.join())).toBe(
      true,
    );
    await json(b, "POST", `/v1/vector_stores/${store}/migrations/${id}/rollback`, {});
    await migrationEnd(a, store, id, (status) => status === "rolled_back");
    for (const server of [a, b]) expect(await answersOf(server, store)).toEqual(before);

    for (const client of clients) {
      await client.stop();
      expect(client.failures).toEqual([]);
      expect(client.answers.length).toBeGreaterThan(20);
      for (const { question, answer } of client.answers) {
        const wanted = answer.generation === "1" ? before : after;
        expect(answer).toEqual(wanted.get(question)!);
      }
    }
    const counts = clients.map(({ answers }) => answers.length);
    const of = clients.map(waits);
    const shown = (ms: number) => `${ms.toFixed(0)} ms`;
    console.log(
      `answers: ${counts.join(" and ")}; p99 idle ${shown(p99(idle.answers.map(({ ms }) => ms)))}, ` +
        `while it is built ${shown(p99(of.flatMap(({ before }) => before)))}, ` +
        `around the swap ${shown(p99(of.flatMap(({ around }) => around)))}; ` +
        `the first answers after it took ${of.map(({ first }) => shown(first)).join(" and ")}`,
    );
  });
});
