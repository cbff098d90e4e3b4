/**
 * A store is moved to another model and back while clients search it at two servers on one database: every answer is wholly
 * of one generation, and from the swap on both servers answer by the new one.
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

const SIZE = { files: 12, chunksEach: 20 };

/** A client that asks until it is told to stop. */
interface Client {
  readonly answers: { question: string; answer: Answer }[];
  readonly failures: string[];
  readonly ms: number[];
  stop(): Promise<void>;
}

function startClient(server: TestServer, store: string): Client {
  const client: Client = { answers: [], failures: [], ms: [], stop: () => Promise.resolve() };
  const stopping = new AbortController();
  const running = (async () => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const question = QUESTIONS[turn % QUESTIONS.length] ?? "";
      const from = performance.now();
      try {
        client.answers.push({ question, answer: await ask(server, store, question) });
      } catch (error) {
        client.failures.push(String(error));
      }
      client.ms.push(performance.now() - from);
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

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test("answer by one generation each, before, after and back", async () => {
    await using replicas = await startReplicas(await testDatabase(), 2, { prepare: addSecondModel });
    const [a, b] = [replicas.servers[0]!, replicas.servers[1]!];
    const store = await buildStore(a, SIZE);
    const before = await answersOf(a, store);
    expect(await answersOf(b, store)).toEqual(before);
    const idle = startClient(b, store);
    await waitFor("an idle server has answered", () => (idle.ms.length >= 50 ? true : undefined));
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
    const busy = p99(clients.flatMap(({ ms }) => ms));
    console.log(`answers: ${counts.join(" and ")}; p99 ${busy.toFixed(0)} ms, idle ${p99(idle.ms).toFixed(0)} ms`);
  });
});
