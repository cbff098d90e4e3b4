import { describe, expect, test } from "bun:test";
import { CodePoints } from "./code-points.ts";
import { matchedWords } from "./matched.ts";
import { piecesOf, windowAround } from "./pieces.ts";
import { visible, webAddress } from "./visible.ts";

describe("a text by code points", () => {
  const texts = [
    "",
    "plain",
    "a😀b🦓c",
    "😀".repeat(5000),
    `${"x".repeat(4095)}😀${"y".repeat(5000)}😀`,
    "\uD83Dlone\uDE00 😀",
    "e\u0301👩‍👩‍👧",
  ];

  test.each(texts.map((text) => [text.slice(0, 12), text] as const))("%j is cut like an array of them", (_, text) => {
    const points = new CodePoints(text);
    const all = [...text];
    expect(points.length).toBe(all.length);
    for (const [start, end] of [
      [0, 3],
      [1, 2],
      [4094, 4097],
      [all.length - 2, all.length],
      [0, all.length],
      [all.length, all.length + 5],
    ] as const)
      expect(points.slice(start, end)).toBe(all.slice(Math.max(0, start), end).join(""));
    for (const point of [0, 1, 2, 4095, 4096, 4097, all.length].filter((one) => one <= all.length))
      expect(points.pointOf(points.unitOf(point))).toBe(point);
  });
});

describe("pieces", () => {
  const text = new CodePoints("01😀3456789");

  test("are cut where chunks and marks begin and end, and know what covers them", () => {
    const ranges = [
      { start: 0, end: 5 },
      { start: 3, end: 8 },
    ];
    expect(piecesOf(text, { start: 0, end: 10 }, { ranges, marks: [{ start: 2, end: 4 }] })).toEqual([
      { start: 0, end: 2, text: "01", covers: [0], isMarked: false },
      { start: 2, end: 3, text: "😀", covers: [0], isMarked: true },
      { start: 3, end: 4, text: "3", covers: [0, 1], isMarked: true },
      { start: 4, end: 5, text: "4", covers: [0, 1], isMarked: false },
      { start: 5, end: 8, text: "567", covers: [1], isMarked: false },
      { start: 8, end: 10, text: "89", covers: [], isMarked: false },
    ]);
  });

  test("of a window have nothing of what is outside", () => {
    const options = { ranges: [{ start: 0, end: 10 }], marks: [{ start: 0, end: 4 }] };
    expect(piecesOf(text, { start: 3, end: 6 }, options)).toEqual([
      { start: 3, end: 4, text: "3", covers: [0], isMarked: true },
      { start: 4, end: 6, text: "45", covers: [0], isMarked: false },
    ]);
    expect(piecesOf(text, { start: 20, end: 30 }, options)).toEqual([]);
  });

  test("a window stands around its place, inside the text", () => {
    expect(windowAround(0, 1000, 100)).toEqual({ start: 0, end: 100 });
    expect(windowAround(500, 1000, 100)).toEqual({ start: 475, end: 575 });
    expect(windowAround(999, 1000, 100)).toEqual({ start: 900, end: 1000 });
    expect(windowAround(5, 10, 100)).toEqual({ start: 0, end: 10 });
  });
});

test.each([
  ["a\u0000b\u001b\u007f", "a␀b␛␡"],
  ["a\u202Eb\u2066c\u200Fd", "a‹U+202E›b‹U+2066›c‹U+200F›d"],
  ["\uFEFFbom\u2028line\u0085", "‹U+FEFF›bom‹U+2028›line‹U+0085›"],
  ["lone \uD83D", "lone ‹U+D83D›"],
  ["👩‍👩‍👧 می\u200Cخواهم 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧 می\u200Cخواهم 🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
  ["<script>&lt;", "<script>&lt;"],
  ["a\nb\tc", "a␊b␉c"],
])("%j is shown as %j", (text, expected) => {
  expect(visible(text)).toBe(expected);
});

test("lines and tabs of documents stay", () => {
  expect(visible("a\r\nb\tc\u0007", { keepLines: true })).toBe("a\r\nb\tc␇");
});

test.each([
  ["https://example.com/a?b", "example.com"],
  ["HTTP://example.com", "example.com"],
  ["javascript:alert(1)", undefined],
  [" https://example.com", undefined],
  ["data:text/html,x", undefined],
  ["https://user@example.com", undefined],
  ["//example.com", undefined],
  [7, undefined],
])("%p leads to %p", (value, host) => {
  expect(webAddress(value)?.host).toBe(host);
});

describe("words of the query in a passage", () => {
  const marked = (passage: string, ...queries: string[]) =>
    matchedWords(passage, queries).map(({ start, end }) => [...passage].slice(start, end).join(""));

  test.each([
    ["Goods may be sent back.", "how to SEND goods back?", ["Goods", "back"]],
    ["😀 Policies of the house 🦓 policy", "the policy", ["Policies", "policy"]],
    ["Über die Straße", "uber strasse", ["Über"]],
    ["to be or not to be", "to be", ["to", "be", "to", "be"]],
    ["", "word", []],
    ["word", "", []],
  ])("%j for %j: %j", (passage, query, expected) => {
    expect(marked(passage, query)).toEqual(expected);
  });
});
