/** Who may know of threads and runs and change them, and what goes with files, stores, tenants and time. */
import { describe, expect, test } from "bun:test";
import { waitFor } from "../../../../test/helpers/wait.ts";
import { KEYS } from "../../../app/testing/store-app.ts";
import { desk, type Desk, ended, type Headers, list, newThread, SEARCH, user } from "./testing/threads.ts";

const as = (key: string): Headers => ({ authorization: `Bearer ${key}` });

async function limitedKey(f: Desk, stores: string[] = [f.store]): Promise<Headers> {
  const key = "sk-test-limited-0123456789";
  await f.addKey(key, { storeIds: stores });
  return as(key);
}

describe("a key that may only read", () => {
  test("makes threads, messages and runs, and no assistant and no store", async () => {
    await using f = await desk();
    const read = as(KEYS.read);
    const thread = await newThread(f, { messages: [user()] }, read);
    expect((await f.call("POST", `/v1/threads/${thread}/messages`, user("More"), read)).status).toBe(200);
    expect((await ended(f, thread, {}, read)).status).toBe("completed");
    const file = await f.file();
    const attached = user("Look", { attachments: [{ file_id: file, tools: [SEARCH] }] });
    const helper = { file_search: { vector_stores: [{ file_ids: [] }] } };
    for (const [path, body] of [
      ["/v1/assistants", { model: "m" }],
      [`/v1/threads/${thread}/messages`, attached],
      ["/v1/threads", { messages: [attached] }],
      ["/v1/threads", { tool_resources: helper }],
      [`/v1/threads/${thread}`, { tool_resources: helper }],
    ] as const) {
      const { status, json } = await f.call("POST", path, body, read);
      expect([path, status, json.error?.code]).toEqual([path, 403, "permission_denied"]);
    }
    const noted = user("Look", { attachments: [{ file_id: file, tools: [{ type: "code_interpreter" }] }] });
    expect((await f.call("POST", `/v1/threads/${thread}/messages`, noted, read)).status).toBe(200);
  });

  test("changes and takes back only what it made itself", async () => {
    await using f = await desk();
    const read = as(KEYS.read);
    const thread = await newThread(f);
    const run = await ended(f, thread);
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    const places = [`/v1/threads/${thread}`, `/v1/threads/${thread}/messages/${message.id}`];
    for (const path of places) {
      expect((await f.call("POST", path, { metadata: { a: "b" } }, read)).status).toBe(403);
      expect((await f.call("DELETE", path, undefined, read)).status).toBe(403);
    }
    expect((await f.call("POST", `/v1/threads/${thread}/runs/${run.id}`, { metadata: {} }, read)).status).toBe(403);
    const own = await newThread(f, { messages: [user()] }, read);
    expect((await f.call("DELETE", `/v1/threads/${own}`, undefined, read)).status).toBe(200);
  });
});

describe("a key that is limited to stores", () => {
  test("knows what it made itself, and of others' threads and assistants nothing", async () => {
    await using f = await desk();
    const limited = await limitedKey(f);
    const thread = await newThread(f);
    const run = await ended(f, thread);
    for (const path of [
      `/v1/assistants/${f.assistant}`,
      `/v1/threads/${thread}`,
      `/v1/threads/${thread}/messages`,
      `/v1/threads/${thread}/runs/${run.id}`,
      `/v1/threads/${thread}/runs/${run.id}/steps`,
    ])
      expect([path, (await f.call("GET", path, undefined, limited)).status]).toEqual([path, 404]);
    expect(await list(f, "/v1/threads", limited)).toEqual([]);
    expect(await list(f, "/v1/assistants", limited)).toEqual([]);
    const used = await f.call("POST", "/v1/threads/runs", { assistant_id: f.assistant }, limited);
    expect(used.status).toBe(404);
    const resources = { file_search: { vector_store_ids: [f.store] } };
    const { json: own } = await f.call(
      "POST",
      "/v1/assistants",
      { model: "m", tools: [SEARCH], tool_resources: resources },
      limited,
    );
    const { json: made } = await f.call("POST", "/v1/threads/runs", { assistant_id: own.id }, limited);
    expect(made.status).toBe("queued");
    expect(await list(f, "/v1/threads", limited)).toHaveLength(1);
  });

  test("cannot name other stores, nor have new ones made", async () => {
    await using f = await desk();
    const { json: other } = await f.call("POST", "/v1/vector_stores", {});
    const limited = await limitedKey(f);
    const named = { file_search: { vector_store_ids: [other.id] } };
    const helper = { file_search: { vector_stores: [{}] } };
    for (const [path, body, status] of [
      ["/v1/assistants", { model: "m", tool_resources: named }, 404],
      ["/v1/threads", { tool_resources: named }, 404],
      ["/v1/threads", { tool_resources: helper }, 403],
      ["/v1/assistants", { model: "m", tool_resources: helper }, 403],
    ] as const)
      expect([path, (await f.call("POST", path, body, limited)).status]).toEqual([path, status]);
  });

  test("does not run an assistant over a store that was taken from it since", async () => {
    await using f = await desk();
    const limited = await limitedKey(f);
    const resources = { file_search: { vector_store_ids: [f.store] } };
    const made = { model: "m", tools: [SEARCH], tool_resources: resources };
    const { json: own } = await f.call("POST", "/v1/assistants", made, limited);
    f.db.raw.run("UPDATE api_key SET store_ids = '[]' WHERE store_ids IS NOT NULL");
    const { status, json } = await f.call("POST", "/v1/threads/runs", { assistant_id: own.id }, limited);
    expect([status, json.error.message]).toEqual([404, `No vector store found with id '${f.store}'`]);
  });
});

