import { writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { storeApp, type StoreApp } from "../app/testing/store-app.ts";
import { serveApp } from "./testing/command.ts";

const FILES = { "rise.md": "tides rise at noon", "fall.md": "tides fall at night", "crab.md": "crabs walk sideways" };

/** A store whose evaluations run; files have a path where one is said. */
async function storeOf(f: StoreApp): Promise<string> {
  const { id } = (await f.call("POST", "/v1/vector_stores", { name: "sea" })).json;
  for (const [filename, text] of Object.entries(FILES)) {
    const file_id = await f.file(filename);
    await f.call("POST", `/v1/vector_stores/${id}/files`, { file_id });
    await f.finish(id, file_id, [text]);
  }
  await f.engine.jobs.runner.start();
  return id;
}

function judged(dir: TempDir, rows: readonly object[]): string {
  writeFileSync(dir.join("judged.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  return dir.join("judged.jsonl");
}

test("judged queries of a file are run, a row a mode, with what cannot be found said beside it", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  await storeOf(f);
  const rows = [
    { query: "tides rise", relevant: ["rise.md"] },
    { query: "crabs", relevant: ["crab.md", "lobster.md"] },
  ];
  const { status, out, err } = await server.run([
    "eval",
    "sea",
    "--queries",
    judged(dir, rows),
    "--modes",
    "keyword,hybrid",
  ]);
  expect(status).toBe(0);
  expect(err).toContain("2 judged queries, generation 1 of the index\n");
  expect(err).toContain("1 judged file or chunk is not in the index and cannot be found\n");
  expect(err).toMatch(/mode +nDCG@10 +Recall@10 +MRR@10 +p50 ms +p95 ms\n$/);
  expect(out).toMatch(/^(keyword|hybrid) +0\.\d{4} +0\.7500 +1\.0000 +[\d.]+ +[\d.]+$/m);
  expect(out.trimEnd().split("\n")).toHaveLength(2);
});

test("without a file the queries of the store are run; --json is the evaluation", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const id = await storeOf(f);
  const none = await server.run(["eval", "sea"]);
  expect([none.status, none.err]).toEqual([1, expect.stringContaining("The store has no judged queries")]);
  const { data } = (await f.call("GET", `/v1/vector_stores/${id}/files`)).json;
  const body = { judgments: [{ query: "tides rise", relevant: [{ file_id: data[0].id }] }] };
  expect((await f.call("POST", `/v1/vector_stores/${id}/judgments`, body)).status).toBe(200);
  const { status, out } = await server.run(["eval", id, "--json", "--k", "3", "--modes", "vector"]);
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ status: "completed", k: 3, modes: ["vector"], queries: 1 });
});

test("a file of which nothing is in the store is refused before anything is measured", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const id = await storeOf(f);
  const queries = judged(dir, [{ query: "x", relevant: ["lobster.md"] }]);
  const { status, err } = await server.run(["eval", "sea", "--queries", queries]);
  expect([status, err]).toEqual([1, expect.stringContaining('No file that FILE names, such as "lobster.md", is in')]);
  expect((await f.call("GET", `/v1/vector_stores/${id}/evals`)).json.data).toEqual([]);
});

test.each([
  [["eval", "none"], 'There is no store "none".'],
  [["eval", "sea", "--queries", "/nowhere/at/all"], "/nowhere/at/all"],
])("%j is refused", async (argv, sentence) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await f.call("POST", "/v1/vector_stores", { name: "sea" });
  const { status, err } = await server.run(argv);
  expect([status, err]).toEqual([1, expect.stringContaining(sentence)]);
});
