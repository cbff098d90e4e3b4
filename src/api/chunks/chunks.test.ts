import { describe, expect, test } from "bun:test";
import { countTokens } from "../../chunk/tokens.ts";
import { encodeTerms } from "../../index/analyzer.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";
import { DIMENSIONS, vectorOf } from "../../app/testing/words-model.ts";

async function newStore(f: StoreApp): Promise<string> {
  return (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
}

async function attached(
  f: StoreApp,
  store: string,
  name: string,
  chunks: string[],
  attributes: object = {},
): Promise<string> {
  const file = await f.file(name);
  await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file, attributes });
  await f.finish(store, file, chunks);
  return file;
}

describe("GET …/chunks", () => {
  test("shows what was indexed, page by page, of some files or those that a filter keeps", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const a = await attached(f, store, "a.md", ["one", "two", "three"], { kind: "x" });
    await attached(f, store, "b.md", ["four"], { kind: "y" });
    const list = async (query: string) =>
      (await f.call("GET", `/v1/vector_stores/${store}/chunks?order=asc&${query}`)).json;
    const first = await list("limit=2");
    expect(first.data[1]).toEqual({
      id: first.last_id,
      object: "vector_store.chunk",
      vector_store_id: store,
      file_id: a,
      filename: "a.md",
      chunk_index: 1,
      text: "two",
      tokens: 3,
      start_offset: 4,
      end_offset: 7,
      page: 2,
      page_end: 2,
      line: null,
      line_end: null,
      heading: ["Top"],
      attributes: { kind: "x" },
    });
    const texts = (page: { data: { text: string }[] }) => page.data.map((chunk) => chunk.text);
    expect([texts(first), first.has_more]).toEqual([["one", "two"], true]);
    expect(texts(await list(`after=${first.last_id}`))).toEqual(["three", "four"]);
    expect(texts(await list(`file_id=${a}`))).toEqual(["one", "two", "three"]);
    expect(texts(await list(`filters=${encodeURIComponent('{"kind":"y"}')}`))).toEqual(["four"]);
    expect(texts(await list(`file_id=${a}&filters=${encodeURIComponent('{"kind":"y"}')}`))).toEqual([]);
    const refused = await list("filters={");
    expect(refused.error).toMatchObject({ code: "invalid_value", param: "filters" });
    for (const id of ["nope", "chunk_nope", "chunk_zzz"])
      expect((await list(`after=${id}`)).error).toEqual({
        message: `Invalid 'after': no chunk found with id '${id}'.`,
        type: "invalid_request_error",
        param: "after",
        code: "invalid_value",
      });
  });

  test("pages through what a filter keeps, in either direction", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    for (let i = 0; i < 6; i++) await attached(f, store, `${i}.md`, [`${i}a`, `${i}b`], { odd: i % 2 === 1, n: i });
    const filters = encodeURIComponent(
      '{"type":"and","filters":[{"type":"eq","key":"odd","value":true},{"type":"gte","key":"n","value":1}]}',
    );
    const list = async (query: string) =>
      (await f.call("GET", `/v1/vector_stores/${store}/chunks?filters=${filters}&${query}`)).json;
    const texts = (page: { data: { text: string }[] }) => page.data.map((chunk) => chunk.text);
    const first = await list("order=asc&limit=4");
    expect([texts(first), first.has_more]).toEqual([["1a", "1b", "3a", "3b"], true]);
    const rest = await list(`order=asc&limit=4&after=${first.last_id}`);
    expect([texts(rest), rest.has_more]).toEqual([["5a", "5b"], false]);
    const back = await list(`order=asc&limit=3&before=${rest.first_id}`);
    expect([texts(back), back.has_more]).toEqual([["1b", "3a", "3b"], true]);
    const newest = await list("limit=3");
    expect([texts(newest), newest.has_more]).toEqual([["5b", "5a", "3b"], true]);
    expect(texts(await list(`limit=3&after=${newest.last_id}`))).toEqual(["3a", "1b", "1a"]);
    const many = JSON.stringify({ type: "or", filters: Array.from({ length: 257 }, (_, n) => ({ n })) });
    const refused = await f.call("GET", `/v1/vector_stores/${store}/chunks?filters=${encodeURIComponent(many)}`);
    expect([refused.status, refused.json.error]).toMatchObject([400, { code: "invalid_filter", param: "filters" }]);
  });

  test("shows the chunk of a search result under the same id", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    await attached(f, store, "a.md", ["one", "two"]);
    const { json: found } = await f.call("POST", `/v1/vector_stores/${store}/search`, {
      query: "two",
      max_num_results: 1,
    });
    const { json } = await f.call("GET", `/v1/vector_stores/${store}/chunks`);
    expect(json.data.find((chunk: { text: string }) => chunk.text === "two").id).toBe(found.data[0].chunk_id);
  });
});

