import { describe, expect, test } from "bun:test";
import { waitFor } from "../../../test/helpers/wait.ts";
import { KEYS, type StoreApp } from "../../app/testing/store-app.ts";
import { ask, eventsIn, handbook, responseOf } from "./testing/answers.ts";

type Handbook = Awaited<ReturnType<typeof handbook>>;

async function answered(f: Handbook, more: object = {}, headers: Record<string, string> = {}) {
  const { status, json } = await f.call("POST", "/v1/responses", ask(f.store, more), headers);
  expect([status, json.error ?? null]).toEqual([200, null]);
  return json;
}

const items = async (f: StoreApp, id: string, query = "") =>
  (await f.call("GET", `/v1/responses/${id}/input_items${query}`)).json;

describe("what was asked", () => {
  test("is listed as items, newest first unless said otherwise, in pages", async () => {
    await using f = await handbook();
    const plain = await answered(f);
    expect(await items(f, plain.id)).toEqual({
      object: "list",
      data: [
        {
          id: expect.stringMatching(/^msg_/),
          type: "message",
          status: "completed",
          role: "user",
          content: [{ type: "input_text", text: "When are refunds paid?" }],
        },
      ],
      first_id: expect.stringMatching(/^msg_/),
      last_id: expect.stringMatching(/^msg_/),
      has_more: false,
    });
    const input = ["one", "two", "three", "When are refunds paid?"].map((content) => ({ role: "user", content }));
    const { id } = await answered(f, { input });
    const all = (await items(f, id, "?order=asc")).data as { id: string; content: { text: string }[] }[];
    expect(all.map(({ content }) => content[0]?.text)).toEqual(["one", "two", "three", "When are refunds paid?"]);
    const first = await items(f, id, "?limit=2");
    expect([first.data.map((one: { id: string }) => one.id), first.has_more]).toEqual([[all[3]?.id, all[2]?.id], true]);
    const second = await items(f, id, `?limit=2&after=${first.last_id}`);
    expect([second.data.map((one: { id: string }) => one.id), second.has_more]).toEqual([
      [all[1]?.id, all[0]?.id],
      false,
    ]);
    expect((await items(f, id, `?order=asc&before=${all[2]?.id}&limit=1`)).data).toEqual([all[1]]);
    expect((await f.call("GET", `/v1/responses/${id}/input_items?after=msg_none`)).status).toBe(400);
  });

  test("keeps a client's id that is new, and has references for what they stand for", async () => {
    await using f = await handbook();
    const own = { type: "message", role: "user", id: "msg_of_mine", content: "When are refunds paid?" };
    const first = await answered(f, { input: [own] });
    const second = await answered(f, {
      input: [
        { id: "msg_of_mine" },
        { type: "item_reference", id: first.output[1].id },
        { ...own, content: "And tides?" },
      ],
    });
    const listed = (await items(f, second.id, "?order=asc")).data as { id: string; role: string }[];
    expect(listed.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(listed[0]?.id).toBe("msg_of_mine");
    expect(listed[1]).toEqual(first.output[1]);
    expect(listed[2]?.id).not.toBe("msg_of_mine");
    expect(second.output[0].queries).toContain("When are refunds paid? And tides?");
    await f.call("DELETE", `/v1/responses/${first.id}`);
    expect((await items(f, second.id)).data).toHaveLength(1);
  });

  test("has what clients send back of an answer: a search that was made here is that one, another has no passages", async () => {
    await using f = await handbook();
    const first = await answered(f, { include: ["file_search_call.results"] });
    const input = [
      { role: "user", content: "When are refunds paid?" },
      ...first.output,
      { ...first.output[0], id: "fs_of_mine" },
      { role: "user", content: "And how do tides move?" },
    ];
    const second = await answered(f, { input });
    const listed = (await items(f, second.id, "?order=asc&include[]=file_search_call.results")).data;
    expect(listed).toMatchObject([
      { role: "user" },
      first.output[0],
      { role: "assistant", content: [{ text: first.output[1].content[0].text, annotations: [] }] },
      { type: "file_search_call", id: "fs_of_mine", results: null },
      { role: "user" },
    ]);
    expect(second.output[1].content[0].text).toContain("Tides follow the moon.");
  });
});

describe("a conversation", () => {
  test("goes on from an answer: a question that refers back is searched with the one before", async () => {
    await using f = await handbook();
    const first = await answered(f, { input: "When are refunds paid?" });
    const second = await answered(f, { input: "And for gifts?", previous_response_id: first.id });
    expect(second.previous_response_id).toBe(first.id);
    expect(second.output[0].queries.slice(0, 2)).toEqual(["And for gifts?", "When are refunds paid? And for gifts?"]);
    const third = await answered(f, { input: "And tides?", previous_response_id: second.id });
    expect(third.output[0].queries).toContain("And for gifts? And tides?");
    const other = await answered(f, { input: "And tides?", previous_response_id: first.id });
    expect(other.output[0].queries).toContain("When are refunds paid? And tides?");
  });

  test("loses the items of an answer that is deleted, and keeps those before it", async () => {
    await using f = await handbook();
    const first = await answered(f, { input: "When are refunds paid?" });
    const second = await answered(f, { input: "And gifts?", previous_response_id: first.id });
    const third = await answered(f, { input: [{ role: "system", content: "x" }], previous_response_id: second.id });
    expect((await f.call("DELETE", `/v1/responses/${second.id}`)).json).toEqual({
      id: second.id,
      object: "response.deleted",
      deleted: true,
    });
    for (const method of ["GET", "DELETE"]) {
      const { status, json } = await f.call(method, `/v1/responses/${second.id}`);
      expect([status, json.error]).toEqual([
        404,
        {
          message: `Response with id '${second.id}' not found.`,
          type: "invalid_request_error",
          param: null,
          code: null,
        },
      ]);
    }
    const fourth = await answered(f, { input: "And tides?", previous_response_id: third.id });
    expect(fourth.output[0].queries).toContain("When are refunds paid? And tides?");
    expect((await f.call("GET", `/v1/responses/${third.id}`)).json.previous_response_id).toBe(second.id);
  });

  test("pairs calls and outputs over several turns", async () => {
    await using f = await handbook();
    const call = { type: "function_call", call_id: "call_1", name: "f", arguments: "{}" };
    const output = { type: "function_call_output", call_id: "call_1", output: "done" };
    const first = await answered(f, { input: [{ role: "user", content: "When are refunds paid?" }, call, output] });
    const second = await answered(f, {
      input: [{ type: "function_call_output", call_id: "call_1", output: "again" }],
      previous_response_id: first.id,
    });
    expect(second.output[0].queries).toContain("When are refunds paid?");
  });
});

describe("a stored answer", () => {
  test("is another tenant's or another restricted key's as one that never was", async () => {
    await using f = await handbook();
    await f.addKey("sk-test-restricted-1", { id: "key_r1", storeIds: [f.store] });
    await f.addKey("sk-test-restricted-2", { id: "key_r2", storeIds: [f.store] });
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    const own = await answered(f, {}, as("sk-test-restricted-1"));
    const { id } = own;
    const message = own.output[1].id as string;
    for (const key of [KEYS.other, "sk-test-restricted-2"]) {
      for (const [method, path] of [
        ["GET", ""],
        ["GET", "?stream=true"],
        ["DELETE", ""],
        ["POST", "/cancel"],
        ["GET", "/input_items"],
      ]) {
        const { status, json } = await f.call(method ?? "", `/v1/responses/${id}${path}`, undefined, as(key));
        expect([key, method, path, status, json.error.message]).toEqual([
          key,
          method,
          path,
          404,
          `Response with id '${id}' not found.`,
        ]);
      }
    }
    for (const more of [{ previous_response_id: id }, { input: [{ id: message }] }]) {
      const { status } = await f.call("POST", "/v1/responses", ask(f.store, more), as("sk-test-restricted-2"));
      expect([400, 404]).toContain(status);
    }
    for (const key of ["sk-test-restricted-1", KEYS.write])
      expect((await f.call("GET", `/v1/responses/${id}`, undefined, as(key))).status).toBe(200);
    const { json: hidden } = await f.call("POST", "/v1/vector_stores", {});
    const foreign = await f.call("POST", "/v1/responses", ask(hidden.id), as("sk-test-restricted-1"));
    expect([foreign.status, foreign.json.error.code]).toEqual([404, "vector_store_not_found"]);
  });

  test("loses what it holds of a deleted file at once, and its row soon after, with a receipt", async () => {
    await using f = await handbook();
    const { id } = await answered(f);
    const at = `/v1/responses/${id}?include[]=file_search_call.results`;
    const file = f.ids["refunds.md"];
    const before = (await f.call("GET", at)).json;
    const texts = (json: typeof before) =>
      json.output[0].results.map((one: { file_id: string; text: string }) => [one.file_id === file, one.text !== ""]);
    expect(texts(before)).toContainEqual([true, true]);
    await f.call("DELETE", `/v1/files/${file}`);
    const after = (await f.call("GET", at)).json;
    for (const [isOf, hasText] of texts(after)) expect(hasText).toBe(!isOf);
    expect(after.output[1].content[0].annotations[0]).toMatchObject({ quote: "", start_offset: 0, end_offset: 65 });
    expect(after.output[1].content[0].text).toBe(before.output[1].content[0].text);
    await f.engine.jobs.runner.start();
    const admin = { authorization: `Bearer ${KEYS.admin}` };
    const deletion = await waitFor("the deletion is complete", async () => {
      const [found] = (await f.call("GET", "/v1/admin/deletions", undefined, admin)).json.data;
      return found.completed_at === null ? undefined : (found as { id: string });
    });
    expect(deletion).toMatchObject({ removed: { results: 2 }, remaining: { results: 0, answers: 1 } });
    const bodies = JSON.stringify(
      f.db.raw.query("SELECT body FROM response_item WHERE type = 'file_search_call'").all(),
    );
    expect(bodies).not.toContain("fourteen days");
    await f.call("DELETE", `/v1/responses/${id}`);
    const verified = (await f.call("POST", `/v1/admin/deletions/${deletion.id}/verify`, {}, admin)).json;
    expect(verified.remaining.answers).toBe(0);
  });

  test("loses what it holds of a deleted store", async () => {
    await using f = await handbook();
    const { id } = await answered(f);
    await f.call("DELETE", `/v1/vector_stores/${f.store}`);
    const { output } = (await f.call("GET", `/v1/responses/${id}?include[]=file_search_call.results`)).json;
    expect(output[0].results.every((one: { text: string }) => one.text === "")).toBe(true);
    expect(output[1].content[0].annotations[0].quote).toBe("");
  });

  test("never has what was deleted while it was being found", async () => {
    await using f = await handbook();
    let calls = 0;
    // The second embedding is that of the sentences, after the search.
    f.onEmbed(async () => {
      calls += 1;
      if (calls === 3) await f.call("DELETE", `/v1/files/${f.ids["refunds.md"]}`);
    });
    const { id } = await answered(f);
    const kept = JSON.stringify(f.db.raw.query("SELECT body FROM response_item WHERE type = 'file_search_call'").all());
    expect([calls >= 3, kept.includes("fourteen days"), id.startsWith("resp_")]).toEqual([true, false, true]);
  });

  test("goes with its tenant, and after its days", async () => {
    await using f = await handbook();
    const { id } = await answered(f);
    await f.storage.transaction(async ({ responses }) => {
      expect(await responses.trim(f.clock.seconds, 10)).toBe(0);
      expect(await responses.trim(f.clock.seconds + 1, 10)).toBe(1);
    });
    expect((await f.call("GET", `/v1/responses/${id}`)).status).toBe(404);
    expect(
      f.db.raw.query("SELECT (SELECT count(*) FROM response_item) + (SELECT count(*) FROM response_source) AS n").get(),
    ).toEqual({ n: 0 });
  });
});

describe("in the background", () => {
  const background = (f: Handbook, more: object = {}) => answered(f, { background: true, ...more });

  test("an answer is queued, worked on by a job, and followed", async () => {
    await using f = await handbook();
    const queued = await background(f);
    expect(queued).toMatchObject({ status: "queued", background: true, output: [], usage: null });
    const path = `/v1/responses/${queued.id}`;
    const { json, headers } = await f.call("GET", path);
    expect([json.status, headers.get("openai-poll-after-ms")]).toEqual(["queued", "200"]);
    const after = await f.call("POST", "/v1/responses", ask(f.store, { previous_response_id: queued.id }));
    expect([after.status, after.json.error.code]).toEqual([400, "invalid_value"]);
    const following = eventsIn(await f.request("GET", `${path}?stream=true`));
    await f.engine.jobs.runner.start();
    const events = await following;
    expect(events.slice(0, 4).map(({ name }) => name)).toEqual([
      "response.created",
      "response.queued",
      "response.in_progress",
      "response.output_item.added",
    ]);
    expect(events.map(({ data }) => data.sequence_number)).toEqual(events.map((_, i) => i));
    const done = await f.call("GET", path);
    expect(events.at(-1)?.data["response"]).toEqual(done.json);
    expect([done.json.status, done.headers.get("openai-poll-after-ms")]).toEqual(["completed", null]);
    expect(f.db.raw.query("SELECT question FROM response").get()).toEqual({ question: null });
    const rest = await eventsIn(await f.request("GET", `${path}?stream=true&starting_after=10`));
    expect(rest).toEqual(events.slice(11));
  });

  test("a stream may be left and taken up again", async () => {
    await using f = await handbook();
    await f.engine.jobs.runner.start();
    const first = await eventsIn(
      await f.request("POST", "/v1/responses", ask(f.store, { background: true, stream: true })),
      10,
    );
    const { id } = responseOf(first[0]);
    const rest = await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true&starting_after=9`));
    expect([rest[0]?.data.sequence_number, rest.at(-1)?.name]).toEqual([10, "response.completed"]);
  });

  test("one may be cancelled until it has ended, and stays so", async () => {
    await using f = await handbook();
    const { id } = await background(f);
    const following = eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true`));
    const cancelled = await f.call("POST", `/v1/responses/${id}/cancel`);
    expect([cancelled.status, cancelled.json.status]).toEqual([200, "cancelled"]);
    expect((await following).map(({ name }) => name)).toEqual(["response.created", "response.queued"]);
    await f.engine.jobs.runner.start();
    expect((await f.call("POST", `/v1/responses/${id}/cancel`)).json).toEqual(cancelled.json);
    expect(f.db.raw.query("SELECT count(*) AS n FROM job WHERE kind = 'answer'").get()).toEqual({ n: 0 });
    const now = await answered(f);
    const refused = await f.call("POST", `/v1/responses/${now.id}/cancel`);
    expect([refused.status, refused.json.error]).toEqual([
      400,
      { message: "Cannot cancel a synchronous response.", type: "invalid_request_error", param: null, code: null },
    ]);
  });

  test("one that is cancelled or deleted while it is worked on is not answered", async () => {
    await using f = await handbook();
    await f.engine.jobs.runner.start();
    for (const [method, path] of [
      ["POST", "/cancel"],
      ["DELETE", ""],
    ] as const) {
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
      f.onEmbed(async (signal) => {
        begin();
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      });
      const { id } = await background(f, { input: `When are refunds ${method} paid?` });
      await begun;
      expect((await f.call("GET", `/v1/responses/${id}`)).json.status).toBe("in_progress");
      expect((await f.call(method, `/v1/responses/${id}${path}`)).status).toBe(200);
      const after = await f.call("GET", `/v1/responses/${id}`);
      expect([after.status, after.json.status]).toEqual(method === "POST" ? [200, "cancelled"] : [404, undefined]);
    }
  });

  test("one whose search fails ends as failed", async () => {
    await using f = await handbook();
    f.failing.reason = "unavailable";
    await f.engine.jobs.runner.start();
    const events = await eventsIn(
      await f.request("POST", "/v1/responses", ask(f.store, { background: true, stream: true })),
    );
    expect(events.slice(-2).map(({ name }) => name)).toEqual(["error", "response.failed"]);
    expect(events.at(-1)?.data["response"]).toMatchObject({ status: "failed", error: { code: "server_error" } });
  });

  test("more than a hundred do not wait", async () => {
    await using f = await handbook();
    for (let i = 0; i < 100; i++) await background(f);
    const { status, headers } = await f.call("POST", "/v1/responses", ask(f.store, { background: true }));
    expect([status, headers.get("retry-after")]).toEqual([429, "2"]);
  });
});
