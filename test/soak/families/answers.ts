/** Answers: whole, streamed, broken off, in the background, in conversations; assistants, threads and runs. */
import { addText, type Episode, type Identified, newStore, newWord } from "../episode.ts";
import type { Asker } from "../asker.ts";
import { CHAT_MODEL } from "../house.ts";
import { Interrupted, must, same } from "../wrong.ts";

const EXTRACTIVE = "lectern-extractive";
const ENDED = ["completed", "failed", "cancelled", "incomplete", "expired"];
const WEATHER = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

async function storeWith(ask: Asker, text: string): Promise<{ store: string; file: string }> {
  const store = await newStore(ask);
  return { store, file: await addText(ask, store, "handbook.md", text) };
}

async function cleared(ask: Asker, { store, file }: { store: string; file: string }): Promise<void> {
  await ask.json("DELETE", `/v1/vector_stores/${store}`);
  await ask.json("DELETE", `/v1/files/${file}`);
}

const responses: Episode = {
  family: "responses",
  async run({ ask, random, house }) {
    const word = newWord(random);
    const made = await storeWith(ask, `# Refunds\n\nA refund for ${word} is paid within fourteen days.`);
    const tools = [{ type: "file_search" as const, vector_store_ids: [made.store] }];
    const asked = { model: EXTRACTIVE, input: `When is a refund for ${word} paid?`, tools };
    const whole = await ask.by("an answer", (client) => client.responses.create({ ...asked, stream: false }));
    must("it quotes", whole.status === "completed" && whole.output_text.includes("fourteen days"), whole.output_text);
    const { mark } = house;
    const text = await ask.guarded("a streamed answer", mark, async () => {
      let said = "";
      let last = "";
      for await (const event of await ask.client.responses.create({ ...asked, stream: true })) {
        if (event.type === "response.output_text.delta") said += event.delta;
        last = event.type;
      }
      if (last !== "response.completed" && house.disturbedSince(mark)) throw new Interrupted(last);
      same("its last event", last, "response.completed");
      return said;
    });
    same("streamed as whole", text, whole.output_text);
    // Broken off after some events.
    await ask.by("a stream that is left", async (client) => {
      const input = `${asked.input} Tell me at length.`;
      let seen = 0;
      for await (const _ of await client.responses.create({ ...asked, model: CHAT_MODEL, input, stream: true }))
        if (++seen > 6 + random.below(20)) break;
    });
    same(
      "kept",
      (await ask.by("retrieve", (client) => client.responses.retrieve(whole.id))).output_text,
      whole.output_text,
    );
    const items = await ask.by("input items", (client) => client.responses.inputItems.list(whole.id));
    same("one item", items.data.length, 1);
    const counted = await ask.json<{ input_tokens: number }>("POST", "/v1/responses/input_tokens", asked);
    must("tokens", counted.input_tokens > 0);
    const chatted = await ask.by("by the chat model", (client) =>
      client.responses.create({ ...asked, model: CHAT_MODEL, previous_response_id: whole.id, stream: false }),
    );
    must("the chat model's words", chatted.output_text.startsWith("That is so"), chatted.output_text);
    for (const id of [chatted.id, whole.id]) await ask.by("delete", (client) => client.responses.delete(id));
    await ask.refused([404], "GET", `/v1/responses/${whole.id}`);
    await cleared(ask, made);
  },
};

