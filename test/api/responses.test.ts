/** Answers by the official `openai` package, unmodified, on the running server; and after a kill -9. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import OpenAI from "openai";
import OpenAI4 from "openai-v4";
import OpenAI5 from "openai-v5";
import { eventSchema, problemWith } from "../../src/api/responses/testing/openai-schemas.ts";
import { addText, json, newStore, search } from "../helpers/api.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(OVER_TWO ? 480_000 : 120_000);

const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt. 😀\n\nThe shop is closed on Sundays.";
const DUNE =
  "Shai-Hulud is the name that the Fremen give to the sandworms of the desert planet Arrakis. They produce the spice melange.";

let server: TestServer;
let client: OpenAI;
let store: string;
let file: string;

const tools = () => [{ type: "file_search" as const, vector_store_ids: [store], max_num_results: 3 }];
const asked = (more: object = {}) => ({ model: "gpt-4o", input: "When are refunds paid?", tools: tools(), ...more });

beforeAll(async () => {
  server = await startServer();
  client = new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, maxRetries: 0 });
  store = await newStore(server);
  file = await addText(server, store, "refunds.md", REFUNDS);
  await addText(server, store, "dune.txt", DUNE);
});
afterAll(async () => await server?.[Symbol.asyncDispose]());

describe("openai 7", () => {
  test("creates, retrieves, lists the input of, and deletes an answer whose citations are exact", async () => {
    const response = await client.responses.create({
      ...asked(),
      include: ["file_search_call.results"],
      stream: false,
    });
    expect([response.status, response.output.length]).toEqual(["completed", 2]);
    expect(problemWith("Response", JSON.parse(JSON.stringify(response)))).toBeNull();
    expect(response.output_text).toContain("“Refunds are paid within fourteen days of the return of the goods.");
    const message = response.output[1];
    const part = message?.type === "message" ? message.content[0] : undefined;
    const [citation] = part?.type === "output_text" ? (part.annotations as unknown as Citation[]) : [];
    expect(citation).toMatchObject({ file_id: file, filename: "refunds.md", cited_by: "quote" });
    expect([...response.output_text].slice(0, citation?.index).join("")).toContain("refunds.md, line");
    const { data } = await json<{ data: { text: string }[] }>(
      server,
      "GET",
      `/v1/vector_stores/${store}/files/${file}/content`,
    );
    const content = [...data.map(({ text }) => text).join("")];
    expect(content.slice(citation?.start_offset, citation?.end_offset).join("")).toBe(citation?.quote ?? "");
    expect((await client.responses.retrieve(response.id)).output_text).toBe(response.output_text);
    const items = await client.responses.inputItems.list(response.id);
    expect(items.data).toMatchObject([{ type: "message", role: "user" }]);
    await client.responses.delete(response.id);
    expect((await refusalOf(client.responses.retrieve(response.id))).message).toContain(
      `Response with id '${response.id}' not found.`,
    );
  });

  test("streams, by its helper and event by event", async () => {
    const stream = client.responses.stream({ ...asked(), stream: true });
    const seen: string[] = [];
    stream.on("event", (event) => void seen.push(event.type));
    const final = await stream.finalResponse();
    expect([seen[0], seen.at(-1), final.status]).toEqual(["response.created", "response.completed", "completed"]);
    let text = "";
    let last = -1;
    for await (const event of await client.responses.create({ ...asked(), stream: true })) {
      expect([event.type, problemWith(eventSchema(event.type), event)]).toEqual([event.type, null]);
      expect(event.sequence_number).toBe(++last);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    expect(text).toBe(final.output_text);
  });

  test("parses, goes on from an answer, sends it back, and refers to its items", async () => {
    const first = await client.responses.parse(asked());
    expect(first.output_text).toContain("fourteen days");
    const second = await client.responses.create({
      ...asked({ input: "And who is Shai-Hulud?" }),
      previous_response_id: first.id,
    });
    expect(second.output_text).toContain("sandworms");
    const sentBack = [
      { role: "user" as const, content: "When are refunds paid?" },
      ...first.output,
      { role: "user" as const, content: "And what do I need for it?" },
    ];
    const third = await client.responses.create(asked({ input: sentBack }));
    expect(third.status).toBe("completed");
    const references = first.output.map(({ id }) => ({ type: "item_reference" as const, id: id ?? "" }));
    const fourth = await client.responses.create(
      asked({ input: [...references, { role: "user", content: "Who is Shai-Hulud?" }] }),
    );
    expect(fourth.output_text).toContain("Fremen");
  });

  test("asks in the background, follows, leaves, comes back, and cancels", async () => {
    const queued = await client.responses.create({ ...asked(), background: true });
    expect(queued.status).toBe("queued");
    const done = await waitFor("it is answered", async () => {
      const response = await client.responses.retrieve(queued.id);
      return response.status === "completed" ? response : undefined;
    });
    expect(done.output_text).toContain("fourteen days");
    const events = await client.responses.create({ ...asked(), background: true, stream: true });
    let id = "";
    for await (const event of events) {
      if (event.type === "response.created") ({ id } = event.response);
      if (event.sequence_number === 10) break;
    }
    const numbers: number[] = [];
    for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 10 }))
      numbers.push(event.sequence_number);
    expect(numbers[0]).toBe(11);
    expect((await client.responses.cancel(queued.id)).status).toBe("completed");
    const now = await client.responses.create(asked());
    expect((await refusalOf(client.responses.cancel(now.id))).message).toContain(
      "Cannot cancel a synchronous response.",
    );
  });

  test("is told what needs a language model", async () => {
    const refused = client.responses.create({ model: "gpt-4o", input: "Hello" });
    expect(await refusalOf(refused)).toMatchObject({ status: 400, code: "language_model_required", param: "tools" });
  });
});

/** The client's promises are none of the language's own. */
async function refusalOf(promise: PromiseLike<unknown>): Promise<Error> {
  return await promise.then(
    () => new Error("it was accepted"),
    (error: unknown) => error as Error,
  );
}

