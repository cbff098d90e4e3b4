import { expect, test } from "bun:test";
import { storeApp, type StoreApp } from "../../app/testing/store-app.ts";

async function filled(f: StoreApp, ...names: string[]) {
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  for (const name of names) await f.call("POST", `/v1/vector_stores/${store}/files`, { file_id: await f.file(name) });
  const list = async (query: string) => {
    const { json } = await f.call("GET", `/v1/vector_stores/${store}/files?${query}`);
    return json as { data: { id: string; filename: string }[]; has_more: boolean; last_id: string; first_id: string };
  };
  return { store, list };
}
const namesOf = (page: { data: { filename: string }[] }) => page.data.map(({ filename }) => filename);

test("files are found by a part of their name, whatever its case", async () => {
  await using f = await storeApp();
  const { list } = await filled(f, "Bericht Über.pdf", "notes.txt", "[1].md");
  expect(namesOf(await list("filename=%C3%BCBER"))).toEqual(["Bericht Über.pdf"]);
  expect(namesOf(await list("filename=[1]"))).toEqual(["[1].md"]);
  expect(namesOf(await list("filename=nothing"))).toEqual([]);
  expect(namesOf(await list("filename=notes&filter=completed"))).toEqual([]);
});

test("files are listed by name in pages, in both directions", async () => {
  await using f = await storeApp();
  const { list } = await filled(f, "b.txt", "A.txt", "c.txt", "B.txt", "a.txt");
  const all = namesOf(await list("sort=filename&order=asc"));
  expect(all).toEqual(["A.txt", "a.txt", "b.txt", "B.txt", "c.txt"]);
  for (const order of ["asc", "desc"]) {
    const seen: string[] = [];
    let after = "";
    for (;;) {
      const page = await list(`sort=filename&order=${order}&limit=2${after}`);
      seen.push(...namesOf(page));
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    expect(seen).toEqual(order === "asc" ? all : all.toReversed());
  }
  const { data } = await list("sort=filename&order=asc");
  expect(namesOf(await list(`sort=filename&order=asc&limit=2&before=${data[3]?.id}`))).toEqual(["a.txt", "b.txt"]);
});

test("a page by name goes on after a file that was detached meanwhile, and by state after one that ended", async () => {
  await using f = await storeApp();
  const { store, list } = await filled(f, "a", "b", "c", "d");
  const first = await list("sort=filename&order=asc&limit=2");
  await f.call("DELETE", `/v1/vector_stores/${store}/files/${first.last_id}`);
  expect(namesOf(await list(`sort=filename&order=asc&after=${first.last_id}`))).toEqual(["c", "d"]);
  const states = await list("sort=status&order=asc&limit=1");
  await f.finish(store, states.last_id, ["x"]);
  expect(namesOf(await list(`sort=status&order=asc&after=${states.last_id}`))).toEqual(["c", "d"]);
});

test("stores are found by a part of their name, and only those that a key may see", async () => {
  await using f = await storeApp();
  for (const name of ["Handbücher", "Verträge", "handbook"]) await f.call("POST", "/v1/vector_stores", { name });
  const { json } = await f.call("GET", "/v1/vector_stores?name=HANDB&order=asc");
  expect(json.data.map((store: { name: string }) => store.name)).toEqual(["Handbücher", "handbook"]);
  await f.addKey("sk-test-bound-0123456789", { role: "read", storeIds: [json.data[1].id] });
  const bound = await f.call("GET", "/v1/vector_stores?name=handb", undefined, {
    authorization: "Bearer sk-test-bound-0123456789",
  });
  expect(bound.json.data.map((store: { name: string }) => store.name)).toEqual(["handbook"]);
});
