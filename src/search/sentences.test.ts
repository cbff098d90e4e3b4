import { expect, test } from "bun:test";
import { sentencesOf } from "./sentences.ts";

const cut = (text: string) => sentencesOf(text).map(({ start, end }) => text.slice(start, end));

test.each<[text: string, sentences: string[]]>([
  ["One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]],
  ["Ask Dr. Smith, e.g. about No. 5. He knows.", ["Ask Dr. Smith, e.g. about No. 5.", "He knows."]],
  ['It costs 3.50 a day. "Really?" Yes.', ["It costs 3.50 a day.", '"Really?"', "Yes."]],
  ["A line that\nis wrapped goes on.\nThe next.", ["A line that\nis wrapped goes on.", "The next."]],
  ["# Refunds\n\nPaid in 14 days.", ["# Refunds", "Paid in 14 days."]],
  ["- apples\n- pears\n- plums", ["- apples", "- pears", "- plums"]],
  ["| a | b |\n| 1 | 2 |", ["| a | b |", "| 1 | 2 |"]],
  ["a\tb\n1\t2", ["a\tb", "1\t2"]],
  ["let a = 1;\nlet b = 2;\nreturn a;", ["let a = 1;", "let b = 2;", "return a;"]],
  ["潮は月に従う。新月に最大。", ["潮は月に従う。", "新月に最大。"]],
  ["Am 3. Mai. Danach nicht.", ["Am 3.", "Mai.", "Danach nicht."]],
  ["", []],
  [" \n ", []],
])("%j", (text, sentences) => {
  expect(cut(text)).toEqual(sentences);
});

test("a sentence without end is cut at spaces, and nothing of it is lost", () => {
  const text = "word ".repeat(1_000).trim();
  const parts = cut(text);
  expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(600);
  expect(parts.join(" ")).toBe(text);
  const dense = "😀".repeat(2_000);
  expect(cut(dense).join("")).toBe(dense);
});

test("takes linear time", () => {
  const started = performance.now();
  for (const piece of [". ", "\n", "a. ", " ", "\n\n", "|", "x"]) sentencesOf(piece.repeat(300_000));
  expect(performance.now() - started).toBeLessThan(4_000);
});
