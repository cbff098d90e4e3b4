import { describe, expect, test } from "bun:test";
import { desk, type Desk, endOf, list, newThread, SEARCH, user } from "../runs/testing/threads.ts";

const DAY = 86_400;
const attached = (file: string, more: object = {}) =>
  user("Look", { attachments: [{ file_id: file, tools: [SEARCH] }], ...more });

const storeOf = async (f: Desk, thread: string) =>
  (await f.call("GET", `/v1/threads/${thread}`)).json.tool_resources.file_search?.vector_store_ids[0] as string;

describe("a thread", () => {
  test("is shown with its resources and metadata, changed member by member, and deleted", async () => {
    await using f = await desk();
    const resources = { code_interpreter: { file_ids: ["file-1"] }, file_search: { vector_store_ids: [f.store] } };
    const { json: thread } = await f.call("POST", "/v1/threads", {
      metadata: { a: "b" },
      tool_resources: resources,
    });
    expect(thread).toEqual({
      id: expect.stringMatching(/^thread_/),
      object: "thread",
      created_at: f.clock.seconds,
      metadata: { a: "b" },
      tool_resources: resources,
    });
    const path = `/v1/threads/${thread.id}`;
    const change = async (body: object) => (await f.call("POST", path, body)).json;
    expect(await change({ metadata: { c: "d" } })).toEqual({ ...thread, metadata: { c: "d" } });
    expect((await change({ tool_resources: { code_interpreter: { file_ids: [] } } })).tool_resources).toEqual({
      code_interpreter: { file_ids: [] },
      file_search: { vector_store_ids: [f.store] },
    });
    expect((await change({ tool_resources: { file_search: null } })).tool_resources).toEqual({
      code_interpreter: { file_ids: [] },
    });
    expect(await change({ tool_resources: null, metadata: null })).toMatchObject({ tool_resources: {}, metadata: {} });
    expect((await f.call("DELETE", path)).json).toEqual({ id: thread.id, object: "thread.deleted", deleted: true });
    expect((await f.call("DELETE", path)).json.error.message).toBe(`No thread found with id '${thread.id}'.`);
  });

  test.each<[string, object, string, string]>([
    ["both", { vector_store_ids: ["vs_1"], vector_stores: [{}] }, "invalid_value", "tool_resources.file_search"],
    [
      "two stores",
      { vector_store_ids: ["vs_1", "vs_2"] },
      "array_above_max_length",
      "tool_resources.file_search.vector_store_ids",
    ],
    [
      "two new stores",
      { vector_stores: [{}, {}] },
      "array_above_max_length",
      "tool_resources.file_search.vector_stores",
    ],
    [
      "more",
      { vector_stores: [{ names: [] }] },
      "unknown_parameter",
      "tool_resources.file_search.vector_stores[0].names",
    ],
  ])("is not made with %s", async (_, search, code, param) => {
    await using f = await desk();
    for (const [path, body] of [
      ["/v1/threads", {}],
      ["/v1/assistants", { model: "m" }],
    ] as const) {
      const { status, json } = await f.call("POST", path, { ...body, tool_resources: { file_search: search } });
      expect([status, json.error.code, json.error.param]).toEqual([400, code, param]);
    }
  });

  test("makes its store with it: seven days from the last use, its files, or nothing at all", async () => {
    await using f = await desk();
    const file = await f.file();
    const strategy = { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 50 } };
    const wanted = { file_ids: [file], chunking_strategy: strategy, metadata: { a: "b" } };
    const thread = await newThread(f, { tool_resources: { file_search: { vector_stores: [wanted] } } });
    const store = (await f.call("GET", `/v1/vector_stores/${await storeOf(f, thread)}`)).json;
    expect(store).toMatchObject({
      expires_after: { anchor: "last_active_at", days: 7 },
      file_counts: { total: 1 },
      metadata: { a: "b" },
    });
    const [kept] = await list(f, `/v1/vector_stores/${store.id}/files`);
    expect(kept.chunking_strategy).toEqual(strategy);
    const before = f.db.raw
      .query("SELECT (SELECT count(*) FROM vector_store) + (SELECT count(*) FROM thread) AS n")
      .get();
    const unknown = { vector_stores: [{ file_ids: [file, "file-none"] }] };
    const refused = await f.call("POST", "/v1/threads", { tool_resources: { file_search: unknown } });
    expect([refused.status, refused.json.error.message]).toEqual([404, "No such File object: file-none"]);
    expect(
      f.db.raw.query("SELECT (SELECT count(*) FROM vector_store) + (SELECT count(*) FROM thread) AS n").get(),
    ).toEqual(before);
    const { json: assistant } = await f.call("POST", "/v1/assistants", {
      model: "m",
      tool_resources: { file_search: { vector_stores: [{ file_ids: [file] }] } },
    });
    const [own] = assistant.tool_resources.file_search.vector_store_ids;
    expect((await f.call("GET", `/v1/vector_stores/${own}`)).json.expires_after).toBeNull();
    await f.call("DELETE", `/v1/threads/${thread}`);
    expect((await f.call("GET", `/v1/vector_stores/${store.id}`)).status).toBe(200);
  });

  test("counts for the quota of stores", async () => {
    await using f = await desk({ maxStores: 1 });
    const helper = { tool_resources: { file_search: { vector_stores: [{}] } } };
    for (const [path, body] of [
      ["/v1/threads", helper],
      ["/v1/assistants", { model: "m", ...helper }],
      ["/v1/threads", { messages: [attached(await f.file())] }],
    ] as const) {
      const { status, json } = await f.call("POST", path, body);
      expect([status, json.error.code]).toEqual([403, "vector_store_limit_reached"]);
    }
  });
});

