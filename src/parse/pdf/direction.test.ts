import { describe, expect, test } from "bun:test";
import { logicalText, runsRightToLeft } from "./direction.ts";
import { linesOfPage } from "./lines.ts";
import type { TextItem } from "./painted.ts";

/** Runs from the left edge on, each as wide as its letters; a number is a gap. */
function painted(...pieces: (string | number)[]): { text: string; x0: number; x1: number }[] {
  const out: { text: string; x0: number; x1: number }[] = [];
  let x = 0;
  for (const piece of pieces) {
    const width = typeof piece === "number" ? piece : piece.length * 5;
    if (typeof piece === "string") out.push({ text: piece, x0: x, x1: x + width });
    x += width;
  }
  return out;
}

describe("logicalText", () => {
  test.each([
    ["words painted from the left", painted("טוב", 4, "שלום"), "שלום טוב"],
    ["words painted from the right", painted("טוב", 4, "שלום").toReversed(), "שלום טוב"],
    ["letters painted one by one", painted("ם", "ו", "ל", "ש"), "שלום"],
    ["a name in Latin letters amid", painted("טוב", " ", "Open", " ", "AI", " ", "שלום"), "שלום Open AI טוב"],
    ["a number and a full stop", painted(".", "2024", " ", "שלום"), "שלום 2024."],
    [
      "a word of Hebrew in an English line",
      painted("The word", " ", "טוב", " ", "שלום", " ", "means peace"),
      "The word שלום טוב means peace",
    ],
    [
      "spaces of no width",
      [
        { text: "טוב", x0: 0, x1: 10 },
        { text: " ", x0: 10, x1: 10 },
        { text: "שלום", x0: 11, x1: 30 },
      ],
      "שלום טוב",
    ],
  ] as const)("reads %s", (_name, runs, text) => {
    expect(logicalText(runs, 2)).toBe(text);
  });

  test("takes a line for right-to-left by most of its letters", () => {
    expect(runsRightToLeft("שלום to")).toBe(true);
    expect(runsRightToLeft("peace is שלום")).toBe(false);
    expect(runsRightToLeft("2024")).toBe(false);
  });
});

describe("linesOfPage", () => {
  const item = (str: string, x: number, y: number, width: number): TextItem => ({
    str,
    transform: [10, 0, 0, 10, x, y],
    width,
    height: 10,
    fontName: "f",
    hasEOL: false,
  });

  test("joins right-to-left words to a line whichever way they were painted", () => {
    const lines = linesOfPage(
      [item("טוב", 100, 700, 20), item("שלום", 123, 700, 20), item("עולם", 146, 700, 20)],
      () => false,
    );
    expect(lines.map((line) => line.text)).toEqual(["עולם שלום טוב"]);
  });

  test("reads the cells of a right-to-left row from the right", () => {
    const row = [item("סכום", 50, 700, 20), item("שם", 300, 700, 20)];
    expect(linesOfPage(row, () => false).map((line) => line.text)).toEqual(["שם\tסכום"]);
    expect(linesOfPage(row.toReversed(), () => false).map((line) => line.text)).toEqual(["שם\tסכום"]);
  });

  test("reads right-to-left columns from the right", () => {
    const items = Array.from({ length: 12 }, (_, i) => [
      item(`שמאל עמודה עם הרבה מילים בשורה ${i}`, 50, 700 - 12 * i, 200),
      item(`ימין עמודה עם הרבה מילים בשורה ${i}`, 320, 700 - 12 * i, 200),
    ]).flat();
    const text = linesOfPage(items, () => false)
      .map((line) => line.text)
      .join("\n");
    expect(text.indexOf("ימין")).toBe(0);
    expect(text.lastIndexOf("ימין")).toBeLessThan(text.indexOf("שמאל"));
  });
});