const background: Episode = {
  family: "background",
  async run({ ask, random, house }) {
    const word = newWord(random);
    const made = await storeWith(ask, `A refund for ${word} is paid within fourteen days.`);
    const body = {
      model: random() < 0.5 ? EXTRACTIVE : CHAT_MODEL,
      input: `When is a refund for ${word} paid?`,
      tools: [{ type: "file_search" as const, vector_store_ids: [made.store] }],
      background: true,
    };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await ask.json<Identified>("POST", "/v1/responses", body)).id);
    for (const id of ids.slice(1)) {
      const done = await ask.until(`${id} ends`, async () => {
        const now = await ask.json<{ status: string; output: unknown[] }>("GET", `/v1/responses/${id}`);
        return ENDED.includes(now.status) ? now : undefined;
      });
      if (!house.wasFullLately) same(`${id} is answered once`, [done.status, done.output.length], ["completed", 2]);
    }
    await ask.refused([200, 400, 409], "POST", `/v1/responses/${ids[0]}/cancel`);
    await ask.until("the cancelled one ends", async () => {
      const now = await ask.json<{ status: string }>("GET", `/v1/responses/${ids[0]}`);
      return ENDED.includes(now.status) ? true : undefined;
    });
    // Left after some events, and taken up again.
    const events = await ask.by("in the background, streamed", async (client) => {
      let id = "";
      for await (const event of await client.responses.create({ ...body, stream: true })) {
        if (event.type === "response.created") ({ id } = event.response);
        if (event.sequence_number >= 3) break;
      }
      return id;
    });
    await ask.by("taken up again", async (client) => {
      let next = 4;
      for await (const event of await client.responses.retrieve(events, { stream: true, starting_after: 3 }))
        same("the next event", event.sequence_number, next++);
    });
    for (const id of [...ids, events]) await ask.json("DELETE", `/v1/responses/${id}`);
    await cleared(ask, made);
  },
};

const conversations: Episode = {
  family: "conversations",
  async run({ ask, random }) {
    const word = newWord(random);
    const made = await storeWith(ask, `The key to ${word} hangs in the hall.`);
    const item = { type: "message", role: "user", content: `I ask about ${word}.` };
    const { id } = await ask.json<Identified>("POST", "/v1/conversations", {
      items: [item],
      metadata: { topic: "keys" },
    });
    const path = `/v1/conversations/${id}`;
    const tools = [{ type: "file_search", vector_store_ids: [made.store] }];
    const input = `Where does the key to ${word} hang?`;
    const said = await ask.json<Identified & { output: unknown[] }>("POST", "/v1/responses", {
      model: EXTRACTIVE,
      input,
      tools,
      conversation: id,
    });
    must("it answers", JSON.stringify(said.output).includes("in the hall"), said.output);
    await ask.json("POST", path, { metadata: { topic: "doors" } });
    same("changed", (await ask.json<{ metadata: object }>("GET", path)).metadata, { topic: "doors" });
    await ask.json("POST", `${path}/items`, { items: [item] });
    const { data } = await ask.json<{ data: Identified[] }>("GET", `${path}/items?limit=50`);
    must("its items", data.length >= 4, data.length);
    const last = data[0]?.id ?? "";
    same("one of them", (await ask.json<Identified>("GET", `${path}/items/${last}`)).id, last);
    await ask.json("DELETE", `${path}/items/${last}`);
    same(
      "one less",
      (await ask.json<{ data: unknown[] }>("GET", `${path}/items?limit=50`)).data.length,
      data.length - 1,
    );
    await ask.json("DELETE", path);
    await ask.refused([404], "GET", path);
    await ask.json("DELETE", `/v1/responses/${said.id}`);
    const chat = await ask.by("a chat", (client) =>
      client.chat.completions.create({ model: CHAT_MODEL, messages: [{ role: "user", content: "Hello" }] }),
    );
    must("passed on", chat.choices[0]?.message.content?.startsWith("That is so") === true);
    await cleared(ask, made);
  },
};

