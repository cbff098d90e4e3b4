/**
 * llama-cpp-walk.ts PYTHON: Lectern's answers by a real llama.cpp server, whose model says random words: whole and streamed,
 * given up by the client, too long, with a wrong key, and with the server gone. Prints a line for each thing that held.
 */
import { join } from "node:path";
import OpenAI from "openai";
import { addText, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const SOURCES = join(import.meta.dir, "python-llama-cpp");
const KEY = "sk-llama-0123456789";
const MODEL = "random-words";
const ENOUGH = 40;
const FEWEST_OF_A_RUN = 256;

const python = process.argv[2] ?? "python3";
let failed = 0;

async function check(name: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expectThat(holds: boolean, what: unknown): void {
  if (!holds) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

/** llama.cpp's server with a model made on the spot. */
async function startLlama(directory: string) {
  const model = join(directory, "model.gguf");
  const made = Bun.spawnSync([python, join(SOURCES, "make_model.py"), model], { stderr: "inherit" });
  if (made.exitCode !== 0) throw new Error("the model could not be made");
  const child = Bun.spawn([python, join(SOURCES, "serve.py"), model, KEY], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  let address = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    address += piece;
    if (address.endsWith("\n")) break;
  }
  address = address.trim();
  if (address === "") throw new Error("llama.cpp did not start");
  return {
    address,
    async isBusy(): Promise<boolean> {
      const response = await fetch(`${address}/slots`, { headers: { authorization: `Bearer ${KEY}` } });
      return ((await response.json()) as { is_processing: boolean }[]).some((slot) => slot.is_processing);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

const startLectern = (address: string, key: string) =>
  startServer({
    args: ["--chat-address", `${address}/v1`, "--chat-model", MODEL, "--allow-private-addresses"],
    env: { LECTERN_CHAT_API_KEY: key, LECTERN_LOG_LEVEL: "error" },
  });

const clientOf = (server: TestServer) => new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, maxRetries: 0 });

type Told = [status: number | undefined, code: unknown, message: string];

async function errorOf(work: () => Promise<unknown>): Promise<Told> {
  try {
    await work();
  } catch (error) {
    if (error instanceof OpenAI.APIError) return [error.status, error.code, error.message];
    throw error;
  }
  throw new Error("it was no error");
}

using dir = tempDir();
await using llama = await startLlama(dir.path);
await using server = await startLectern(llama.address, KEY);
const client = clientOf(server);
const store = await newStore(server);
await addText(server, store, "refunds.md", "Refunds are paid within fourteen days. A refund needs the receipt.");
const search = [{ type: "file_search" as const, vector_store_ids: [store] }];
const asked = { input: "When are refunds paid?", tools: search, max_output_tokens: ENOUGH };
const messages = [{ role: "user" as const, content: "When are refunds paid?" }];

await check("an answer whole, with what it cost", async () => {
  const response = await client.responses.create(asked);
  expectThat(response.status === "incomplete", response.status);
  expectThat(response.incomplete_details?.reason === "max_output_tokens", response.incomplete_details);
  expectThat(response.output_text.trim().length > ENOUGH, response.output_text);
  expectThat((response.usage?.output_tokens ?? 0) <= ENOUGH, response.usage);
  expectThat((response.usage?.input_tokens ?? 0) > 100, response.usage);
  expectThat(
    response.output.some(({ type }) => type === "file_search_call"),
    response.output,
  );
});

await check("an answer event by event", async () => {
  let [text, deltas] = ["", 0];
  let last: OpenAI.Responses.ResponseStreamEvent | undefined;
  for await (const event of await client.responses.create({ ...asked, stream: true })) {
    if (event.type === "response.output_text.delta") [text, deltas] = [text + event.delta, deltas + 1];
    last = event;
  }
  expectThat(last?.type === "response.incomplete", last?.type ?? "no event");
  expectThat(deltas > 5, deltas);
  if (last?.type === "response.incomplete") {
    const said = last.response.output.flatMap((item) => (item.type === "message" ? item.content : []));
    expectThat(said.map((part) => (part.type === "output_text" ? part.text : "")).join("") === text, [said, text]);
  }
});

await check("a run of a thread", async () => {
  const { id } = await client.beta.assistants.create({
    ...{ model: "gpt-4o", tools: [{ type: "file_search" as const }] },
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  const run = await client.beta.threads.createAndRunPoll({
    ...{ assistant_id: id, thread: { messages }, max_completion_tokens: FEWEST_OF_A_RUN },
  });
  expectThat(run.status === "incomplete" && (run.usage?.completion_tokens ?? 0) > 0, run);
});

await check("a chat that is passed on, whole and streamed", async () => {
  const chat = { model: "gpt-4o", messages, max_tokens: ENOUGH };
  const whole = await client.chat.completions.create(chat);
  expectThat(whole.usage?.completion_tokens === ENOUGH, whole.usage);
  let finish: string | null = null;
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
    finish = chunk.choices[0]?.finish_reason ?? finish;
  expectThat(finish === "length", finish);
});

await check("a client that leaves ends the work there", async () => {
  const endless = { input: asked.input, stream: true as const };
  for await (const event of await client.responses.create(endless))
    if (event.type === "response.output_text.delta") break;
  const leftAt = performance.now();
  await waitFor("the slot is free", async () => ((await llama.isBusy()) ? undefined : true), 30_000);
  const waitedMs = performance.now() - leftAt;
  // Said to its end it takes ten times as long, on any machine.
  const startedAt = performance.now();
  await client.responses.create({ ...asked, max_output_tokens: 4000 });
  const wholeMs = performance.now() - startedAt;
  expectThat(waitedMs < wholeMs / 2, `${Math.round(waitedMs)} ms of ${Math.round(wholeMs)}`);
});

await check("a question longer than the model takes", async () => {
  const [status, code] = await errorOf(() => client.responses.create({ ...asked, input: "z".repeat(9000) }));
  expectThat(status === 400 && code === "context_length_exceeded", [status, code]);
  const chat = { model: "gpt-4o", messages: [{ role: "user" as const, content: "z".repeat(9000) }] };
  expectThat((await errorOf(() => client.chat.completions.create(chat)))[0] === 400, "of a chat");
});

await check("a wrong key is the operator's matter", async () => {
  await using other = await startLectern(llama.address, "sk-wrong");
  const [status, code] = await errorOf(() => clientOf(other).responses.create({ input: "Hi" }));
  expectThat(status === 502 && code === "chat_model_rejected_key", [status, code]);
});

await check("a model's server that dies while it speaks", async () => {
  const stream = await client.responses.create({ input: asked.input, stream: true });
  const broken = async () => {
    for await (const event of stream)
      if (event.type === "response.output_text.delta") await llama[Symbol.asyncDispose]();
  };
  const told = await errorOf(broken);
  expectThat(told[2].includes("its answer broke off"), told);
  const [status, code] = await errorOf(() => client.responses.create(asked));
  expectThat(status === 502 && code === "chat_model_unavailable", [status, code]);
});

process.exitCode = failed === 0 ? 0 : 1;
