import { expect, test } from "bun:test";
import { sentenceStarts } from "./sentences.ts";

const cases: [text: string, sentences: string[]][] = [
  ["", [""]],
  ["one", ["one"]],
  ["One. Two! Three?", ["One. ", "Two! ", "Three?"]],
  ["One.  Two.\n\nThree", ["One.  ", "Two.\n\n", "Three"]],
  ["v1.2.3 of a.b", ["v1.2.3 of a.b"]],
  ['He said "no." (Then yes.) So.', ['He said "no." ', "(Then yes.) ", "So."]],
  ["line\nline", ["line\n", "line"]],
  ["你好。再见！", ["你好。", "再见！"]],
  ["\n a", ["\n ", "a"]],
];
for (const [text, sentences] of cases) {
  test(`${JSON.stringify(text)} has ${sentences.length}`, () => {
    const starts = [0, ...sentenceStarts(text)];
    expect(starts.map((start, i) => text.slice(start, starts[i + 1]))).toEqual(sentences);
  });
}
