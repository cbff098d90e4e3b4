import { expect, test } from "bun:test";
import { KEYS, storeApp, type StoreApp } from "../app/testing/store-app.ts";
import { lectern, serveApp } from "./testing/command.ts";

async function withFiles(f: StoreApp): Promise<string> {
  const { id } = (await f.call("POST", "/v1/vector_stores", { name: "handbook" })).json;
  const attach = async (filename: string, attributes: object, texts: string[]) => {
    const file_id = await f.file(filename);
    await f.call("POST", `/v1/vector_stores/${id}/files`, { file_id, attributes });
    await f.finish(id, file_id, texts);
  };
  await attach("refunds.txt", { year: 2024, draft: false }, ["refunds are paid in a week"]);
  await attach("old.txt", { year: 2020, draft: true, path: "archive/old.txt" }, ["refunds were paid in a month"]);
  return id;
}

test("hits are shown with their file or path, page, score, heading and passage", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await withFiles(f);
  const { status, out, err } = await server.run(["search", "handbook", "refunds", "week"]);
  expect([status, err]).toEqual([0, ""]);
  const blocks = out.split("\n\n");
  expect(blocks).toHaveLength(2);
  expect(blocks[0]).toMatch(/^1\. refunds\.txt, page 1 {2}score \d\.\d{3}\n {3}Top\n {3}refunds are paid in a week$/);
  expect(blocks[1]).toStartWith("2. archive/old.txt, page 1");
});

test("on a terminal the name is bold", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await withFiles(f);
  expect((await server.run(["search", "handbook", "refunds"], { color: true })).out).toContain("\x1b[1m");
});

test("--json is the server's answer, --limit its length; a store may be named by its id", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const id = await withFiles(f);
  const { status, out } = await server.run(["search", id, "refunds", "--json", "--limit", "1"]);
  expect(status).toBe(0);
  const page = JSON.parse(out);
  expect(page).toMatchObject({ object: "vector_store.search_results.page", search_query: ["refunds"] });
  expect(page.data).toHaveLength(1);
});

test.each([
  [["year=2024"], ["refunds.txt"]],
  [["draft=true"], ["old.txt"]],
  [["year=2024", "draft=true"], []],
  [['{"type":"gte","key":"year","value":2000}'], ["old.txt", "refunds.txt"]],
])("--filter %j finds %j", async (filters, expected) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await withFiles(f);
  const flags = filters.flatMap((filter) => ["--filter", filter]);
  const { out } = await server.run(["search", "handbook", "refunds", "--mode", "keyword", "--json", ...flags]);
  const names: string[] = JSON.parse(out).data.map(({ filename }: { filename: string }) => filename);
  expect(names.toSorted()).toEqual(expected);
});

test("what is not found is said beside the answer, and is no failure", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await f.call("POST", "/v1/vector_stores", { name: "empty" });
  expect(await server.run(["search", "empty", "x"])).toEqual({ status: 0, out: "", err: "Nothing found.\n" });
  expect(await server.run(["search", "none", "x"])).toMatchObject({
    status: 1,
    err: 'lectern: There is no store "none".\n',
  });
});

test("a key that the server does not know is the server's own sentence", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await lectern(["search", "s", "x", "--url", `${server.url}/v1/`, "--key", "sk-wrong"]);
  expect(status).toBe(1);
  expect(err).toContain("API key");
  expect(err).not.toContain("sk-wrong");
  const known = await lectern(["search", "s", "x", "--url", `${server.url}/v1/`, "--key", KEYS.read]);
  expect(known.err).toBe('lectern: There is no store "s".\n');
});