describe("a message", () => {
  test("is shown whole: text as a part, everything else as it came", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    const path = `/v1/threads/${thread}/messages`;
    const parts = [
      { type: "text", text: "Look: 😀" },
      { type: "image_url", image_url: { url: "https://a/b.png", detail: "low" } },
      { type: "image_file", image_file: { file_id: "file-1" } },
    ];
    const attachments = [{ file_id: "file-1", tools: [{ type: "code_interpreter" }] }];
    const { json: message } = await f.call("POST", path, user(parts, { attachments, metadata: { a: "b" } }));
    expect(message).toEqual({
      id: expect.stringMatching(/^msg_/),
      object: "thread.message",
      created_at: f.clock.seconds,
      assistant_id: null,
      thread_id: thread,
      run_id: null,
      role: "user",
      content: [
        { type: "text", text: { value: "Look: 😀", annotations: [] } },
        parts[1],
        { type: "image_file", image_file: { file_id: "file-1", detail: "auto" } },
      ],
      attachments,
      metadata: { a: "b" },
      status: "completed",
      incomplete_details: null,
      completed_at: f.clock.seconds,
      incomplete_at: null,
    });
    expect((await f.call("GET", `${path}/${message.id}`)).json).toEqual(message);
    const other = await newThread(f, {});
    const { status, json } = await f.call("GET", `/v1/threads/${other}/messages/${message.id}`);
    expect([status, json.error.message]).toEqual([404, `No message found with id '${message.id}'.`]);
  });

  test.each<[string, object, string, string]>([
    ["no role", { content: "x" }, "missing_required_parameter", "role"],
    ["another role", { role: "system", content: "x" }, "invalid_value", "role"],
    ["no words", user(""), "string_below_min_length", "content"],
    ["no parts", user([]), "array_below_min_length", "content"],
    ["too many parts", user(Array(11).fill({ type: "text", text: "x" })), "array_above_max_length", "content"],
    ["too many words", user("ä".repeat(256_001)), "string_above_max_length", "content"],
    [
      "another tool",
      user("x", { attachments: [{ file_id: "f", tools: [{ type: "x" }] }] }),
      "invalid_value",
      "attachments[0].tools[0].type",
    ],
    ["too much metadata", user("x", { metadata: { a: "x".repeat(513) } }), "string_above_max_length", "metadata.a"],
  ])("is refused with %s", async (_, body, code, param) => {
    await using f = await desk();
    const { status, json } = await f.call("POST", `/v1/threads/${await newThread(f, {})}/messages`, body);
    expect([status, json.error.code, json.error.param]).toEqual([400, code, param]);
  });

  test("of the greatest length is taken in any script", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    for (const letter of ["ä", "😀", "漢"])
      expect((await f.call("POST", `/v1/threads/${thread}/messages`, user(letter.repeat(256_000)))).status).toBe(200);
  });
});