interface Citation {
  index: number;
  quote: string;
  start_offset: number;
  end_offset: number;
}

test.each([
  ["openai 5", OpenAI5],
  ["openai 4", OpenAI4],
] as const)("%s creates and streams", async (_, Client) => {
  const older = new Client({ apiKey: server.key, baseURL: `${server.url}/v1` }) as unknown as OpenAI;
  expect((await older.responses.create(asked())).output_text).toContain("fourteen days");
  const types: string[] = [];
  for await (const event of await older.responses.create({ ...asked(), stream: true })) types.push(event.type);
  expect(types.at(-1)).toBe("response.completed");
});

test("frames around a question do not keep its answer from being found", async () => {
  const whole = "Be concise, and tell me 1 sentence about Shai-Hulud I might not know.";
  const [plain] = await search(server, store, { query: whole });
  const [reduced] = await search(server, store, { query: whole, rewrite_query: true });
  expect(reduced?.filename).toBe("dune.txt");
  expect(reduced?.score ?? 0).toBeGreaterThan(plain?.score ?? 1);
  const response = await client.responses.create(asked({ input: whole }));
  expect(response.output_text).toContain("sandworms");
});

test("what was queued when the server was killed is answered once after the next start", async () => {
  using dir = tempDir();
  const ids: string[] = [];
  {
    await using first = await startServer({ dataDir: dir.join("data") });
    const kept = await newStore(first);
    await addText(first, kept, "refunds.md", REFUNDS);
    const body = { ...asked({ background: true }), tools: [{ type: "file_search", vector_store_ids: [kept] }] };
    const made = await Promise.all(
      Array.from({ length: 20 }, () => json<{ id: string }>(first, "POST", "/v1/responses", body)),
    );
    ids.push(...made.map(({ id }) => id));
    await first.kill();
  }
  await using second = await startServer({ dataDir: dir.join("data") });
  for (const id of ids) {
    const answered = await waitFor(`${id} ends`, async () => {
      const response = await json<{ status: string; output: unknown[] }>(second, "GET", `/v1/responses/${id}`);
      return ["queued", "in_progress"].includes(response.status) ? undefined : response;
    });
    expect([answered.status, answered.output.length]).toEqual(["completed", 2]);
  }
});