describe("ready-made vectors", () => {
  test("are searchable when the answer comes, by vector and by word", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const vector = vectorOf("something else entirely");
    const { status, json } = await f.call("POST", `/v1/vector_stores/${store}/embeddings`, {
      content: "The warehouse is in Lyon",
      embedding: [...vector],
      metadata: { place: "Lyon" },
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      id: expect.stringMatching(/^chunk_/),
      object: "embedding",
      vector_store_id: store,
      content: "The warehouse is in Lyon",
      metadata: { place: "Lyon" },
      created_at: 1_800_000_000,
    });
    expect(f.embedded).toEqual([]);
    const search = async (body: object) => (await f.call("POST", `/v1/vector_stores/${store}/search`, body)).json.data;
    expect(await search({ query: "warehouse", search_mode: "keyword" })).toMatchObject([
      { chunk_id: json.id, filename: "inline", attributes: { place: "Lyon" }, score: expect.any(Number) },
    ]);
    const [nearest] = await search({ query: "something else entirely", search_mode: "vector" });
    expect(nearest).toMatchObject({ chunk_id: json.id, score: 1 });
    expect(await search({ query: "warehouse", filters: { place: "Paris" } })).toEqual([]);
    expect((await f.call("GET", `/v1/vector_stores/${store}`)).json).toMatchObject({
      file_counts: { completed: 1, total: 1 },
      index: { chunks: 1, vectors: 1 },
      usage_bytes: 24 + DIMENSIONS * 4,
    });
  });

  test("go in by the batch, embedded here where they bring no vector, to the file that is named", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const file = await attached(f, store, "a.md", ["one"]);
    const bare = await f.file("b.md");
    const { json } = await f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, {
      embeddings: [
        { content: "two", file_id: file },
        { content: "loose" },
        { content: "three", file_id: file },
        { content: "new", file_id: bare },
      ],
    });
    expect(json.object).toBe("embedding.batch");
    expect(json.data.map((one: { content: string }) => one.content)).toEqual(["two", "loose", "three", "new"]);
    expect(f.embedded).toEqual(["two", "loose", "three", "new"]);
    const texts = async (id: string) =>
      (await f.call("GET", `/v1/vector_stores/${store}/chunks?order=asc&file_id=${id}`)).json.data.map(
        (chunk: { text: string }) => chunk.text,
      );
    expect(await texts(file)).toEqual(["one", "two", "three"]);
    expect(await texts(bare)).toEqual(["new"]);
    expect((await f.call("GET", `/v1/vector_stores/${store}/files/${file}/content`)).json.data).toEqual([
      { type: "text", text: "one\ntwo\nthree" },
    ]);
    expect((await f.call("GET", `/v1/vector_stores/${store}/files/${file}`)).json.chunks).toBe(3);
    // The same inline file takes more.
    await f.call("POST", `/v1/vector_stores/${store}/embeddings`, { content: "more" });
    expect((await f.call("GET", `/v1/vector_stores/${store}`)).json.file_counts.total).toBe(3);
  });

  test("have the tokens, the places and the terms that an ingest of the text under the file's name gives", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const file = await attached(f, store, "returns-2024.md", ["one 😀"]);
    const bare = await f.file("b.md");
    const long = "Größe: 1.234,5 m² of well-known wi-fi. 😀 ".repeat(2000);
    const items = [
      { content: "Two 😀", file_id: file },
      { content: "loose E1234" },
      { content: long, file_id: file },
      { content: "new", file_id: bare },
      { content: `a${"\u0301\u0316".repeat(3000)}` },
    ];
    await f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings: items });
    const rows = f.db.now.all<{
      text: string;
      idx: number;
      start_cp: number;
      end_cp: number;
    }>(/*sql*/ `SELECT c.text, c.idx, c.start_cp, c.end_cp, c.tokens, t.terms FROM chunk c
        JOIN chunk_terms t ON t.chunk_id = c.id WHERE c.text <> 'one 😀' ORDER BY c.id`);
    const length = [...long].length;
    const row = (text: string, filename: string, [idx, start, end]: [number, number, number]) => ({
      ...{ text, idx, start_cp: start, end_cp: end, tokens: countTokens(text) },
      terms: encodeTerms({ text, heading: [], title: "", filename }),
    });
    const [two, loose, , fresh, marks] = items.map(({ content }) => content) as [
      string,
      string,
      string,
      string,
      string,
    ];
    expect(rows).toEqual([
      row(two, "returns-2024.md", [1, 6, 11]),
      row(long, "returns-2024.md", [2, 12, 12 + length]),
      row(loose, "", [0, 0, 11]),
      row(marks, "", [1, 12, 12 + 6001]),
      row(fresh, "b.md", [0, 0, 3]),
    ]);
  });

  test.each<[body: object, status: number, code: string, param: string]>([
    [{ embeddings: [] }, 400, "array_below_min_length", "embeddings"],
    [
      { embeddings: [{ content: "a" }, { content: "b", embedding: [1] }] },
      400,
      "invalid_dimensions",
      "embeddings[1].embedding",
    ],
    [{ embeddings: [{ content: "" }] }, 400, "string_below_min_length", "embeddings[0].content"],
    [{ embeddings: [{ content: "a", file_id: "file-nope" }] }, 404, "file_not_found", "embeddings[0].file_id"],
    [{ embeddings: [{ content: "a", metadata: { x: [1] } }] }, 400, "invalid_type", "embeddings[0].metadata.x"],
    [{ embeddings: [{ content: "a", vector: [1] }] }, 400, "unknown_parameter", "embeddings[0].vector"],
  ])("refuse %j and take in nothing", async (body, status, code, param) => {
    await using f = await storeApp();
    const store = await newStore(f);
    const answer = await f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, body);
    expect([answer.status, answer.json.error?.code, answer.json.error?.param]).toEqual([status, code, param]);
    expect((await f.call("GET", `/v1/vector_stores/${store}/chunks`)).json.data).toEqual([]);
  });

  test("fill one inline file after another", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const embeddings = Array.from({ length: 600 }, (_, i) => ({ content: `text ${i}` }));
    for (let i = 0; i < 3; i += 1) {
      const { status } = await f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings });
      expect(status).toBe(200);
    }
    const { json } = await f.call("GET", `/v1/vector_stores/${store}/files?order=asc`);
    expect(json.data.map((file: { filename: string; chunks: number }) => [file.filename, file.chunks])).toEqual([
      ["inline", 1200],
      ["inline", 600],
    ]);
    const found = await f.call("POST", `/v1/vector_stores/${store}/search`, { query: "text 599", max_num_results: 3 });
    expect(found.json.data.map((one: { content: { text: string }[] }) => one.content[0]?.text)).toEqual([
      "text 599",
      "text 599",
      "text 599",
    ]);
  });
});

