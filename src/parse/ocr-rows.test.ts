import { describe, expect, test } from "bun:test";
import { readTsv } from "./ocr.ts";

/** Words of one line at a place, as Tesseract writes them. */
function line(block: number, number: number, place: { x: number; y: number }, text: string): string {
  return text
    .split(" ")
    .map((word, i) => `5\t1\t${block}\t1\t${number}\t${i + 1}\t${place.x + 60 * i}\t${place.y}\t50\t20\t95\t${word}`)
    .join("\n");
}
const column = (block: number, x: number, texts: string[], y = 100) =>
  texts.map((text, i) => line(block, i + 1, { x, y: y + 40 * i }, text)).join("\n");
const read = (...columns: string[]) => readTsv(columns.join("\n")).paragraphs;

describe("columns of cells become rows", () => {
  test("with their heads, and what stands above and below in its place", () => {
    expect(
      read(
        line(1, 1, { x: 100, y: 40 }, "All prices of this year are given without tax"),
        column(2, 100, ["Item", "Anchor chain", "Rope"]),
        column(3, 500, ["Count", "3", "12"]),
        column(4, 900, ["Price", "118.00", "27.50"]),
        line(5, 1, { x: 100, y: 400 }, "They hold until the end of the month of March"),
      ),
    ).toEqual([
      "All prices of this year are given without tax",
      "Item\tCount\tPrice\nAnchor chain\t3\t118.00\nRope\t12\t27.50",
      "They hold until the end of the month of March",
    ]);
  });

  test("with empty cells, and a last row that was taken for a block of its own", () => {
    const items = [column(1, 100, ["Item", "Rope"]), line(2, 1, { x: 100, y: 220 }, "Total")];
    expect(read(...items, column(3, 900, ["Price", "27.50"]), line(3, 3, { x: 900, y: 220 }, "27.50"))).toEqual([
      "Item\tPrice\nRope\t27.50\nTotal\t27.50",
    ]);
  });

  test("with a column of longer texts beside them", () => {
    const texts = ["What it is and where it lies", "A chain for the large anchor", "Rope that is twelve metres long"];
    expect(
      read(column(1, 100, texts), column(2, 700, ["Count", "3", "12"]), column(3, 900, ["Price", "118", "27"])),
    ).toEqual([`${texts[0]}\tCount\tPrice\n${texts[1]}\t3\t118\n${texts[2]}\t12\t27`]);
  });
});

describe("columns that are no cells are read one after the other", () => {
  const prose = (word: string) => [1, 2, 3].map((i) => `${word} goes on in line ${i} here`);

  test("of prose", () => {
    const text = read(column(1, 100, prose("left")), column(2, 900, prose("right"))).join(" ");
    expect(text.indexOf("left goes on in line 3")).toBeLessThan(text.indexOf("right goes on in line 1"));
  });

  test("of prose with a margin of short notes", () => {
    const text = read(column(1, 100, ["Note one", "Note two", "Note"]), column(2, 500, prose("text"))).join(" ");
    expect(text.indexOf("Note two")).toBeLessThan(text.indexOf("text goes on in line 1"));
  });

  test("of cells that do not stand level", () => {
    expect(read(column(1, 100, ["one", "two"]), column(2, 500, ["three", "four"], 120))).toHaveLength(2);
  });
});
