import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../test/helpers/random.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";

async function newStore(f: StoreApp, body: object = {}): Promise<string> {
  return (await f.call("POST", "/v1/vector_stores", body)).json.id as string;
}

const SMALL = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 } };

describe("attaching a file", () => {
  test("answers with the file in progress and leaves one durable job", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file("faq.md")];
    const { json, headers } = await f.call("POST", `/v1/vector_stores/${store}/files`, {
      file_id: file,
      attributes: { a: 1 },
    });
    expect(json).toEqual({
      id: file,
      object: "vector_store.file",
      usage_bytes: 0,
      created_at: 1_800_000_000,
      vector_store_id: store,
      status: "in_progress",
      last_error: null,
      chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } },
      attributes: { a: 1 },
      metadata: { a: 1 },
      filename: "faq.md",
      bytes: 100,
      chunks: 0,
      progress: { stage: "queued", done: 0, total: 0 },
    });
    expect(headers.get("openai-poll-after-ms")).toBe("105");
    expect(await f.storage.jobs.depth()).toEqual([{ kind: "ingest", waiting: 1, running: 0 }]);
  });

  test("again changes nothing, takes over attributes, and indexes anew for another strategy", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file()];
    const attach = async (body: object) =>
      (await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file, ...body })).json;
    await attach({ attributes: { a: 1 } });
    await f.finish(store, file, ["alpha beta"]);
    expect(await attach({})).toMatchObject({ status: "completed", attributes: { a: 1 }, chunks: 1 });
    expect(await attach({ attributes: { a: 2 } })).toMatchObject({ status: "completed", attributes: { a: 2 } });
    expect(await attach({ chunking_strategy: SMALL })).toMatchObject({
      status: "in_progress",
      attributes: { a: 2 },
      chunking_strategy: SMALL,
    });
    expect((await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "alpha" })).json.data).toEqual([]);
    expect((await f.call("GET", `/v1/vector_stores/${store}`)).json.file_counts).toMatchObject({
      in_progress: 1,
      total: 1,
    });
  });

  test("takes the two sizes beside type, metadata for attributes, and automatic chunks by name", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const attach = async (body: object) =>
      (await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file(), ...body })).json;
    const beside = { type: "static", max_chunk_size_tokens: 1200, chunk_overlap_tokens: 200 };
    expect((await attach({ chunking_strategy: beside })).chunking_strategy.static).toEqual({
      max_chunk_size_tokens: 1200,
      chunk_overlap_tokens: 200,
    });
    expect((await attach({ metadata: { user: "u" } })).attributes).toEqual({ user: "u" });
    expect((await attach({ metadata: { user: "u" }, attributes: { user: "u" } })).attributes).toEqual({ user: "u" });
    expect((await attach({ chunking_strategy: { type: "auto" } })).chunking_strategy.static.max_chunk_size_tokens).toBe(
      800,
    );
  });

  test.each<[body: object, code: string, param: string | null]>([
    [{}, "missing_required_parameter", "file_id"],
    [{ file_id: "file-nope" }, "file_not_found", "file_id"],
    [{ attributes: { a: [1] } }, "invalid_type", "attributes.a"],
    [{ attributes: { a: null } }, "invalid_type", "attributes.a"],
    [
      { attributes: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i])) },
      "object_above_max_properties",
      "attributes",
    ],
    [{ attributes: { ["k".repeat(65)]: 1 } }, "string_above_max_length", "attributes"],
    [{ attributes: { a: "x".repeat(513) } }, "string_above_max_length", "attributes.a"],
    [{ attributes: { a: 1 }, metadata: { a: 2 } }, "invalid_value", "metadata"],
    [{ chunking_strategy: { type: "other" } }, "invalid_value", "chunking_strategy.type"],
    [
      { chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 800 } } },
      "missing_required_parameter",
      "chunking_strategy.static.chunk_overlap_tokens",
    ],
    [
      { chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 99, chunk_overlap_tokens: 0 } } },
      "integer_below_min_value",
      "chunking_strategy.static.max_chunk_size_tokens",
    ],
    [
      { chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 4097, chunk_overlap_tokens: 0 } } },
      "integer_above_max_value",
      "chunking_strategy.static.max_chunk_size_tokens",
    ],
    [
      { chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 51 } } },
      "invalid_value",
      "chunking_strategy.static.chunk_overlap_tokens",
    ],
    [{ chunking_strategy: { type: "auto", static: SMALL.static } }, "unknown_parameter", "chunking_strategy.static"],
    [{ chunking_strategy: { ...SMALL, extra: 1 } }, "unknown_parameter", "chunking_strategy.extra"],
    [
      { chunking_strategy: { type: "static", static: { ...SMALL.static, extra: 1 } } },
      "unknown_parameter",
      "chunking_strategy.static.extra",
    ],
  ])("refuses %j", async (body, code, param) => {
    await using f = await storeApp();
    const store = await newStore(f);
    const needsFile = Object.keys(body).length > 0 && !("file_id" in body);
    const { json } = await f.call(
      "POST",
      `/v1/vector_stores/${store}/files`,
      needsFile ? { file_id: await f.file(), ...body } : body,
    );
    expect([json.error?.code, json.error?.param]).toEqual([code, param]);
    expect((await f.call("GET", `/v1/vector_stores/${store}/files`)).json.data).toEqual([]);
  });

  test("counts an emoji as one character", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const body = { file_id: await f.file(), attributes: { a: "😀".repeat(512) } };
    expect((await f.call("POST", `/v1/vector_stores/${store}/files`, body)).status).toBe(200);
  });

  test("above a limit is refused with what to do about it", async () => {
    await using f = await storeApp({ maxFilesPerStore: 1, maxQueuedFiles: 1 });
    const [store, other] = [await newStore(f), await newStore(f)];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file() });
    const full = await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file() });
    expect([full.status, full.json.error.code]).toEqual([403, "file_limit_reached"]);
    const busy = await f.call("POST", `/v1/vector_stores/${other}/files`, { file_id: await f.file() });
    expect([busy.status, busy.json.error.code, busy.headers.get("retry-after")]).toEqual([429, "overloaded", "10"]);
  });
});