test("a vector's attributes are its own: they hide its file's, and searches, filters and listings show them", async () => {
  await using f = await storeApp();
  const store = await newStore(f);
  const path = `/v1/vector_stores/${store}`;
  const file = await attached(f, store, "a.md", ["the file's"], { place: "Lyon", year: 2020 });
  const bare = await f.file("b.md");
  const own = { place: "Paris", kind: "note" };
  await f.call("POST", `${path}/embeddings/batch`, {
    embeddings: [
      { content: "its own", file_id: file, attributes: own },
      { content: "loose one", metadata: { place: "Paris" } },
      { content: "loose two", metadata: { place: "Rome" } },
      { content: "plain" },
      { content: "new", file_id: bare, metadata: { place: "Nice" } },
    ],
  });
  const filtered = async (filters: object) => {
    const query = `?order=asc&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const listed = (await f.call("GET", `${path}/chunks${query}`)).json.data;
    const wanted = { query: "own loose plain file's new", filters, max_num_results: 50 };
    const found = (await f.call("POST", `${path}/search`, wanted)).json.data;
    const texts = listed.map((chunk: { text: string }) => chunk.text);
    expect(found.map((hit: { content: { text: string }[] }) => hit.content[0]?.text).toSorted()).toEqual(
      texts.toSorted(),
    );
    return texts;
  };
  expect(await filtered({ place: "Lyon" })).toEqual(["the file's"]);
  expect(await filtered({ place: "Paris" })).toEqual(["its own", "loose one"]);
  expect(await filtered({ year: 2020 })).toEqual(["the file's", "its own"]);
  expect(await filtered({ type: "ne", key: "place", value: "Paris" })).toEqual([
    "the file's",
    "loose two",
    "plain",
    "new",
  ]);
  expect(await filtered({ place: { $exists: false } })).toEqual(["plain"]);
  expect(await filtered({ type: "eq", key: "filename", value: "inline" })).toEqual(["loose one", "loose two", "plain"]);

  // What the file gets later is under its chunks' own.
  await f.call("POST", `${path}/files/${file}`, { attributes: { place: "Oslo", year: 2021 } });
  expect(await filtered({ year: 2021, place: ["Paris", "Oslo"] })).toEqual(["the file's", "its own"]);
  const { data } = (await f.call("GET", `${path}/chunks?order=asc`)).json;
  expect(data.map((chunk: { attributes: object }) => chunk.attributes)).toEqual([
    { place: "Oslo", year: 2021 },
    { place: "Paris", year: 2021, kind: "note" },
    { place: "Paris" },
    { place: "Rome" },
    {},
    { place: "Nice" },
  ]);
  const [hit] = (await f.call("POST", `${path}/search`, { query: "its own", max_num_results: 1 })).json.data;
  expect(hit.attributes).toEqual({ place: "Paris", year: 2021, kind: "note" });
  // Files stay what they were made as.
  expect((await f.call("GET", `${path}/files/${bare}`)).json.attributes).toEqual({});
  expect((await f.call("GET", path)).json.file_counts.total).toBe(3);
});

test("what texts and their attributes take counts for the quota", async () => {
  await using f = await storeApp();
  const store = await newStore(f);
  const before = (await f.storage.files.usage("ten_a")).bytes;
  const item = { content: "größe", metadata: { a: "é", n: 12 } };
  await f.call("POST", `/v1/vector_stores/${store}/embeddings`, item);
  expect((await f.storage.files.usage("ten_a")).bytes - before).toBe(7 + 3 + 3);
});

test("a file that more is put into says what it holds by now", async () => {
  await using f = await storeApp();
  const store = await newStore(f);
  const file = await attached(f, store, "a.md", ["one", "two"]);
  const path = `/v1/vector_stores/${store}/files/${file}`;
  const before = (await f.call("GET", path)).json;
  for (const content of ["three", "größe"])
    await f.call("POST", `/v1/vector_stores/${store}/embeddings`, { content, file_id: file });
  const { chunks, usage_bytes: usage } = (await f.call("GET", path)).json;
  expect([chunks, usage - before.usage_bytes]).toEqual([4, 5 + 7 + 2 * 4 * DIMENSIONS]);
});

test("many texts, each with attributes of its own, are put in all at once, while others have their turns", async () => {
  await using f = await storeApp();
  const { id } = (await f.call("POST", "/v1/vector_stores", {})).json;
  const embeddings = Array.from({ length: 120 }, (_, i) => ({
    content: `word${i} of many`,
    attributes: { number: i },
  }));
  const seen = new Set<number>();
  const over = new AbortController();
  const looking = (async () => {
    while (!over.signal.aborted) {
      seen.add((await f.call("GET", `/v1/vector_stores/${id}`)).json.index.chunks);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const { status, json } = await f.call("POST", `/v1/vector_stores/${id}/embeddings/batch`, { embeddings });
  over.abort();
  await looking;
  expect([status, new Set(json.data.map((one: { id: string }) => one.id)).size]).toEqual([200, 120]);
  expect([...seen].filter((total) => total !== 0 && total !== 120)).toEqual([]);
  const body = { query: "word119", search_mode: "keyword", filters: { type: "eq", key: "number", value: 119 } };
  const found = (await f.call("POST", `/v1/vector_stores/${id}/search`, body)).json.data;
  expect(found[0].content[0].text).toBe("word119 of many");
}, 60_000);
