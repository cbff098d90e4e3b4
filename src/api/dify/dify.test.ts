import { describe, expect, test } from "bun:test";
import { KEYS, type StoreApp, storeApp } from "../../app/testing/store-app.ts";

const PATH = "/dify/retrieval";
const QUERY = "reset the password";

const FILES: Record<string, object> = {
  "handbook.md": { category: "support", year: 2024, draft: false, published: "2024-05-01", note: "" },
  "old.md": { category: "support desk", year: 2019, draft: true, published: "2019-05-01T10:00:00+02:00" },
  "dates.md": { category: "Desk", published: 1_714_521_600 },
  "bare.md": {},
};

interface Filled {
  id: string;
  ids: Record<string, string>;
}

async function filled(f: StoreApp, name = "handbook"): Promise<Filled> {
  const { json: store } = await f.call("POST", "/v1/vector_stores", { name });
  const ids: Record<string, string> = {};
  for (const [filename, attributes] of Object.entries(FILES)) {
    const file = (ids[filename] = await f.file(filename));
    await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: file, attributes });
    await f.finish(store.id, file, [`To reset the password read ${filename}`]);
  }
  return { id: store.id, ids };
}

const titles = (json: { records: { title: string }[] }) => json.records.map(({ title }) => title).toSorted();

describe("a retrieval", () => {
  test("answers with records as Dify reads them", async () => {
    await using f = await storeApp();
    const { id, ids } = await filled(f);
    const { status, json } = await f.call("POST", PATH, {
      knowledge_id: id,
      query: "reset the password read handbook.md",
      retrieval_setting: { top_k: 1, score_threshold: 0.1 },
      metadata_condition: null,
    });
    expect([status, json]).toEqual([
      200,
      {
        records: [
          {
            content: "To reset the password read handbook.md",
            score: expect.any(Number),
            title: "handbook.md",
            metadata: {
              document_id: ids["handbook.md"],
              chunk_id: expect.stringMatching(/^chunk_/),
              path: "handbook.md",
              page: 1,
              heading: "Top",
              ...FILES["handbook.md"],
            },
          },
        ],
      },
    ]);
  });

  test("always has metadata, and lets attributes win over names of this server's", async () => {
    await using f = await storeApp();
    const { id, ids } = await filled(f);
    await f.call("POST", `/v1/vector_stores/${id}/files/${ids["old.md"]}`, { attributes: { path: "a/b", page: "ix" } });
    const { json } = await f.call("POST", PATH, { knowledge_id: id, query: QUERY });
    expect(json.records).toHaveLength(4);
    for (const { metadata, score } of json.records)
      expect([typeof metadata, typeof score]).toEqual(["object", "number"]);
    const old = json.records.find((one: { title: string }) => one.title === "old.md");
    expect(old.metadata).toMatchObject({ path: "a/b", page: "ix", document_id: ids["old.md"] });
  });

  test("gives five where nothing is said, at most as many as a search gives, and none below the threshold", async () => {
    await using f = await storeApp();
    const { json: store } = await f.call("POST", "/v1/vector_stores", { name: "many" });
    const words = "ash birch cedar elm fir hazel larch maple oak pine rowan spruce willow yew".split(" ");
    for (const [i, word] of [...words, ...words.map((one) => `${one}s`), ...words.map((one) => `${one}y`)].entries()) {
      const file = await f.file(`${i}.md`);
      await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: file });
      await f.finish(store.id, file, [
        `The password of ${word} is ${word}${i}`,
        `A password for ${word} in winter ${i}`,
      ]);
    }
    const ask = async (more: object) =>
      (await f.call("POST", PATH, { knowledge_id: "many", query: "password", ...more })).json.records as unknown[];
    expect(await ask({})).toHaveLength(5);
    expect(await ask({ retrieval_setting: {} })).toHaveLength(5);
    expect(await ask({ retrieval_setting: { top_k: 100, score_threshold: 0 } })).toHaveLength(50);
    expect(await ask({ retrieval_setting: { top_k: 100, score_threshold: 1 } })).toEqual([]);
  });

  test("is written into the query log of the store", async () => {
    await using f = await storeApp();
    const { id } = await filled(f);
    await f.call("POST", PATH, { knowledge_id: id, query: "who asked this" });
    const { json } = await f.call("GET", `/v1/vector_stores/${id}/queries`, undefined, {
      authorization: `Bearer ${KEYS.admin}`,
    });
    expect(json.data[0]).toMatchObject({ query: ["who asked this"], source: "search" });
  });

  test.each(["/api/v1/dify/retrieval", "/v1/dify/retrieval", "/dify/retrieval/"])(
    "is served at %s too",
    async (path) => {
      await using f = await storeApp();
      const { id } = await filled(f);
      const { status, json } = await f.call("POST", path, { knowledge_id: id, query: QUERY, use_kg: false });
      expect([status, json.records.length]).toEqual([200, 4]);
    },
  );
});