describe("a file of a store", () => {
  test("that is not there is a 404 in OpenAI's words", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const elsewhere = await f.file();
    for (const id of ["file-nope", elsewhere, "vs_x"]) {
      for (const [method, path, body] of [
        ["GET", "", undefined],
        ["POST", "", { attributes: {} }],
        ["DELETE", "", undefined],
        ["GET", "/content", undefined],
        ["POST", "/cancel", undefined],
        ["POST", "/retry", undefined],
      ] as const) {
        const { status, json } = await f.call(method, `/v1/vector_stores/${store}/files/${id}${path}`, body);
        expect([status, json.error.message, json.error.code]).toEqual([
          404,
          `No file found with id '${id}'`,
          "vector_store_file_not_found",
        ]);
      }
    }
  });

  test("shows how far its indexing is, its failure, and its size once completed", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const [a, b] = [await f.file(), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [a, b] });
    const get = async (id: string) => (await f.call("GET", `/v1/vector_stores/${store}/files/${id}`)).json;
    const row = await f.storage.storeFiles.get("ten_a", store, a);
    f.progress.set(row?.seq ?? 0, { stage: "embed", done: 3, total: 9 });
    expect((await get(a)).progress).toEqual({ stage: "embed", done: 3, total: 9 });
    await f.finish(store, a, ["one", "two"]);
    await f.fail(store, b);
    expect(await get(a)).toMatchObject({ status: "completed", chunks: 2, usage_bytes: 6 + 2 * 64 * 4 });
    expect((await get(a)).progress).toBeUndefined();
    expect(await get(b)).toMatchObject({
      status: "failed",
      usage_bytes: 0,
      last_error: { code: "unsupported_file", message: "The file type is not supported." },
    });
    const ids = async (filter: string) =>
      (await f.call("GET", `/v1/vector_stores/${store}/files?filter=${filter}`)).json.data.map(
        (one: { id: string }) => one.id,
      );
    expect([await ids("completed"), await ids("failed"), await ids("in_progress")]).toEqual([[a], [b], []]);
    expect((await f.call("GET", `/v1/vector_stores/${store}/files?filter=done`)).json.error.param).toBe("filter");
  });

  test("has its whole map of attributes replaced, and filters follow at once", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file, attributes: { a: 1, b: "x" } });
    await f.finish(store, file, ["alpha"]);
    const search = async (filters: object) =>
      (await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "alpha", filters })).json.data;
    expect(await search({ b: "x" })).toHaveLength(1);
    const { json } = await f.call("PATCH", `/v1/vector_stores/${store}/files/${file}`, { attributes: { a: 2 } });
    expect(json).toMatchObject({ status: "completed", attributes: { a: 2 }, metadata: { a: 2 } });
    expect(await search({ b: "x" })).toHaveLength(0);
    expect(await search({ a: 2 })).toMatchObject([{ attributes: { a: 2 } }]);
    expect(
      (await f.call("POST", `/v1/vector_stores/${store}/files/${file}`, { attributes: null })).json.attributes,
    ).toEqual({});
    expect((await f.call("POST", `/v1/vector_stores/${store}/files/${file}`, {})).json.error).toMatchObject({
      code: "missing_required_parameter",
      param: "attributes",
    });
  });

  test("once detached is in no answer, its ingest is stopped, the file itself stays", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const [done, running] = [await f.file(), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [done, running] });
    await f.finish(store, done, ["alpha"]);
    expect((await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "alpha" })).json.data).toHaveLength(1);
    for (const id of [done, running]) {
      expect((await f.call("DELETE", `/v1/vector_stores/${store}/files/${id}`)).json).toEqual({
        id,
        object: "vector_store.file.deleted",
        deleted: true,
      });
    }
    expect((await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "alpha" })).json.data).toEqual([]);
    expect((await f.call("GET", `/v1/vector_stores/${store}`)).json.file_counts.total).toBe(0);
    expect(await f.storage.jobs.depth()).toEqual([{ kind: "purge_file", waiting: 2, running: 0 }]);
    expect(await f.storage.files.get("ten_a", done)).not.toBeNull();
  });

  test("can be cancelled while in progress and retried when cancelled or failed, not otherwise", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    const post = (what: string) => f.call("POST", `/v1/vector_stores/${store}/files/${file}/${what}`);
    const refused = async (what: string) => {
      const { status, json, headers } = await post(what);
      return [status, json.error?.code, headers.get("x-should-retry")];
    };
    expect(await refused("retry")).toEqual([409, "file_not_retryable", "false"]);
    expect((await post("cancel")).json.status).toBe("cancelled");
    expect(await refused("cancel")).toEqual([409, "file_not_cancellable", "false"]);
    expect((await post("retry")).json.status).toBe("in_progress");
    await f.fail(store, file);
    expect((await post("retry")).json).toMatchObject({ status: "in_progress", last_error: null });
    await f.finish(store, file, ["x"]);
    expect(await refused("retry")).toEqual([409, "file_not_retryable", "false"]);
  });

  test("gives the text that was indexed, into which chunks point", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file("a.md")];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file, attributes: { a: 1 } });
    expect((await f.call("GET", `/v1/vector_stores/${store}/files/${file}/content`)).json).toMatchObject({ data: [] });
    await f.finish(store, file, ["Grüße 😀 one", "second"]);
    const { json } = await f.call("GET", `/v1/vector_stores/${store}/files/${file}/content`);
    expect(json).toEqual({
      object: "vector_store.file_content.page",
      data: [{ type: "text", text: "Grüße 😀 one\nsecond" }],
      has_more: false,
      next_page: null,
      file_id: file,
      filename: "a.md",
      attributes: { a: 1 },
    });
    const { json: found } = await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "second" });
    const { start_offset: start, end_offset: end } = found.data[0];
    expect([...json.data[0].text].slice(start, end).join("")).toBe("second");
  });
});