const assistants: Episode = {
  family: "assistants",
  async run(place) {
    const { ask, random, house } = place;
    const word = newWord(random);
    const made = await storeWith(ask, `The boat for ${word} leaves at noon.`);
    const assistant = await ask.by("an assistant", ({ beta }) =>
      beta.assistants.create({
        model: EXTRACTIVE,
        name: ask.name,
        tools: [{ type: "file_search" }],
        tool_resources: { file_search: { vector_store_ids: [made.store] } },
      }),
    );
    const messages = [{ role: "user" as const, content: `When does the boat for ${word} leave?` }];
    const thread = await ask.by("a thread", ({ beta }) => beta.threads.create({ messages }));
    const before = house.happened.clock;
    const run = await ask.by("a run", ({ beta }) =>
      beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }),
    );
    // A run lives for ten minutes.
    if (house.happened.clock !== before) return;
    same("it ran", run.status, "completed");
    const path = `/v1/threads/${thread.id}`;
    const said = await ask.json<{ data: (Identified & { role: string })[] }>("GET", `${path}/messages`);
    must("it says when", said.data.length === 2 && JSON.stringify(said.data[0]).includes("noon"), said.data[0]);
    const steps = await ask.json<{ data: Identified[] }>("GET", `${path}/runs/${run.id}/steps`);
    same("steps", steps.data.length, 2);
    await ask.json("GET", `${path}/runs/${run.id}/steps/${steps.data[0]?.id}`);
    await ask.json("GET", `${path}/messages/${said.data[0]?.id}`);
    await ask.json("POST", `${path}/messages/${said.data[0]?.id}`, { metadata: { seen: "yes" } });
    await ask.json("POST", `${path}/runs/${run.id}`, { metadata: { seen: "yes" } });
    same(
      "runs",
      (await ask.json<{ data: Identified[] }>("GET", `${path}/runs`)).data.map(({ id }) => id),
      [run.id],
    );
    const more = await ask.json<Identified>("POST", `${path}/messages`, messages[0]);
    // A stream that is left does not end the run.
    await ask.by("a streamed run that is left", async ({ beta }) => {
      let seen = 0;
      const events = await beta.threads.runs.create(thread.id, { assistant_id: assistant.id, stream: true });
      for await (const _ of events) if (++seen > 3) break;
    });
    await ask.until("the thread is free", async () => {
      const { data } = await ask.json<{ data: { status: string }[] }>("GET", `${path}/runs`);
      return data.every(({ status }) => ENDED.includes(status)) ? true : undefined;
    });
    await ask.json("DELETE", `${path}/messages/${more.id}`);
    await both(place, assistant.id, word);
    await ask.json("POST", `/v1/assistants/${assistant.id}`, { instructions: "Be brief." });
    await ask.json("GET", `/v1/assistants/${assistant.id}`);
    const listed = await ask.json<{ data: Identified[] }>("GET", "/v1/assistants?limit=50");
    must(
      "listed",
      listed.data.some(({ id }) => id === assistant.id),
    );
    await ask.json("POST", path, { metadata: { topic: "boats" } });
    same("its metadata", (await ask.json<{ metadata: object }>("GET", path)).metadata, { topic: "boats" });
    await ask.json("DELETE", path);
    await ask.refused([404], "GET", path);
    await ask.json("DELETE", `/v1/assistants/${assistant.id}`);
    await cleared(ask, made);
  },
};

/** A thread that is made and run at once, in which a function is called; and one that is cancelled. */
async function both({ ask, house }: Parameters<Episode["run"]>[0], assistant: string, word: string): Promise<void> {
  const thread = { messages: [{ role: "user", content: `How is the weather for ${word}?` }] };
  const body = { assistant_id: assistant, thread, model: CHAT_MODEL, tools: [WEATHER] };
  type Run = Identified & { thread_id: string; status: string; required_action: Action | null };
  interface Action {
    submit_tool_outputs: { tool_calls: Identified[] };
  }
  const settled = (run: Run) =>
    ask.until(`${run.id} waits or ends`, async () => {
      const now = await ask.json<Run>("GET", `/v1/threads/${run.thread_id}/runs/${run.id}`);
      return [...ENDED, "requires_action"].includes(now.status) ? now : undefined;
    });
  for (const act of ["submit", "cancel"] as const) {
    const made = await ask.json<Run>("POST", "/v1/threads/runs", body);
    const path = `/v1/threads/${made.thread_id}/runs/${made.id}`;
    const before = house.happened.clock;
    const waiting = await settled(made);
    // A run waits for ten minutes.
    if (house.happened.clock !== before || house.wasFullLately) return;
    same("a function is called", waiting.status, "requires_action");
    if (act === "submit") {
      const [call] = waiting.required_action?.submit_tool_outputs.tool_calls ?? [];
      await ask.json("POST", `${path}/submit_tool_outputs`, {
        tool_outputs: [{ tool_call_id: call?.id, output: "12 degrees" }],
      });
    } else await ask.json("POST", `${path}/cancel`);
    const done = await settled(made);
    if (!house.wasFullLately) same("its end", done.status, act === "submit" ? "completed" : "cancelled");
    await ask.json("GET", "/v1/threads?limit=5");
    await ask.json("DELETE", `/v1/threads/${made.thread_id}`);
  }
}

export const ANSWER_FAMILIES: readonly Episode[] = [responses, background, conversations, assistants];