test("conditions look at what vectors have of their own", async () => {
  await using f = await storeApp();
  const { json: store } = await f.call("POST", "/v1/vector_stores", { name: "vectors" });
  const kinds = ["support", "support desk", "sales"];
  const embeddings = [
    { content: "password" },
    ...kinds.map((kind) => ({ content: `password ${kind}`, metadata: { kind } })),
  ];
  await f.call("POST", `/v1/vector_stores/${store.id}/embeddings/batch`, { embeddings });
  const found = async (operator: string) => {
    const conditions = [{ name: "kind", comparison_operator: operator, value: "support" }];
    const body = { knowledge_id: "vectors", query: "password", metadata_condition: { conditions } };
    const { json } = await f.call("POST", PATH, body);
    return json.records.map(({ content }: { content: string }) => content).toSorted();
  };
  expect(await found("contains")).toEqual(["password support", "password support desk"]);
  expect(await found("not contains")).toEqual(["password", "password sales"]);
});

describe("a condition on metadata", () => {
  const all = Object.keys(FILES).toSorted();
  const without = (...names: string[]) => all.filter((name) => !names.includes(name));
  const cases: [name: string, operator: string, value: unknown, found: string[]][] = [
    ["category", "contains", "support", ["handbook.md", "old.md"]],
    ["category", "contains", "Support", []],
    ["category", "not contains", "support", without("handbook.md", "old.md")],
    ["category", "start with", "support ", ["old.md"]],
    ["category", "end with", "desk", ["old.md"]],
    ["year", "contains", "20", ["handbook.md", "old.md"]],
    ["category", "is", "support", ["handbook.md"]],
    ["category", "is not", "support", without("handbook.md")],
    ["year", "is", "2024", ["handbook.md"]],
    ["draft", "is", "true", ["old.md"]],
    ["category", "in", ["support", "Desk"], ["dates.md", "handbook.md"]],
    ["category", "in", "support, Desk", ["dates.md", "handbook.md"]],
    ["year", "in", ["2019"], ["old.md"]],
    ["year", "in", [2019, 2020], ["old.md"]],
    ["year", "not in", [2019.5, 2024], without("handbook.md")],
    ["category", "not in", ["support", "Desk"], without("handbook.md", "dates.md")],
    ["category", "empty", undefined, ["bare.md"]],
    ["note", "empty", null, all],
    ["category", "not empty", "", without("bare.md")],
    ["note", "not empty", null, []],
    ["year", "=", 2024, ["handbook.md"]],
    ["year", "=", "2024", ["handbook.md"]],
    ["year", "≠", 2024, without("handbook.md")],
    ["year", ">", 2019, ["handbook.md"]],
    ["year", "<", "2024", ["old.md"]],
    ["year", "≥", 2019, ["handbook.md", "old.md"]],
    ["year", "≤", 2019, ["old.md"]],
    ["published", "before", "2024-04-01", ["old.md"]],
    ["published", "after", "2024-04-01", ["dates.md", "handbook.md"]],
    ["published", "after", "1714000000", ["dates.md", "handbook.md"]],
    ["published", "before", "2019-05-01T08:00:01Z", ["old.md"]],
    ["published", "before", "2019-05-01T08:00:00Z", []],
    ["filename", "is", "bare.md", ["bare.md"]],
    ["filename", "end with", "s.md", ["dates.md"]],
  ];
  test.each(cases)("%s %s %j", async (name, comparison_operator, value, found) => {
    await using f = await storeApp();
    const { id } = await filled(f);
    const metadata_condition = { logical_operator: "and", conditions: [{ name, comparison_operator, value }] };
    const { status, json } = await f.call("POST", PATH, { knowledge_id: id, query: QUERY, metadata_condition });
    expect([status, titles(json)]).toEqual([200, found]);
  });

  test("is one of several that must all hold, or one of them", async () => {
    await using f = await storeApp();
    const { id, ids } = await filled(f);
    const conditions = [
      { name: "document_id", comparison_operator: "in", value: [ids["old.md"], ids["bare.md"]] },
      { name: "category", comparison_operator: "contains", value: "desk" },
      { name: "year", comparison_operator: "<", value: 2024 },
    ];
    const ask = async (logical_operator?: string) =>
      titles(
        (
          await f.call("POST", PATH, {
            knowledge_id: id,
            query: QUERY,
            metadata_condition: { ...(logical_operator === undefined ? {} : { logical_operator }), conditions },
          })
        ).json,
      );
    expect(await ask()).toEqual(["old.md"]);
    expect(await ask("or")).toEqual(["bare.md", "old.md"]);
  });

  test("is asked about every file of a store, however many", async () => {
    await using f = await storeApp();
    const { json: store } = await f.call("POST", "/v1/vector_stores", { name: "large" });
    for (let i = 0; i < 501; i++) {
      const file = await f.file(`${i}.md`);
      await f.call("POST", `/v1/vector_stores/${store.id}/files`, {
        file_id: file,
        attributes: { topic: i === 500 ? "the last one" : "another" },
      });
      if (i % 100 === 0) await f.finish(store.id, file, [`A password in number ${i}`]);
    }
    const conditions = [{ name: "topic", comparison_operator: "start with", value: "the last" }];
    const body = { knowledge_id: store.id, query: "password", metadata_condition: { conditions } };
    expect(titles((await f.call("POST", PATH, body)).json)).toEqual(["500.md"]);
  });

  test("without a value says nothing, as in Dify, where its operator compares with one", async () => {
    await using f = await storeApp();
    const { id } = await filled(f);
    const nothing = { name: "year", comparison_operator: "=", value: null };
    const desk = { name: "category", comparison_operator: "end with", value: "desk" };
    const found = async (conditions: object[]) => {
      const body = { knowledge_id: id, query: QUERY, metadata_condition: { logical_operator: "or", conditions } };
      return titles((await f.call("POST", PATH, body)).json);
    };
    expect(await found([nothing])).toEqual(all);
    expect(await found([nothing, desk])).toEqual(["old.md"]);
  });

  test("of nothing keeps everything", async () => {
    await using f = await storeApp();
    const { id } = await filled(f);
    for (const metadata_condition of [null, {}, { conditions: [] }, { logical_operator: "or", conditions: null }]) {
      const { json } = await f.call("POST", PATH, { knowledge_id: id, query: QUERY, metadata_condition });
      expect(json.records).toHaveLength(4);
    }
  });
});

