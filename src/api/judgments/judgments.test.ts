import { expect, test } from "bun:test";
import { storeApp, type StoreApp } from "../../app/testing/store-app.ts";

async function filled(f: StoreApp) {
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const files: string[] = [];
  for (const name of ["a.txt", "b.txt", "c.txt"]) {
    const file = await f.file(name);
    await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    await f.finish(store, file, [`text of ${name}`]);
    files.push(file);
  }
  const [a = "", b = "", c = ""] = files;
  const post = (judgments: object[], more: object = { merge: true }) =>
    f.call("POST", `/v1/vector_stores/${store}/judgments`, { judgments, ...more });
  return { a, b, c, post };
}

const gradesOf = (answer: { json: { data: { relevant: { filename: string; grade: number }[] }[] } }) =>
  answer.json.data.map(({ relevant }) => relevant.map(({ filename, grade }) => `${filename} ${grade}`));

test("merged judgments change only what is given, and keep the query's place", async () => {
  await using f = await storeApp();
  const { a, b, c, post } = await filled(f);
  const first = await post([{ query: "q", relevant: [{ file_id: a, grade: 2 }, { file_id: b }] }], {});
  const again = await post([{ query: "q", relevant: [{ file_id: b, grade: 0 }, { file_id: c }] }]);
  expect(gradesOf(again)).toEqual([["a.txt 2", "b.txt 0", "c.txt 1"]]);
  expect([again.json.data[0].id, again.json.added, again.json.replaced]).toEqual([first.json.data[0].id, 0, 1]);
  const path = `/v1/vector_stores/${again.json.data[0].vector_store_id}/judgments`;
  expect((await f.call("GET", `${path}?query=q`)).json.data).toEqual(again.json.data);
  expect((await f.call("GET", `${path}?query=Q`)).json.data).toEqual([]);
  // Without it the list is another one, as before.
  expect(gradesOf(await post([{ query: "q", relevant: [{ file_id: c }] }], {}))).toEqual([["c.txt 1"]]);
});

test("a file and a chunk of it are judged beside each other", async () => {
  await using f = await storeApp();
  const { a, post } = await filled(f);
  const { json } = await f.call("GET", `/v1/vector_stores`);
  const chunks = await f.call("GET", `/v1/vector_stores/${json.data[0].id}/chunks?file_id=${a}`);
  const chunk = chunks.json.data[0].id as string;
  await post([{ query: "q", relevant: [{ file_id: a }] }]);
  const answer = await post([{ query: "q", relevant: [{ chunk_id: chunk, grade: 3 }] }]);
  expect(gradesOf(answer)).toEqual([["a.txt 1", "a.txt 3"]]);
});

test("a list of zeros is kept where it is merged, and refused where it replaces", async () => {
  await using f = await storeApp();
  const { a, post } = await filled(f);
  const zeros = [{ query: "nothing fits", relevant: [{ file_id: a, grade: 0 }] }];
  expect(gradesOf(await post(zeros))).toEqual([["a.txt 0"]]);
  const refused = await post(zeros, { merge: false });
  expect([refused.status, refused.json.error.param]).toEqual([400, "judgments[0].relevant"]);
  expect(refused.json.error.message).toContain("'merge'");
});

test("a query that is given twice has both lists, and a list that grows too long is refused whole", async () => {
  await using f = await storeApp();
  const { a, b, post } = await filled(f);
  const twice = await post([
    { query: "q", relevant: [{ file_id: a }] },
    { query: "q", relevant: [{ file_id: b, grade: 0 }] },
  ]);
  expect(gradesOf(twice)).toEqual([["a.txt 1", "b.txt 0"]]);
  const { tenant_id: tenantId, id: storeId } = (await f.storage.stores.get(
    "ten_a",
    twice.json.data[0].vector_store_id,
  ))!;
  const many = Array.from({ length: 1000 }, (_, i) => ({ file: `file-${i}`, chunk: null, grade: 1 }));
  await f.storage.judgments.put(
    { tenantId, storeId, evaluation: 0 },
    { id: "q_many", query: "many", relevant: many },
    1,
  );
  const refused = await post([{ query: "many", relevant: [{ file_id: a }] }]);
  expect([refused.status, refused.json.error.code]).toEqual([400, "array_above_max_length"]);
  expect((await f.storage.judgments.get(tenantId, storeId, "q_many"))?.relevant).toHaveLength(1000);
});