describe("a file attached to a message", () => {
  test("goes into the thread's store, which is made once, and shown", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    const [one, two] = [await f.file("one.csv"), await f.file("two.txt")];
    for (const file of [one, one, two])
      expect((await f.call("POST", `/v1/threads/${thread}/messages`, attached(file))).status).toBe(200);
    const store = await storeOf(f, thread);
    const { json } = await f.call("GET", `/v1/vector_stores/${store}`);
    expect([json.file_counts.total, json.expires_after.days]).toEqual([2, 7]);
    const given = await newThread(f, { tool_resources: { file_search: { vector_store_ids: [f.store] } } });
    await f.call("POST", `/v1/threads/${given}/messages`, attached(one));
    expect(await storeOf(f, given)).toBe(f.store);
    expect((await f.call("GET", `/v1/vector_stores/${f.store}/files/${one}`)).status).toBe(200);
  });

  test("that is unknown, or can hold no text, is refused, and nothing is posted", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    const film = await f.file("film.mp4");
    const writer = await f.blobs.writer();
    await writer.write(new Uint8Array(4096).map((_, i) => (i * 7) % 9));
    await writer.commit(film);
    for (const [file, status, code, message] of [
      ["file-none", 404, "file_not_found", "No such File object: file-none"],
      [
        film,
        400,
        "unsupported_file",
        "Files with extensions [.mp4] are not supported for retrieval. See https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
      ],
    ] as const) {
      const { status: got, json } = await f.call("POST", `/v1/threads/${thread}/messages`, attached(file));
      expect([got, json.error.code, json.error.message]).toEqual([status, code, message]);
      expect((await f.call("POST", "/v1/threads", { messages: [user(), attached(file)] })).status).toBe(status);
    }
    expect([await list(f, `/v1/threads/${thread}/messages`), await storeOf(f, thread)]).toEqual([
      [],
      undefined as never,
    ]);
  });

  test("gets a new store once the old one has expired or is gone, and a run goes on without it", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    const file = await f.file();
    await f.call("POST", `/v1/threads/${thread}/messages`, attached(file));
    const first = await storeOf(f, thread);
    await f.finish(first, file, ["Anchors are made of iron."]);
    f.clock.seconds += 8 * DAY;
    const { json: made } = await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant });
    await f.engine.jobs.runner.start();
    const run = await endOf(f, thread, made.id as string);
    expect([run.status, run.lectern.warnings]).toEqual([
      "completed",
      [`The thread's vector store ${first} has expired: it was not searched.`],
    ]);
    await f.call("POST", `/v1/threads/${thread}/messages`, attached(file));
    const second = await storeOf(f, thread);
    expect(second).not.toBe(first);
    await f.call("DELETE", `/v1/vector_stores/${second}`);
    await f.call("POST", `/v1/threads/${thread}/messages`, attached(file));
    expect([first, second]).not.toContain(await storeOf(f, thread));
  });

  test("is waited for by a run, and named where it failed", async () => {
    await using f = await desk();
    const { json: alone } = await f.call("POST", "/v1/assistants", { model: "m", tools: [SEARCH] });
    const [good, bad] = [await f.file("anchors.txt"), await f.file("broken.pdf")];
    const thread = await newThread(f, {
      messages: [user("What are anchors made of?", attached(good)), attached(bad), user("What are anchors made of?")],
    });
    const store = await storeOf(f, thread);
    await f.storage.jobs.dropWaiting("ten_a", store, ["ingest"]);
    await f.engine.jobs.runner.start();
    const { json: made } = await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: alone.id });
    await f.fail(store, bad);
    const path = `/v1/threads/${thread}/runs/${made.id}`;
    expect(await list(f, `${path}/steps`)).toEqual([]);
    await f.finish(store, good, ["Anchors are made of iron."]);
    const run = await endOf(f, thread, made.id as string);
    expect([run.status, run.lectern.warnings]).toEqual([
      "completed",
      [`broken.pdf (${bad}) was not searched: The file type is not supported.`],
    ]);
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    expect(message.content[0].text.value).toContain("iron");
  });
});