test("another tenant knows of nothing", async () => {
  await using f = await desk();
  const other = as(KEYS.other);
  const thread = await newThread(f);
  for (const path of [`/v1/assistants/${f.assistant}`, `/v1/threads/${thread}`, `/v1/threads/${thread}/runs`])
    expect([path, (await f.call("GET", path, undefined, other)).status]).toEqual([path, 404]);
  for (const path of ["/v1/assistants", "/v1/threads"]) {
    expect(await list(f, path, other)).toEqual([]);
    expect((await f.call("GET", `${path}?after=${thread}`, undefined, other)).status).toBe(400);
  }
  const named = { tool_resources: { file_search: { vector_store_ids: [f.store] } } };
  expect((await f.call("POST", "/v1/threads", named, other)).status).toBe(404);
});

test("a suspended store is not searched: the run fails, and its thread is free", async () => {
  await using f = await desk();
  const thread = await newThread(f);
  await f.call("POST", `/v1/admin/vector_stores/${f.store}/suspend`, {}, as(KEYS.admin));
  const run = await ended(f, thread);
  expect([run.status, run.last_error.code, run.failed_at]).toEqual(["failed", "server_error", f.clock.seconds]);
  expect((await f.call("POST", `/v1/threads/${thread}/messages`, user())).status).toBe(200);
});

test("the assistant's store that is gone, or has expired, ends a run with what is said of it", async () => {
  await using f = await desk();
  const thread = await newThread(f);
  await f.call("DELETE", `/v1/vector_stores/${f.store}`);
  const run = await ended(f, thread);
  expect([run.status, run.last_error]).toEqual([
    "failed",
    { code: "server_error", message: `No vector store found with id '${f.store}'` },
  ]);
  const [step] = await list(f, `/v1/threads/${thread}/runs/${run.id}/steps`);
  expect([step.status, step.last_error]).toEqual(["failed", run.last_error]);
});

test("searches are in the log of the stores, with the run's id", async () => {
  await using f = await desk();
  const run = await ended(f, await newThread(f));
  const [logged] = await list(f, `/v1/vector_stores/${f.store}/queries`);
  expect([logged.source, logged.source_id]).toEqual(["run", run.id]);
});

