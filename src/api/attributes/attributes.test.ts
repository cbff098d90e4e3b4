import { expect, test } from "bun:test";
import { KEYS, storeApp, type StoreApp } from "../../app/testing/store-app.ts";

async function storeWith(f: StoreApp, attributes: readonly (Record<string, unknown> | null)[]): Promise<string> {
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  for (const [i, one] of attributes.entries())
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file(`${i}.txt`), attributes: one });
  return store;
}

test("names, types and values come with how many files have them, the frequent ones first", async () => {
  await using f = await storeApp();
  const store = await storeWith(f, [
    { lang: "de", year: 2024, draft: true },
    { lang: "en", year: 2024 },
    { lang: "de", year: "unknown" },
    null,
  ]);
  const { status, json } = await f.call("GET", `/v1/vector_stores/${store}/attributes`);
  expect([status, json]).toEqual([
    200,
    {
      object: "list",
      data: [
        {
          key: "lang",
          type: "string",
          files: 3,
          chunks: 0,
          values: [
            { value: "de", count: 2 },
            { value: "en", count: 1 },
          ],
        },
        {
          key: "year",
          type: "mixed",
          files: 3,
          chunks: 0,
          values: [
            { value: 2024, count: 2 },
            { value: "unknown", count: 1 },
          ],
        },
        { key: "draft", type: "boolean", files: 1, chunks: 0, values: [{ value: true, count: 1 }] },
      ],
      files_read: 4,
      chunks_read: 0,
      has_more: false,
    },
  ]);
});

test("an attribute with many values shows fifty, and counts every file", async () => {
  await using f = await storeApp();
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const row = await f.storage.stores.get("ten_a", store);
  const insert = (i: number) =>
    f.storage.storeFiles.insert({
      tenantId: row?.tenant_id ?? "",
      storeId: store,
      fileId: `file-${i}`,
      filename: "x",
      fileBytes: 1,
      createdAt: 1,
      attributes: { sum: `value ${i}` },
      maxTokens: 800,
      overlapTokens: 400,
    });
  for (let i = 0; i < 1200; i++) await insert(i);
  const { json } = await f.call("GET", `/v1/vector_stores/${store}/attributes`);
  expect([json.data.length, json.data[0].files, json.data[0].values.length]).toEqual([1, 1200, 50]);
  expect([json.files_read, json.has_more]).toEqual([1200, false]);
});

test("those of a store that the key may not see are not there", async () => {
  await using f = await storeApp();
  const store = await storeWith(f, [{ a: 1 }]);
  const asOther = { authorization: `Bearer ${KEYS.other}` };
  expect((await f.call("GET", `/v1/vector_stores/${store}/attributes`, undefined, asOther)).status).toBe(404);
});

test("what vectors have of their own is among them", async () => {
  await using f = await storeApp();
  const store = await storeWith(f, [{ lang: "de" }]);
  const embeddings = ["de", "en", "en"].map((lang, n) => ({ content: `text ${n}`, metadata: { lang, n } }));
  await f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings });
  const { json } = await f.call("GET", `/v1/vector_stores/${store}/attributes`);
  expect(json).toMatchObject({ files_read: 2, chunks_read: 3, has_more: false });
  expect(json.data).toMatchObject([
    {
      key: "lang",
      files: 1,
      chunks: 3,
      values: [
        { value: "de", count: 2 },
        { value: "en", count: 2 },
      ],
    },
    { key: "n", files: 0, chunks: 3, type: "number" },
  ]);
});
