import { expect, setDefaultTimeout, test } from "bun:test";
import { startChatServer } from "../../../../test/helpers/chat-server.ts";
import { waitFor } from "../../../../test/helpers/wait.ts";
import { KEYS } from "../../../app/testing/store-app.ts";
import { ask, handbook } from "../testing/answers.ts";
import { problemWith } from "../testing/openai-schemas.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(60_000);

const said = (content: string) => ({ role: "user", content });

test("a conversation has metadata and items, which are added, listed and taken out", async () => {
  await using f = await handbook();
  const made = await f.call("POST", "/v1/conversations", { items: [said("Hi")], metadata: { a: "1" } });
  expect([made.status, problemWith("ConversationResource", made.json)]).toEqual([200, null]);
  expect(made.json.id).toMatch(/^conv_/);
  expect(made.json).toMatchObject({ object: "conversation", metadata: { a: "1" } });
  const path = `/v1/conversations/${made.json.id}`;
  expect((await f.call("POST", path, { metadata: { b: "2" } })).json.metadata).toEqual({ b: "2" });
  expect((await f.call("GET", path)).json).toEqual({ ...made.json, metadata: { b: "2" } });
  const added = (
    await f.call("POST", `${path}/items`, { items: [{ role: "assistant", content: "Hello." }, said("So?")] })
  ).json;
  expect(problemWith("ConversationItemList", added)).toBeNull();
  expect(added.data.map(({ role }: { role: string }) => role)).toEqual(["assistant", "user"]);
  const page = (await f.call("GET", `${path}/items?limit=2&order=asc`)).json;
  expect([page.data.length, page.has_more, page.data[0].content[0].text]).toEqual([2, true, "Hi"]);
  const { id } = added.data[0];
  expect((await f.call("GET", `${path}/items/${id}`)).json).toEqual(added.data[0]);
  expect((await f.call("DELETE", `${path}/items/${id}`)).json.id).toBe(made.json.id);
  expect((await f.call("DELETE", `${path}/items/${id}`)).status).toBe(404);
  expect((await f.call("GET", `${path}/items`)).json.data).toHaveLength(2);
  expect((await f.call("DELETE", path)).json).toEqual({
    id: made.json.id,
    object: "conversation.deleted",
    deleted: true,
  });
  const gone = await f.call("GET", path);
  expect([gone.status, gone.json.error]).toEqual([
    404,
    {
      message: `Conversation with id '${made.json.id}' not found.`,
      type: "invalid_request_error",
      param: null,
      code: null,
    },
  ]);
});

test("answers go on with a conversation and are added to it, quoted or written", async () => {
  await using upstream = await startChatServer();
  const settings = { chatAddress: upstream.address, chatModel: "m", allowPrivateAddresses: true };
  await using f = await handbook({ settings });
  const { id } = (await f.call("POST", "/v1/conversations", { items: [said("My name is Ann.")] })).json;
  upstream.say({ text: "Fourteen days [1]." });
  const first = (await f.call("POST", "/v1/responses", ask(f.store, { conversation: id }))).json;
  expect([first.status, first.conversation, problemWith("Response", first)]).toEqual(["completed", { id }, null]);
  expect(JSON.stringify(upstream.asked[0]?.body.messages)).toContain("My name is Ann.");
  const quoted = { conversation: { id }, model: "lectern-extractive", input: "And what does a refund need?" };
  expect((await f.call("POST", "/v1/responses", ask(f.store, quoted))).json.status).toBe("completed");
  const { data } = (await f.call("GET", `/v1/conversations/${id}/items?order=asc`)).json;
  expect(data.map(({ type, role }: { type: string; role?: string }) => role ?? type)).toEqual([
    "user",
    "user",
    "file_search_call",
    "assistant",
    "user",
    "file_search_call",
    "assistant",
  ]);
  // Neither its own age nor that of its answers takes anything away.
  await f.storage.transaction(async ({ responses }) => void (await responses.trim(f.clock.seconds + 1, 100)));
  expect((await f.call("GET", `/v1/conversations/${id}/items`)).json.data).toHaveLength(7);
  await f.call("DELETE", `/v1/conversations/${id}`);
  expect((await f.call("GET", `/v1/responses/${first.id}`)).status).toBe(200);
});

