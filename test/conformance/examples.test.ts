/** What the API explorer offers as a request works when it is sent as it stands, ids apart. */
import { expect, test } from "bun:test";
import { addText, json, newStore, settled, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

interface Documented {
  requestBody?: { content: Record<string, { example?: unknown }> };
}

/** Ids of things that are there, in the order of the places that the examples have for them. */
async function idsOf(server: TestServer): Promise<Record<string, string>> {
  const store = await newStore(server, { name: "examples" });
  const file = await addText(server, store, "a.txt", "Returns are accepted within thirty days.");
  const bytes = "hello world";
  const whole = { filename: "x.txt", purpose: "assistants", bytes: bytes.length, mime_type: "text/plain" };
  const pending = await json<{ id: string }>(server, "POST", "/v1/uploads", whole);
  const form = new FormData();
  form.set("data", new Blob([bytes]), "part");
  const part = await server.fetch(`/v1/uploads/${pending.id}/parts`, { method: "POST", body: form });
  const key = await json<{ id: string }>(server, "POST", "/v1/admin/keys", { name: "a", role: "read" });
  const tenant = await json<{ id: string }>(server, "POST", "/v1/admin/tenants", { name: "a" });
  const tools = [{ type: "file_search" }];
  const assistant = await json<{ id: string }>(server, "POST", "/v1/assistants", { model: "gpt-4o", tools });
  const thread = await json<{ id: string }>(server, "POST", "/v1/threads", {});
  const said = { role: "user", content: "Hello" };
  const message = await json<{ id: string }>(server, "POST", `/v1/threads/${thread.id}/messages`, said);
  const runs = `/v1/threads/${thread.id}/runs`;
  const run = await json<{ id: string }>(server, "POST", runs, { assistant_id: assistant.id });
  await waitFor("the run ends", async () => {
    const { status } = await json<{ status: string }>(server, "GET", `${runs}/${run.id}`);
    return status === "completed" || undefined;
  });
  const conversation = await json<{ id: string }>(server, "POST", "/v1/conversations", {});
  return {
    "{vector_store_id}": store,
    "{store}": store,
    "{file_id}": file,
    "{upload_id}": pending.id,
    "{key_id}": key.id,
    "{tenant_id}": tenant.id,
    "{conversation_id}": conversation.id,
    "{assistant_id}": assistant.id,
    "{thread_id}": thread.id,
    "{message_id}": message.id,
    "{run_id}": run.id,
    asst_abc123: assistant.id,
    "{deployment}": "text-embedding-3-small",
    vs_abc123: store,
    "file-abc123": file,
    "file-abc456": await upload(server, "b.txt", "Another text."),
    part_abc123: ((await part.json()) as { id: string }).id,
  };
}

/** What answers only where there is a language model, another server, or a code that was just made. */
const NOT_ALONE: readonly string[] = [
  "/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
  "/v1/chat/completions",
  "/v1/console/session",
  "/v1/admin/models/remote",
];

/** Addresses that a key does not open. */
const SIGNED = "/librechat/";

test("every example of a request in the API document is accepted", async () => {
  await using server = await startServer();
  const { paths } = await json<{ paths: Record<string, Record<string, Documented>> }>(server, "GET", "/docs/json");
  const ids = await idsOf(server);
  const filled = (text: string) =>
    Object.entries(ids).reduce((filled, [placeholder, id]) => filled.replaceAll(placeholder, id), text);
  const sent: string[] = [];
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { requestBody }] of Object.entries(item)) {
      const content = requestBody?.content["application/json"];
      if (content === undefined || NOT_ALONE.includes(path) || path.startsWith(SIGNED)) continue;
      const body = filled(JSON.stringify(content.example));
      const answer = await server.fetch(filled(path), { method: method.toUpperCase(), body });
      const text = await answer.text();
      expect([method, path, body, answer.ok || text]).toEqual([method, path, body, true]);
      sent.push(path);
    }
  }
  expect(sent.length).toBeGreaterThanOrEqual(12);
  const store = ids["{vector_store_id}"] ?? "";
  expect((await settled(server, store, ids["{file_id}"] ?? "")).status).toBe("completed");
});