describe("asking for the state of a file", () => {
  test("is held until it changes where the client says that it polls", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    const held = f.call("GET", `/v1/vector_stores/${store}/files/${file}`, undefined, {
      "x-stainless-poll-helper": "true",
    });
    const first = await Promise.race([held, f.call("GET", `/v1/vector_stores/${store}/files/${file}`)]);
    expect([first.json.status, first.headers.get("openai-poll-after-ms")]).toEqual(["in_progress", "105"]);
    // A change of something else in the store does not end it.
    f.changes.notify(store);
    await f.finish(store, file, ["x"]);
    const { json, headers } = await held;
    expect([json.status, headers.get("openai-poll-after-ms")]).toEqual(["completed", null]);
  });

  test("is answered at once when the server stops", async () => {
    await using f = await storeApp();
    const [store, file] = [await newStore(f), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    const held = f.call("GET", `/v1/vector_stores/${store}/files/${file}`, undefined, {
      "x-stainless-poll-helper": "true",
    });
    await f.call("GET", `/v1/vector_stores/${store}`);
    f.stopping.abort();
    expect((await held).json.status).toBe("in_progress");
  });
});

describe("a cancelled file", () => {
  const asks = async (f: StoreApp, version: string) => {
    const [store, file] = [await newStore(f), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    await f.call("POST", `/v1/vector_stores/${store}/files/${file}/cancel`);
    return f.call("GET", `/v1/vector_stores/${store}/files/${file}`, undefined, {
      "x-stainless-poll-helper": "true",
      "x-stainless-lang": "js",
      "x-stainless-package-version": version,
    });
  };

  test("is kept for a while from clients that would ask again at once", async () => {
    await using f = await storeApp();
    const old = asks(f, "6.49.0");
    const current = await asks(f, "7.55.0");
    expect(current.json.status).toBe("cancelled");
    expect(
      await Promise.race([old.then(() => "answered"), f.call("GET", "/v1/vector_stores").then(() => "held")]),
    ).toBe("held");
    f.stopping.abort();
    expect((await old).json.status).toBe("cancelled");
  });
});

test("an ingest that runs is stopped when nobody wants its file any more", async () => {
  await using f = await storeApp();
  await f.engine.jobs.start();
  const ways: ((store: string, file: string, batch: string) => [method: string, path: string])[] = [
    (store, file) => ["DELETE", `/v1/vector_stores/${store}/files/${file}`],
    (store, file) => ["POST", `/v1/vector_stores/${store}/files/${file}/cancel`],
    (store, _, batch) => ["POST", `/v1/vector_stores/${store}/file_batches/${batch}/cancel`],
    (_, file) => ["DELETE", `/v1/files/${file}`],
    (store) => ["DELETE", `/v1/vector_stores/${store}`],
  ];
  for (const way of ways) {
    const begun = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<void>();
    f.onEmbed((signal) => {
      begun.resolve();
      signal.addEventListener("abort", () => stopped.resolve());
      return stopped.promise;
    });
    const form = new FormData();
    form.set("purpose", "assistants");
    form.set("file", new File(["alpha beta gamma"], "a.txt"));
    const { id: file } = (await f.call("POST", "/v1/files", form)).json;
    const store = await newStore(f);
    const { id: batch } = (await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [file] })).json;
    await begun.promise;
    const [method, path] = way(store, file, batch);
    expect((await f.call(method, path)).status).toBe(200);
    await stopped.promise;
  }
}, 20_000);

