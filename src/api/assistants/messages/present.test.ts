import { expect, test } from "bun:test";
import type { KeptMark } from "../../../storage/thread-items.ts";
import type { Dialect } from "../../../http/dialect.ts";
import { piecesOf } from "./present.ts";

function mark(index: number, filename = "a.txt", passage = 0): KeptMark {
  return {
    type: "file_citation",
    index,
    file_id: "file-1",
    filename,
    quote: "q",
    start_offset: 1,
    end_offset: 2,
    vector_store_id: "vs_1",
    chunk_id: "chunk_1",
    page: null,
    cited_by: "quote",
    passage,
  };
}

const shown = (text: string, marks: KeptMark[], { markers = true, dialect = "openai" as Dialect } = {}) => {
  const pieces = piecesOf({ text, marks }, 4, { dialect, markers });
  const value = pieces.map((piece) => piece.text).join("");
  return { value, annotations: pieces.flatMap(({ citation }) => citation ?? []) };
};

test("a marker stands where its citation does, and its annotation says exactly where, in code points", () => {
  const { value, annotations } = shown("😀 Cake.\n\nÄpfel 😀.", [mark(7), mark(17, "b.txt", 12)]);
  expect(value).toBe("😀 Cake.【4:0†a.txt】\n\nÄpfel 😀.【4:12†b.txt】");
  expect(annotations).toHaveLength(2);
  for (const { text, start_index, end_index } of annotations)
    expect([...value].slice(start_index, end_index).join("")).toBe(text);
  expect(value.replaceAll(/【[^】]*】/g, "")).toBe("😀 Cake.\n\nÄpfel 😀.");
});

test("two citations at one place are two markers", () => {
  const { value, annotations } = shown("Cake.", [mark(5), mark(5, "b.txt", 1)]);
  expect(value).toBe("Cake.【4:0†a.txt】【4:1†b.txt】");
  expect(annotations.map(({ start_index, end_index }) => [start_index, end_index])).toEqual([
    [5, 16],
    [16, 27],
  ]);
});

test.each([
  ["brackets", "a【1】b】.txt", "【4:0†a 1 b .txt】"],
  ["line ends", "a\nb\t c.txt", "【4:0†a b c.txt】"],
  ["nothing", "", "【4:0†】"],
])("a marker keeps its form with a name of %s", (_, filename, marker) => {
  expect(shown("x", [mark(1, filename)]).value).toBe(`x${marker}`);
});

test("without markers the text stays as it was said, and citations have a place without length", () => {
  const { value, annotations } = shown("Cake.\n\nTea.", [mark(5), mark(11)], { markers: false });
  expect(value).toBe("Cake.\n\nTea.");
  expect(annotations.map(({ text, start_index, end_index }) => [text, start_index, end_index])).toEqual([
    ["", 5, 5],
    ["", 11, 11],
  ]);
});

test("an old dialect names no file, a strict one nothing but the file", () => {
  expect(shown("x", [mark(1)], { dialect: "legacy" }).value).toBe("x【4:0†source】");
  expect(shown("x", [mark(1)], { dialect: "openai-strict" }).annotations[0]?.file_citation).toEqual({
    file_id: "file-1",
  });
});

test("a text is cut into paragraphs, each of which is a piece", () => {
  const pieces = piecesOf({ text: "Lead:\n\nOne.\n\nTwo.", marks: [mark(11)] }, 0, {
    dialect: "openai",
    markers: true,
  });
  expect(pieces.map(({ text }) => text)).toEqual(["Lead:", "\n\nOne.", "【0:0†a.txt】", "\n\nTwo."]);
});
