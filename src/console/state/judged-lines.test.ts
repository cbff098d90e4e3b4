import { expect, test } from "bun:test";
import { lineText, linesOf } from "./judged-lines.ts";

test("lines are read as lectern eval reads them, empty ones left out", () => {
  const text = `{"query": "a", "relevant": ["x.md", {"filename": "y.md", "grade": 2}]}

{"query": "b", "relevant": [{"file_id": "file-1", "grade": 0}, {"chunk_id": "chunk_1"}]}
`;
  expect(linesOf(text)).toEqual([
    {
      query: "a",
      relevant: [
        { name: "x.md", grade: 1 },
        { name: "y.md", grade: 2 },
      ],
    },
    {
      query: "b",
      relevant: [
        { name: "file-1", grade: 0 },
        { chunk_id: "chunk_1", grade: 1 },
      ],
    },
  ]);
});

test.each([
  "not JSON",
  '{"query": "a"}',
  '{"query": " ", "relevant": ["x"]}',
  '{"query": "a", "relevant": []}',
  '{"query": "a", "relevant": [{"grade": 1}]}',
  '{"query": "a", "relevant": [{"filename": "x", "grade": -1}]}',
  "null",
])("%j is refused by its line", (line) => {
  expect(() => linesOf(`{"query":"a","relevant":["b"]}\n${line}`)).toThrow("Line 2");
});

test("what is written is read as the same again", () => {
  const relevant = [
    { file_id: "file-1", filename: "a.md", grade: 2 },
    { file_id: "file-2", filename: null, grade: 0 },
    { file_id: "file-3", filename: "c.md", chunk_id: "chunk_1", grade: 1 },
    { file_id: null, filename: null, grade: 1 },
  ];
  expect(linesOf(lineText({ query: 'a "b"\n', relevant }))).toEqual([
    {
      query: 'a "b"\n',
      relevant: [
        { name: "a.md", grade: 2 },
        { name: "file-2", grade: 0 },
        { chunk_id: "chunk_1", grade: 1 },
      ],
    },
  ]);
});