test("a file past its expiry cannot be attached", async () => {
  await using f = await storeApp();
  const [store, file] = [await newStore(f), await f.file()];
  f.db.raw.run("UPDATE file SET expires_at = 1799999999");
  const { status, json } = await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
  expect([status, json.error.code]).toEqual([404, "file_not_found"]);
});

test("lists of files never skip or repeat while files come and go", async () => {
  await using f = await storeApp();
  const random = seededRandom(5);
  const store = await newStore(f);
  const attach = async () => {
    const file = await f.file();
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    return file;
  };
  const before: string[] = [];
  for (let i = 0; i < 50; i += 1) before.push(await attach());
  const gone = new Set<string>();
  const seen: string[] = [];
  for (let after = ""; ;) {
    const { json } = await f.call(
      "GET",
      `/v1/vector_stores/${store}/files?limit=${1 + Math.floor(random() * 8)}&order=asc${after}`,
    );
    seen.push(...json.data.map((one: { id: string }) => one.id));
    if (!json.has_more) break;
    after = `&after=${json.last_id}`;
    for (const id of [json.last_id, before[Math.floor(random() * before.length)] ?? ""]) {
      if (gone.has(id) || random() < 0.3) continue;
      gone.add(id);
      await f.call("DELETE", `/v1/vector_stores/${store}/files/${id}`);
    }
    if (random() < 0.5) await attach();
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(before.filter((id) => !gone.has(id) && !seen.includes(id))).toEqual([]);
});
