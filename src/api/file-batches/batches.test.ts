import { describe, expect, test } from "bun:test";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";
import { batchStatus } from "./service.ts";

async function newStore(f: StoreApp): Promise<string> {
  return (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
}

describe("a file batch", () => {
  test("attaches all its files and counts them until they end", async () => {
    await using f = await storeApp();
    const [store, a, b] = [await newStore(f), await f.file(), await f.file()];
    const { json, headers } = await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [a, b, a] });
    expect(json).toEqual({
      id: expect.stringMatching(/^vsfb_\w{24}$/),
      object: "vector_store.files_batch",
      created_at: 1_800_000_000,
      vector_store_id: store,
      status: "in_progress",
      file_counts: { in_progress: 2, completed: 0, failed: 0, cancelled: 0, total: 2 },
    });
    expect(headers.get("openai-poll-after-ms")).toBe("110");
    const get = async () => (await f.call("GET", `/v1/vector_stores/${store}/file_batches/${json.id}`)).json;
    await f.finish(store, a, ["x"]);
    expect(await get()).toMatchObject({ status: "in_progress", file_counts: { in_progress: 1, completed: 1 } });
    await f.fail(store, b);
    expect(await get()).toMatchObject({ status: "completed", file_counts: { completed: 1, failed: 1, total: 2 } });
  });

  test("takes attributes and strategy for all ids, or for each of the files", async () => {
    await using f = await storeApp();
    const [store, a, b, c] = [await newStore(f), await f.file(), await f.file(), await f.file()];
    const strategy = { type: "static", static: { max_chunk_size_tokens: 1200, chunk_overlap_tokens: 200 } };
    const post = (body: object) => f.call("POST", `/v1/vector_stores/${store}/file_batches`, body);
    await post({ file_ids: [a], attributes: { for: "all" }, chunking_strategy: strategy });
    await post({
      files: [
        { file_id: b, attributes: { for: "one" } },
        { file_id: c, chunking_strategy: strategy },
      ],
      attributes: { for: "nobody" },
    });
    const get = async (id: string) => (await f.call("GET", `/v1/vector_stores/${store}/files/${id}`)).json;
    expect(await get(a)).toMatchObject({ attributes: { for: "all" }, chunking_strategy: strategy });
    expect(await get(b)).toMatchObject({
      attributes: { for: "one" },
      chunking_strategy: { static: { max_chunk_size_tokens: 800 } },
    });
    expect(await get(c)).toMatchObject({ attributes: {}, chunking_strategy: strategy });
  });

  test("takes the last of what is wanted of one file, and keeps the order of the files", async () => {
    await using f = await storeApp();
    const [store, a, b, c] = [await newStore(f), await f.file(), await f.file(), await f.file()];
    const post = (files: object[]) => f.call("POST", `/v1/vector_stores/${store}/file_batches`, { files });
    const attributes = async () => {
      const { json } = await f.call("GET", `/v1/vector_stores/${store}/files?order=asc`);
      return json.data.map((file: { id: string; attributes: object }) => [file.id, file.attributes]);
    };
    await post([
      { file_id: c, attributes: { n: 1 } },
      { file_id: a },
      { file_id: c, attributes: { n: 2 } },
      { file_id: a },
    ]);
    expect(await attributes()).toEqual([
      [c, { n: 2 }],
      [a, {}],
    ]);
    await post([{ file_id: a, attributes: { n: 3 } }, { file_id: b }, { file_id: c }]);
    expect(await attributes()).toEqual([
      [c, { n: 2 }],
      [a, { n: 3 }],
      [b, {}],
    ]);
  });

  test("starts files that ended badly, or are to be cut otherwise, over, and leaves the others", async () => {
    await using f = await storeApp();
    const [store, a, b, c] = [await newStore(f), await f.file(), await f.file(), await f.file()];
    const post = async (body: object) =>
      (await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [a, b, c], ...body })).json;
    await post({});
    await f.finish(store, a, ["x"]);
    await f.fail(store, b);
    await f.finish(store, c, ["x"]);
    expect(await post({})).toMatchObject({ file_counts: { in_progress: 1, completed: 2, total: 3 } });
    const chunking_strategy = { type: "static", static: { max_chunk_size_tokens: 300, chunk_overlap_tokens: 0 } };
    expect(await post({ chunking_strategy })).toMatchObject({ file_counts: { in_progress: 3, total: 3 } });
  });

  test("is refused where attributes that are kept with each file would take too much", async () => {
    await using f = await storeApp({ maxBatchFiles: 2000 });
    const [store, file] = [await newStore(f), await f.file()];
    const attributes = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key${i}`, "x".repeat(512)]));
    const post = (count: number) => {
      const body = { file_ids: Array.from({ length: count }, () => file), attributes };
      return f.call("POST", `/v1/vector_stores/${store}/file_batches`, body);
    };
    // OpenAI's most files of a batch.
    expect((await post(500)).status).toBe(200);
    const { status, json } = await post(2000);
    expect([status, json.error.code, json.error.param]).toEqual([400, "invalid_value", "attributes"]);
  });

  test("is refused whole for one unknown file or over a limit", async () => {
    await using f = await storeApp({ maxFilesPerStore: 2, maxBatchFiles: 5 });
    const store = await newStore(f);
    const post = async (body: object) => {
      const { status, json } = await f.call("POST", `/v1/vector_stores/${store}/file_batches`, body);
      return [status, json.error?.code, json.error?.param];
    };
    expect(await post({ files: [{ file_id: await f.file() }, { file_id: "file-nope" }] })).toEqual([
      404,
      "file_not_found",
      "files[1].file_id",
    ]);
    expect(await post({ file_ids: [await f.file(), await f.file(), await f.file()] })).toEqual([
      403,
      "file_limit_reached",
      null,
    ]);
    expect(await post({ file_ids: Array.from({ length: 6 }, () => "file-x") })).toEqual([
      400,
      "array_above_max_length",
      "file_ids",
    ]);
    expect((await f.call("GET", `/v1/vector_stores/${store}`)).json.file_counts.total).toBe(0);
    expect(await f.storage.jobs.depth()).toEqual([]);
  });

  test.each<[body: object, code: string, param: string, fightclub: string]>([
    [{}, "missing_required_parameter", "file_ids", "missing_required_parameter"],
    [{ file_ids: [] }, "array_below_min_length", "file_ids", "invalid_file_ids"],
    [{ file_ids: "file-x" }, "invalid_type", "file_ids", "invalid_file_ids"],
    [{ file_ids: ["file-x"], files: [{ file_id: "file-x" }] }, "invalid_value", "files", "invalid_value"],
    [{ files: [{}] }, "missing_required_parameter", "files[0].file_id", "invalid_file_ids"],
    [{ files: [{ file_id: "file-x", nope: 1 }] }, "unknown_parameter", "files[0].nope", "invalid_file_ids"],
    [
      { file_ids: Array.from({ length: 2001 }, () => "file-x") },
      "array_above_max_length",
      "file_ids",
      "too_many_files",
    ],
  ])("refuses %#", async (body, code, param, fightclub) => {
    await using f = await storeApp();
    const path = `/v1/vector_stores/${await newStore(f)}/file_batches`;
    const { status, json } = await f.call("POST", path, body);
    expect([status, json.error.code, json.error.param]).toEqual([400, code, param]);
    const other = await f.call("POST", `${path}?dialect=fightclub`, body);
    expect([other.status, other.json.error.code]).toEqual([400, fightclub]);
  });

  test("of 501 files is too many in the dialect that says so", async () => {
    await using f = await storeApp();
    const path = `/v1/vector_stores/${await newStore(f)}/file_batches`;
    const body = { file_ids: await Promise.all(Array.from({ length: 501 }, () => f.file())) };
    const { status, json } = await f.call("POST", `${path}?dialect=fightclub`, body);
    expect([status, json.error.code]).toEqual([400, "too_many_files"]);
    expect((await f.call("POST", path, body)).json.file_counts.total).toBe(501);
  });

  test("that is unknown is a 404, a store's id in its place a 400 in OpenAI's words", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const unknown = await f.call("GET", `/v1/vector_stores/${store}/file_batches/vsfb_nope`);
    expect([unknown.status, unknown.json.error.code]).toEqual([404, "file_batch_not_found"]);
    const { status, json } = await f.call("GET", `/v1/vector_stores/${store}/file_batches/${store}`);
    expect(status).toBe(400);
    expect(json.error).toEqual({
      message: `Invalid 'batch_id': '${store}'. Expected an ID that begins with 'vsfb_'.`,
      type: "invalid_request_error",
      param: "batch_id",
      code: "invalid_value",
    });
  });

  test("cancelled without a body stops what runs and leaves what ended", async () => {
    await using f = await storeApp();
    const [store, a, b] = [await newStore(f), await f.file(), await f.file()];
    const { json: batch } = await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: [a, b] });
    await f.finish(store, a, ["alpha"]);
    const { json } = await f.call("POST", `/v1/vector_stores/${store}/files_batches/${batch.id}/cancel`);
    expect(json).toMatchObject({
      status: "cancelled",
      file_counts: { in_progress: 0, completed: 1, cancelled: 1, total: 2 },
    });
    expect(await f.storage.jobs.depth()).toEqual([{ kind: "purge_file", waiting: 1, running: 0 }]);
    const { json: files } = await f.call(
      "GET",
      `/v1/vector_stores/${store}/file_batches/${batch.id}/files?filter=cancelled`,
    );
    expect(files.data).toMatchObject([{ id: b, status: "cancelled" }]);
    const again = await f.call("POST", `/v1/vector_stores/${store}/file_batches/${batch.id}/cancel`);
    expect(again.json).toEqual(json);
  });

  test("lists its own files only, page by page", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const ids = [await f.file(), await f.file(), await f.file()];
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file() });
    const { json: batch } = await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: ids });
    const path = `/v1/vector_stores/${store}/file_batches/${batch.id}/files?order=asc&limit=2`;
    const { json: first } = await f.call("GET", path);
    const { json: second } = await f.call("GET", `${path}&after=${first.last_id}`);
    expect([first.has_more, second.has_more]).toEqual([true, false]);
    expect([...first.data, ...second.data].map((one: { id: string }) => one.id)).toEqual(ids);
  });
});

test("a batch's status follows from its files", () => {
  const counts = (in_progress: number, completed: number, failed: number, cancelled: number) => ({
    in_progress,
    completed,
    failed,
    cancelled,
    total: in_progress + completed + failed + cancelled,
  });
  expect(batchStatus(counts(1, 1, 1, 1), true)).toBe("in_progress");
  expect(batchStatus(counts(0, 2, 0, 1), true)).toBe("cancelled");
  expect(batchStatus(counts(0, 0, 0, 2), false)).toBe("cancelled");
  expect(batchStatus(counts(0, 0, 2, 0), false)).toBe("failed");
  expect(batchStatus(counts(0, 1, 1, 0), false)).toBe("completed");
  expect(batchStatus(counts(0, 0, 0, 0), false)).toBe("completed");
});

test("thousands of files are attached in many turns of the event loop, and yet all at once", async () => {
  await using f = await storeApp();
  const { id } = (await f.call("POST", "/v1/vector_stores", {})).json;
  const like = await f.file();
  const insert = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 2000)
    INSERT INTO file (id, sha256, tenant_id, filename, bytes, purpose, mime, created_at)
    SELECT 'file-many' || i, 'x' || i, tenant_id, filename, bytes, purpose, mime, created_at FROM n JOIN file f WHERE f.id = ?`;
  f.db.raw.run(insert, [like]);
  const file_ids = Array.from({ length: 2000 }, (_, i) => `file-many${i}`);
  const seen = new Set<number>();
  const over = new AbortController();
  const looking = (async () => {
    while (!over.signal.aborted) {
      seen.add((await f.call("GET", `/v1/vector_stores/${id}`)).json.file_counts.total);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const { status, json } = await f.call("POST", `/v1/vector_stores/${id}/file_batches`, { file_ids });
  over.abort();
  await looking;
  expect([status, json.file_counts.total]).toEqual([200, 2000]);
  expect([...seen].filter((total) => total !== 0 && total !== 2000)).toEqual([]);
  expect(seen.has(0)).toBe(true);
  expect(await f.storage.jobs.depth()).toEqual([{ kind: "ingest", waiting: 2000, running: 0 }]);
  // One that is unknown, at the end of many, and none is attached.
  const { id: other } = (await f.call("POST", "/v1/vector_stores", {})).json;
  const refused = await f.call("POST", `/v1/vector_stores/${other}/file_batches`, {
    file_ids: [...file_ids.slice(1), "file-none"],
  });
  expect(refused.status).toBe(404);
  expect((await f.call("GET", `/v1/vector_stores/${other}`)).json.file_counts.total).toBe(0);
});