test("what failed is no part of it, and two answers at once are refused", async () => {
  await using f = await handbook();
  const { id } = (await f.call("POST", "/v1/conversations", {})).json;
  f.failing.reason = "unavailable";
  await (await f.request("POST", "/v1/responses", ask(f.store, { conversation: id, stream: true }))).text();
  expect((await f.call("GET", `/v1/conversations/${id}/items`)).json.data).toEqual([]);
  f.failing.reason = null;
  expect((await f.call("POST", "/v1/responses", ask(f.store, { conversation: id, background: true }))).status).toBe(
    200,
  );
  const { status, json, headers } = await f.call("POST", "/v1/responses", ask(f.store, { conversation: id }));
  expect([status, json.error.code, headers.get("x-should-retry")]).toEqual([409, "conversation_locked", "true"]);
  for (const more of [{ previous_response_id: "resp_x" }, { store: false }]) {
    const refused = await f.call("POST", "/v1/responses", ask(f.store, { conversation: id, ...more }));
    expect([refused.status, refused.json.error.param]).toEqual([400, "conversation"]);
  }
  await f.engine.jobs.runner.start();
});

test.each([
  ["streamed", { stream: true }],
  ["waited for", {}],
  ["in the background", { background: true }],
])("of two answers that are asked for in the same instant one is given: %s", async (_, how) => {
  await using f = await handbook();
  const { id } = (await f.call("POST", "/v1/conversations", {})).json;
  const body = ask(f.store, { conversation: id, ...how });
  const asked = await Promise.all([1, 2, 3].map(() => f.request("POST", "/v1/responses", body)));
  expect(asked.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409]);
  await Promise.all(asked.map((response) => response.text()));
  await f.engine.jobs.runner.start();
  // It is free again, with one question and one answer in it.
  await waitFor("the conversation is free", async () => {
    const { data } = (await f.call("GET", `/v1/conversations/${id}/items`)).json;
    return data.length === 3 || undefined;
  });
  expect((await f.call("POST", "/v1/responses", ask(f.store, { conversation: id }))).status).toBe(200);
});

test("is free again for whoever comes after a refused request, or a client that left before the first event", async () => {
  await using f = await handbook();
  const { id } = (await f.call("POST", "/v1/conversations", {})).json;
  const refused = ask("vs_unknown", { conversation: id });
  expect((await f.call("POST", "/v1/responses", refused)).status).toBe(404);
  const body = ask(f.store, { conversation: id, stream: true });
  await (await f.request("POST", "/v1/responses", body)).body?.cancel();
  const { status } = await f.call("POST", "/v1/responses", ask(f.store, { conversation: id }));
  expect(status).toBe(200);
});

test("it is its tenant's, and what files say in it goes with them", async () => {
  await using f = await handbook();
  const { id } = (await f.call("POST", "/v1/conversations", {})).json;
  await f.call("POST", "/v1/responses", ask(f.store, { conversation: id }));
  const other = { authorization: `Bearer ${KEYS.other}` };
  expect((await f.call("GET", `/v1/conversations/${id}/items`, undefined, other)).status).toBe(404);
  const reader = { authorization: `Bearer ${KEYS.read}` };
  expect((await f.call("DELETE", `/v1/conversations/${id}`, undefined, reader)).status).toBe(403);
  const results = "?include[]=file_search_call.results";
  const text = async () => JSON.stringify((await f.call("GET", `/v1/conversations/${id}/items${results}`)).json);
  const quote = '"quote":"Refunds are paid';
  expect(await text()).toContain(quote);
  await f.call("DELETE", `/v1/files/${f.ids["refunds.md"]}`);
  expect(await text()).not.toContain(quote);
});
