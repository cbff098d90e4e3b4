/** Answers over two servers on one database: written at one, and followed, ended and gone on from at the other. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type OpenAI from "openai";
import { addText, json, newStore, refusal } from "../../helpers/api.ts";
import { type ChatServer, startChatServer } from "../../helpers/chat-server.ts";
import { lacks } from "../../helpers/lacks.ts";
import { type Pair, startPair } from "../../helpers/pair.ts";
import { startOne, type TestServer } from "../../helpers/server.ts";
import { tempDir, type TempDir } from "../../helpers/temp-dir.ts";
import { waitFor } from "../../helpers/wait.ts";
import { hasPostgres } from "../servers/postgres.ts";

setDefaultTimeout(240_000);

type Answer = OpenAI.Responses.Response;
type Event = OpenAI.Responses.ResponseStreamEvent;

const WORDS = "These are some words of an answer that goes on for a while, so that it can be followed from elsewhere.";

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  let dir: TempDir;
  let upstream: ChatServer;
  let pair: Pair;
  let store: string;

  beforeAll(async () => {
    dir = tempDir();
    upstream = await startChatServer();
    const args = ["--chat-address", upstream.address, "--chat-model", "qwen3:8b", "--allow-private-addresses"];
    pair = await startPair(startOne, { dataDir: dir.join("data"), args });
    store = await newStore(pair.servers[0]);
    await addText(pair.servers[0], store, "refunds.md", "Refunds are paid within fourteen days of the return.");
  });
  beforeEach(() => upstream.say({ text: "Hello." }));
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  /** An answer that is being written and says no more. Either may have taken the job; the other one reads rows. */
  async function halfway(): Promise<string> {
    upstream.say({ text: WORDS, hangAfter: 1200 });
    const [first, second] = pair.servers;
    const { id } = await json<Answer>(first, "POST", "/v1/responses", { input: "Hi", background: true });
    await untilText(first, id);
    await untilText(second, id);
    return id;
  }

  const retrieve = (server: TestServer, id: string) => json<Answer>(server, "GET", `/v1/responses/${id}`);

  async function untilText(server: TestServer, id: string): Promise<Event[]> {
    const seen: Event[] = [];
    const stream = await server.client.responses.retrieve(id, { stream: true });
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    return seen;
  }

  test("an answer is followed at both, with the same events, and taken up again at either", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.say({ text: WORDS, breakWhen: promise });
    const { id } = await json<Answer>(pair, "POST", "/v1/responses", { input: "Hi", background: true });
    const follow = async (server: TestServer, after?: number) => {
      const events: Event[] = [];
      const from = after === undefined ? {} : { starting_after: after };
      for await (const event of await server.client.responses.retrieve(id, { stream: true, ...from })) {
        events.push(event);
        if (events.length === 8) resolve();
      }
      return events;
    };
    const [one, other] = await Promise.all(pair.servers.map((server) => follow(server)));
    expect(one?.at(-1)?.type).toBe("response.completed");
    expect(other).toEqual(one!);
    expect(one?.map(({ sequence_number }) => sequence_number)).toEqual(one!.map((_, i) => i));
    for (const server of pair.servers) expect(await follow(server, 5)).toEqual(one!.slice(6));
  });

  test("an answer that one writes is cancelled at either, with what was written, and the model is left alone", async () => {
    for (const at of [0, 1] as const) {
      const id = await halfway();
      const left = upstream.left;
      const canceller = pair.servers[at];
      const cancelled = await json<Answer>(canceller, "POST", `/v1/responses/${id}/cancel`);
      expect([at, cancelled.status]).toEqual([at, "cancelled"]);
      const said = JSON.stringify(cancelled.output);
      expect(said).toContain("These are some");
      for (const server of pair.servers) {
        const now = await retrieve(server, id);
        expect([now.status, JSON.stringify(now.output)]).toEqual(["cancelled", said]);
      }
      await waitFor("the model's call ends", () => (upstream.left > left ? true : undefined), 10_000);
    }
  });

  test("a stream at one ends when the answer is deleted at the other", async () => {
    const id = await halfway();
    const following = pair.servers.map(async (server) => {
      let n = 0;
      for await (const _ of await server.client.responses.retrieve(id, { stream: true })) n += 1;
      return n;
    });
    await pair.servers[1].client.responses.delete(id);
    for (const n of await Promise.all(following)) expect(n).toBeGreaterThanOrEqual(0);
    for (const server of pair.servers) expect((await refusal(server, "GET", `/v1/responses/${id}`)).status).toBe(404);
  });

  test("a conversation has one answer at a time, whichever is asked", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.say({ text: "First.", until: promise }, { text: "Second." });
    const [first, second] = pair.servers;
    const { id: conversation } = await json<{ id: string }>(first, "POST", "/v1/conversations", {});
    const asked = upstream.asked.length;
    const answering = json<Answer>(first, "POST", "/v1/responses", { input: "One", conversation });
    await waitFor("the model is asked", () => (upstream.asked.length > asked ? true : undefined));
    const refused = await refusal(second, "POST", "/v1/responses", { input: "Two", conversation });
    expect([refused.status, refused.code]).toEqual([409, "conversation_locked"]);
    resolve();
    expect((await answering).status).toBe("completed");
    // Free the moment that the answer is here, wherever the next question goes.
    for (let i = 0; i < 6; i++) {
      const next = await json<Answer>(pair, "POST", "/v1/responses", { input: `${i}`, conversation });
      expect(next.status).toBe("completed");
    }
    for (let i = 0; i < 4; i++) {
      const types: string[] = [];
      const body = { input: `${i}`, conversation, stream: true as const };
      for await (const event of await pair.client.responses.create(body)) types.push(event.type);
      expect(types.at(-1)).toBe("response.completed");
    }
  });

  test("a thread has one active run, of runs that are begun at both at the same time", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.say({ text: "Yes.", until: promise });
    const assistant = await pair.client.beta.assistants.create({ model: "qwen3:8b" });
    for (let round = 0; round < 5; round++) {
      const thread = await pair.client.beta.threads.create({ messages: [{ role: "user", content: "Hi" }] });
      const path = `/v1/threads/${thread.id}/runs`;
      const begun = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          pair.servers[i % 2]!.fetch(path, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ assistant_id: assistant.id }),
          }),
        ),
      );
      expect(begun.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400, 400, 400, 400, 400]);
      for (const answer of begun) if (!answer.ok) expect(await answer.text()).toContain("already has an active run");
    }
    resolve();
  });

  test("a run is followed and cancelled at the server that does not work on it", async () => {
    upstream.say({ text: WORDS, hangAfter: 1200 });
    const assistant = await pair.client.beta.assistants.create({ model: "qwen3:8b" });
    for (const at of [0, 1] as const) {
      const [one, other] = at === 0 ? pair.servers : [pair.servers[1], pair.servers[0]];
      const left = upstream.left;
      const thread = await one.client.beta.threads.create({ messages: [{ role: "user", content: "Hi" }] });
      const stream = await one.client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id, stream: true });
      let run = "";
      const names: string[] = [];
      for await (const event of stream) {
        names.push(event.event);
        if (event.event === "thread.run.created") run = event.data.id;
        if (event.event === "thread.message.delta" && names.filter((name) => name === event.event).length === 1)
          await other.client.beta.threads.runs.cancel(run, { thread_id: thread.id });
      }
      expect(names).toContain("thread.run.cancelling");
      expect(names.at(-1)).toBe("thread.run.cancelled");
      await waitFor("the model's call ends", () => (upstream.left > left ? true : undefined), 10_000);
      expect((await one.client.beta.threads.runs.retrieve(run, { thread_id: thread.id })).status).toBe("cancelled");
    }
  });
});