describe("a refusal is one that Dify reads", () => {
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

  test("what it asks when a connection is saved: no body", async () => {
    await using f = await storeApp();
    const good = await f.call("POST", PATH);
    expect([good.status, good.json]).toEqual([
      400,
      { error_code: 1400, error_msg: expect.stringContaining("Missing required parameter") },
    ]);
    const wrong = await f.call("POST", PATH, undefined, bearer("sk-nobody-0123456789"));
    expect([wrong.status, wrong.json.error_code]).toEqual([403, 1002]);
    for (const authorization of ["", "Basic x", "Bearer"]) {
      const none = await f.call("POST", PATH, undefined, { authorization });
      expect([none.status, none.json.error_code]).toEqual([403, 1001]);
    }
  });

  test("an unknown store is told as one of another tenant's, and as one that the key may not use", async () => {
    await using f = await storeApp();
    const { id } = await filled(f, "secret");
    await f.addKey("sk-test-elsewhere-0123456789", { storeIds: ["vs_elsewhere"] });
    const { json: own } = await f.call("POST", "/v1/vector_stores", { name: "own" }, bearer(KEYS.other));
    const ask = async (knowledge_id: string, headers: Record<string, string>) => {
      const { status, json } = await f.call("POST", PATH, { knowledge_id, query: QUERY }, headers);
      return [status, json.error_code, json.error_msg?.replace(knowledge_id, "…")];
    };
    for (const name of [id, "secret", "nothing", "vs_nothing"]) {
      const refused = [404, 2001, "No vector store found with id '…'"];
      expect([name, ...(await ask(name, bearer(KEYS.other)))]).toEqual([name, ...refused]);
      expect([name, ...(await ask(name, bearer("sk-test-elsewhere-0123456789")))]).toEqual([name, ...refused]);
    }
    expect((await ask("own", bearer(KEYS.other)))[0]).toBe(200);
    expect((await ask(own.id, bearer(KEYS.other)))[0]).toBe(200);
    expect((await ask("secret", bearer(KEYS.read)))[0]).toBe(200);
  });

  test("a name that several stores have is refused with their ids", async () => {
    await using f = await storeApp();
    const { id } = await filled(f, "twice");
    const { json: second } = await f.call("POST", "/v1/vector_stores", { name: "twice" });
    const { status, json } = await f.call("POST", PATH, { knowledge_id: "twice", query: QUERY });
    expect([status, json.error_code]).toEqual([400, 1400]);
    expect(json.error_msg).toContain(`'${id}', '${second.id}'`);
  });

  const condition = (one: object) => ({ metadata_condition: { conditions: [one] } });
  const bad: [body: object, word: string][] = [
    [{ query: "" }, "query"],
    [{ query: " " }, "query"],
    [{ knowledge_id: 7 }, "knowledge_id"],
    [{ query: "x".repeat(65_537) }, "query"],
    [{ retrieval_setting: { top_k: 0 } }, "top_k"],
    [{ retrieval_setting: { top_k: 101 } }, "top_k"],
    [{ retrieval_setting: { score_threshold: 1.1 } }, "score_threshold"],
    [{ retrieval_setting: [] }, "retrieval_setting"],
    [{ surprise: 1 }, "surprise"],
    [condition({ name: "a", comparison_operator: "like", value: "b" }), "'contains'"],
    [condition({ name: "a", comparison_operator: "is" }), "conditions[0].value"],
    [condition({ name: "a", comparison_operator: "is", value: ["b", "c"] }), "'in'"],
    [condition({ name: "a", comparison_operator: ">", value: "tall" }), "'before'"],
    [condition({ name: "a", comparison_operator: "after", value: "soon" }), "2024-12-31"],
    [condition({ name: "a", comparison_operator: "before", value: "2024-13-99" }), "2024-12-31"],
    [condition({ name: "", comparison_operator: "empty" }), "name"],
    [{ metadata_condition: { conditions: Array(65).fill({ name: "a", comparison_operator: "empty" }) } }, "conditions"],
    [condition({ name: "a", comparison_operator: "in", value: Array(1001).fill("b") }), "value"],
  ];
  test.each(bad)("%j", async (body, word) => {
    await using f = await storeApp();
    const { id } = await filled(f);
    const { status, json } = await f.call("POST", PATH, { knowledge_id: id, query: QUERY, ...body });
    expect([status, json.error_code, Object.keys(json)]).toEqual([400, 1400, ["error_code", "error_msg"]]);
    expect(json.error_msg).toContain(word);
  });

  test("what is no JSON, and what is too large", async () => {
    await using f = await storeApp();
    expect((await f.call("POST", PATH, "{", { "content-type": "application/json" })).json.error_code).toBe(1400);
    const large = await f.call("POST", PATH, { query: "x".repeat(1_100_000) });
    expect([large.status, large.json.error_code]).toEqual([413, 1413]);
  });

  test("names of attributes that mean something to JavaScript are names like any other", async () => {
    await using f = await storeApp();
    const { id } = await filled(f);
    for (const name of ["__proto__", "constructor", "type", "value", "hasOwnProperty"]) {
      for (const comparison_operator of ["empty", "not contains"]) {
        const body = { knowledge_id: id, query: QUERY, ...condition({ name, comparison_operator, value: "x" }) };
        expect([name, titles((await f.call("POST", PATH, body)).json).length]).toEqual([name, 4]);
      }
    }
  });
});
