import { describe, expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { fileFinder, readJudgedFile } from "./judged-file.ts";

async function read(files: Record<string, string>, path: string) {
  using dir = tempDir();
  for (const [name, text] of Object.entries(files)) await Bun.write(dir.join(name), text);
  try {
    return await readJudgedFile(dir.join(path));
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(`${dir.path}/`, "") : error;
  }
}

test("JSON lines say an answer as a name, or as an object with a grade", async () => {
  const lines = [
    { query: "a", relevant: ["one.md", { file_id: "file-1", grade: 2 }] },
    { query: "b", relevant: [{ filename: "two.md" }, { chunk_id: "chunk_1", grade: 0.5 }] },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\r\n");
  expect(await read({ "judged.jsonl": `${text}\n\n` }, "judged.jsonl")).toEqual([
    {
      query: "a",
      relevant: [
        { name: "one.md", grade: 1 },
        { name: "file-1", grade: 2 },
      ],
    },
    {
      query: "b",
      relevant: [
        { name: "two.md", grade: 1 },
        { chunk: "chunk_1", grade: 0.5 },
      ],
    },
  ]);
});

test.each([["qrels/test.tsv"], ["qrels.tsv"]])("a folder in BEIR's layout is read with %s", async (qrels) => {
  const files = {
    "set/queries.jsonl": '{"_id":"q1","text":"one","metadata":{}}\n{"_id":"q2","text":"not judged"}\n',
    [`set/${qrels}`]: "query-id\tcorpus-id\tscore\nq1\td1\t2\r\nq1\td2\t0\nq1\td3\t-1\nq2\td1\t0\n",
  };
  expect(await read(files, "set")).toEqual([{ query: "one", relevant: [{ name: "d1", grade: 2 }] }]);
});

test.each<[what: string, files: Record<string, string>, message: string]>([
  ["no file", {}, 'There is no file "x".'],
  ["nothing in it", { x: "\n" }, "x holds no judged queries."],
  ["no JSON", { x: '{"query":"a","relevant":["b"]}\nnope' }, "x, line 2: this is not valid JSON."],
  ["no answers", { x: '{"query":"a","relevant":[]}' }, "x, line 1: expected an object with query and relevant."],
  [
    "an answer of two kinds",
    { x: '{"query":"a","relevant":[{"file_id":"b","chunk_id":"c"}]}' },
    "x, line 1: every answer has one of file_id, filename and chunk_id.",
  ],
  [
    "a folder without judgments",
    { "x/queries.jsonl": "" },
    "x has no queries.jsonl with qrels/test.tsv, which a test set in BEIR's layout has.",
  ],
])("%s is refused by its place", async (_, files, message) => {
  const refused = await read(files, "x");
  expect(String(refused).replace(/"[^"]*\/x"/, '"x"')).toBe(message);
});

describe("a file is found", () => {
  const find = fileFinder([
    { id: "file-1", filename: "a.md", path: "docs/a.md" },
    { id: "file-2", filename: "a.md", path: "old/a.md" },
    { id: "file-3", filename: "b.tar.gz", path: null },
    { id: "file-4", filename: "docs", path: null },
  ]);

  test.each([
    ["file-1", "file-1"],
    ["docs/a.md", "file-1"],
    ["b.tar.gz", "file-3"],
    ["b.tar", "file-3"],
    ["docs", "file-4"],
    ["nothing", undefined],
  ])("by %s", (name, id) => {
    expect(find(name)).toBe(id);
  });

  test("by a name that two have only when that says which", () => {
    expect(() => find("a.md")).toThrow("2 files of the store are named a.md");
  });
});
