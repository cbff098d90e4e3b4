/** Answers of chat models by the official `openai` package on the running server, its verbs, and a kill -9 in between. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import OpenAI from "openai";
import { eventSchema, problemWith } from "../../src/api/responses/testing/openai-schemas.ts";
import { addText, json, newStore } from "../helpers/api.ts";
import { type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { lacks } from "../helpers/lacks.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import { runLectern, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(OVER_TWO ? 480_000 : 120_000);

const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt.";
const SECRET = "sk-canary-upstream-0123456789";

let upstream: ChatServer;
let server: TestServer;
let client: OpenAI;
let store: string;

const options = () => ({
  args: ["--chat-address", upstream.address, "--chat-model", "qwen3:8b", "--allow-private-addresses"],
  env: { LECTERN_CHAT_API_KEY: SECRET, LECTERN_LOG_LEVEL: "debug" },
});
const asked = (more: object = {}) => ({
  model: "gpt-4o",
  input: "When are refunds paid?",
  tools: [{ type: "file_search" as const, vector_store_ids: [store] }],
  ...more,
});

beforeAll(async () => {
  upstream = await startChatServer();
  server = await startServer(options());
  client = new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, maxRetries: 0 });
  store = await newStore(server, { name: "handbook" });
  await addText(server, store, "refunds.md", REFUNDS);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

test("the client is given an answer with citations, whole and event by event", async () => {
  upstream.say({ text: "Within fourteen days [1]. 😀 With a receipt.", pieces: 5 });
  const whole = await client.responses.create(asked());
  expect(whole.output_text).toBe("Within fourteen days. 😀 With a receipt.");
  expect(problemWith("Response", JSON.parse(JSON.stringify(whole)))).toBeNull();
  let text = "";
  let citation: { index: number; filename: string } | null = null;
  for await (const event of await client.responses.create({ ...asked(), stream: true })) {
    expect([event.type, problemWith(eventSchema(event.type), event)]).toEqual([event.type, null]);
    if (event.type === "response.output_text.delta") text += event.delta;
    if (event.type === "response.output_text.annotation.added") {
      citation = event.annotation as { index: number; filename: string };
      expect([...text].slice(0, citation.index).join("")).toBe("Within fourteen days");
    }
  }
  expect([text, citation?.filename]).toEqual([whole.output_text, "refunds.md"]);
  expect(server.log()).not.toContain(SECRET);
});

test("the client's functions are called, their outputs given, and the answer follows", async () => {
  upstream.say({ calls: [{ name: "stock", arguments: '{"item":"tea"}' }] }, { text: "Seven." });
  const tools = [{ type: "function" as const, name: "stock", parameters: { type: "object" }, strict: false }];
  const first = await client.responses.create({ input: "How much tea?", tools, parallel_tool_calls: false });
  const call = first.output.find((item) => item.type === "function_call");
  const output = { type: "function_call_output" as const, call_id: call?.call_id ?? "", output: "7" };
  const second = await client.responses.create({ input: [output], tools, previous_response_id: first.id });
  expect([call?.arguments, second.output_text]).toEqual(['{"item":"tea"}', "Seven."]);
});

test("a chat is passed on, whole and streamed", async () => {
  upstream.say({ text: "Hello." });
  const messages = [{ role: "user" as const, content: "Hi" }];
  const whole = await client.chat.completions.create({ model: "gpt-4o", messages });
  expect(whole.choices[0]?.message.content).toBe("Hello.");
  let text = "";
  for await (const chunk of await client.chat.completions.create({ model: "gpt-4o", messages, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe("Hello.");
});

test("a client that leaves ends the call", async () => {
  upstream.say({ text: "And on and on and on and on", hangAfter: 600 });
  const before = upstream.left;
  for await (const event of await client.responses.create({ ...asked(), stream: true }))
    if (event.type === "response.output_text.delta") break;
  await waitFor("the call ends", () => (upstream.left > before ? true : undefined));
});

test("`ask` prints an answer with numbered sources", async () => {
  upstream.say({ text: "Within fourteen days [1]. Again: fourteen [1]." });
  const env = { LECTERN_URL: server.url, LECTERN_API_KEY: server.key };
  const { status, out, err } = await runLectern(["ask", "handbook", "When are refunds paid?"], { env });
  expect([status, err]).toEqual([0, ""]);
  expect(out.split("\n")[0]).toBe("Within fourteen days [1]. Again: fourteen [1].");
  expect(out).toContain("[1] refunds.md: “");
  const quoted = await runLectern(
    ["ask", "handbook", "When are refunds paid?", "--model", "lectern-extractive", "--json"],
    {
      env,
    },
  );
  expect(JSON.parse(quoted.out)).toMatchObject({ status: "completed", lectern: { answered_by: "extractive" } });
  const once = await runLectern(["ask", "handbook", "When are refunds paid?", "--model", "lectern-extractive"], {
    env,
  });
  expect(once.out.split("Refunds are paid within fourteen days").length).toBe(2);
  expect(once.out).toMatch(/^“Refunds are paid .*” \[1\]$/m);
  expect(once.out).toMatch(/^\[1\] refunds\.md, lines? \d/m);
  upstream.say({ status: 500 });
  const failed = await runLectern(["ask", "handbook", "When?"], { env });
  expect([failed.status, failed.out]).toEqual([1, ""]);
  expect(failed.err).toContain("qwen3:8b");
  expect((await runLectern(["ask", "nowhere", "When?"], { env })).err).toContain("There is no store");
});

const addsChat = "`models add --chat` adds one, which is listed, asked by its name, verified and removed";
// Each server looks for models in its own data directory.
test.skipIf(lacks("one server's models", !OVER_TWO))(addsChat, async () => {
  upstream.say({ text: "Yes." });
  const env = { LECTERN_URL: server.url, LECTERN_API_KEY: server.key };
  const run = (...args: string[]) => runLectern(["models", ...args, "--data", server.dataDir], { env });
  const added = await run("add", "--chat", "--id", "house", "--model", "llama3", "--address", upstream.address);
  expect([added.status, added.out]).toEqual([0, "house\n"]);
  expect(readFileSync(`${server.dataDir}/models.toml`, "utf8")).toContain("[[chat_models]]");
  expect((await client.responses.create({ model: "house", input: "Hi" })).model).toBe("house");
  expect(upstream.asked.at(-1)?.body["model"]).toBe("llama3");
  expect((await run("verify", "house")).out).toBe("house: ok, a chat model\n");
  expect((await run("list")).out).toMatch(/house +remote/);
  const foreign = await run("add", "--chat", "--model", "x", "--address", upstream.address, "--api-key-env", "PATH");
  expect([foreign.status, foreign.err.includes("model-key-variables")]).toEqual([1, true]);
  expect((await run("remove", "house")).status).toBe(0);
});

test("an answer in the background that was cut off by a kill has failed if some of it was seen, else it is given", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  const ids: string[] = [];
  {
    await using first = await startServer({ dataDir, ...options() });
    upstream.say({ text: "Some words and then no more", hangAfter: 700 });
    const one = new OpenAI({ apiKey: first.key, baseURL: `${first.url}/v1`, maxRetries: 0 });
    for await (const event of await one.responses.create({ input: "Seen?", background: true, stream: true })) {
      if (event.type === "response.created") ids.push(event.response.id);
      if (event.type === "response.output_text.delta") break;
    }
    const before = upstream.asked.length;
    ids.push((await one.responses.create({ input: "Unseen?", background: true })).id);
    await waitFor("the model is asked", () => (upstream.asked.length > before ? true : undefined));
    await first.kill();
  }
  upstream.say({ text: "Whole." });
  await using second = await startServer({ dataDir, ...options() });
  const ends = await Promise.all(
    ids.map((id) =>
      waitFor(`${id} ends`, async () => {
        const response = await json<OpenAI.Responses.Response>(second, "GET", `/v1/responses/${id}`);
        return response.status === "queued" || response.status === "in_progress" ? undefined : response;
      }),
    ),
  );
  expect(ends.map(({ status, error }) => [status, error?.message ?? null])).toEqual([
    ["failed", "The server was stopped while it answered."],
    ["completed", null],
  ]);
  const after = await second.fetch(`/v1/responses/${ids[0]}?stream=true&starting_after=20`);
  const events = (await after.text()).matchAll(/^event: (.*)$/gm).map((found) => found[1]);
  expect([...events]).toEqual(["error", "response.failed"]);
});