describe("what a run holds", () => {
  const CONTENT = "include[]=step_details.tool_calls[*].file_search.results[*].content";

  test("of a deleted file is emptied, and the receipt counts it and the messages that cite it", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    const run = await ended(f, thread);
    await f.call("DELETE", `/v1/files/${f.ids["refunds.md"]}`);
    const look = async () => {
      const steps = await list(f, `/v1/threads/${thread}/runs/${run.id}/steps?${CONTENT}`);
      const [message] = await list(f, `/v1/threads/${thread}/messages`);
      const results = steps[1].step_details.tool_calls[0].file_search.results as Result[];
      return {
        texts: results.filter((one) => one.file_name === "refunds.md").map(({ content }) => content[0]?.text),
        quotes: message.content[0].text.annotations.map((one: Annotation) => one.file_citation.quote) as string[],
        value: message.content[0].text.value as string,
      };
    };
    // At once, before anything was reclaimed.
    const now = await look();
    expect([new Set(now.texts), new Set(now.quotes)]).toEqual([new Set([""]), new Set([""])]);
    expect(now.value).toContain("fourteen days");
    const deletion = await waitFor("the deletion is complete", async () => {
      const [found] = await list(f, "/v1/admin/deletions", as(KEYS.admin));
      return found.completed_at === null ? undefined : (found as { id: string });
    });
    expect(deletion).toMatchObject({ removed: { results: 2 }, remaining: { results: 0, answers: 1 } });
    const kept = JSON.stringify(f.db.raw.query("SELECT details FROM run_step").all());
    expect(kept).not.toContain("fourteen days");
    expect(await look()).toEqual(now);
    await f.call("DELETE", `/v1/threads/${thread}`);
    const verify = `/v1/admin/deletions/${deletion.id}/verify`;
    expect((await f.call("POST", verify, {}, as(KEYS.admin))).json.remaining.answers).toBe(0);
  });

  test("of a deleted store is emptied", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    await ended(f, thread);
    await f.call("DELETE", `/v1/vector_stores/${f.store}`);
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    expect(message.content[0].text.annotations[0].file_citation.quote).toBe("");
  });

  test("goes with its tenant, and with its thread after so many days without use", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    await ended(f, thread);
    const waiting = await newThread(f);
    await f.storage.transaction(async ({ threads }) => {
      expect(await threads.trim(f.clock.seconds, 10)).toBe(0);
    });
    await f.engine.jobs.runner[Symbol.asyncDispose]();
    await f.call("POST", `/v1/threads/${waiting}/runs`, { assistant_id: f.assistant });
    await f.storage.transaction(async ({ threads }) => {
      // One with an active run stays.
      expect(await threads.trim(f.clock.seconds + 1, 10)).toBe(1);
      expect(await threads.removeOfTenant("ten_b", 10)).toBe(0);
      expect(await threads.removeOfTenant("ten_a", 10)).toBe(1);
    });
    const counts = ["run", "run_step", "thread_message", "thread_source"].map(
      (name) => `(SELECT count(*) FROM ${name})`,
    );
    expect(f.db.raw.query(`SELECT ${counts.join(" + ")} AS n`).get()).toEqual({ n: 0 });
    expect(await f.storage.assistants.removeOfTenant("ten_a", 10)).toBe(1);
  });
});

test("a tenant that is deleted takes its threads and assistants with it", async () => {
  await using f = await desk();
  const other = as(KEYS.other);
  await newThread(f, { messages: [user()] }, other);
  expect((await f.call("POST", "/v1/assistants", { model: "m" }, other)).status).toBe(200);
  expect((await f.call("DELETE", "/v1/admin/tenants/ten_b", undefined, as(KEYS.admin))).status).toBe(200);
  const left = f.db.raw.query(
    "SELECT (SELECT count(*) FROM thread WHERE tenant_id = 'ten_b') + (SELECT count(*) FROM assistant WHERE tenant_id = 'ten_b') + (SELECT count(*) FROM thread_message) AS n",
  );
  expect(left.get()).toEqual({ n: 0 });
});

test("a suspended tenant's keys ask for nothing, and what it asked for before fails", async () => {
  await using f = await desk();
  const other = as(KEYS.other);
  const { json: store } = await f.call("POST", "/v1/vector_stores", {}, other);
  const resources = { file_search: { vector_store_ids: [store.id] } };
  const made = { model: "m", tools: [SEARCH], tool_resources: resources };
  const { json: assistant } = await f.call("POST", "/v1/assistants", made, other);
  const { json: run } = await f.call(
    "POST",
    "/v1/threads/runs",
    { assistant_id: assistant.id, thread: { messages: [user()] } },
    other,
  );
  await f.call("POST", "/v1/admin/tenants/ten_b", { status: "suspended" }, as(KEYS.admin));
  expect((await f.call("POST", "/v1/threads", {}, other)).status).toBe(402);
  await f.engine.jobs.runner.start();
  await waitFor(
    "the run ends",
    async () => (await f.storage.runs.get("ten_b", run.id as string))?.ended_at ?? undefined,
  );
  expect(await f.storage.runs.get("ten_b", run.id as string)).toMatchObject({
    status: "failed",
    outcome: { error: { code: "server_error" } },
  });
});

interface Result {
  file_name: string;
  content: { text: string }[];
}
interface Annotation {
  file_citation: { quote: string };
}
