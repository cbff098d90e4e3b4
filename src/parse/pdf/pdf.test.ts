import { describe, expect, test } from "bun:test";

import { linesAt, makePdf } from "../../../test/fixtures/parse/make-pdf.ts";
import type { PlacedText } from "../../../test/fixtures/parse/make-pdf.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";
import { pdfDate } from "./pdf.ts";

async function read(bytes: Uint8Array): Promise<ParsedDocument> {
  const result = await parseDocument({ bytes, filename: "a.pdf", contentType: null });
  if (!result.ok) throw new Error(result.error.message);
  return result.document;
}

async function failure(bytes: Uint8Array): Promise<string> {
  const result = await parseDocument({ bytes, filename: "a.pdf", contentType: null });
  return result.ok ? "" : `${result.error.code}: ${result.error.message}`;
}

const LEFT = Array.from({ length: 12 }, (_, i) => `left column line number ${i} goes on`);
const RIGHT = Array.from({ length: 12 }, (_, i) => `right column line number ${i} goes on`);

describe("parsePdf", () => {
  test("joins the lines of a paragraph and parts paragraphs", async () => {
    const items = [
      ...linesAt(
        ["A paragraph of running text that", "goes on over three lines and ends", "right here in the middle."],
        72,
        700,
      ),
      ...linesAt(["Another paragraph after a gap."], 72, 640),
    ];
    const document = await read(makePdf([{ items }]));
    expect(document.text).toBe(
      "A paragraph of running text that goes on over three lines and ends right here in the middle.\n\nAnother paragraph after a gap.",
    );
  });

  test("reads columns one after the other when they are painted row by row", async () => {
    const items: PlacedText[] = LEFT.flatMap((text, i) => [
      { text, x: 50, y: 700 - 12 * i },
      { text: RIGHT[i]!, x: 320, y: 700 - 12 * i },
    ]);
    const { text } = await read(makePdf([{ items }]));
    expect(text.indexOf("left column line number 11")).toBeLessThan(text.indexOf("right column line number 0"));
  });

  test("keeps the painting order of columns that are painted one after the other", async () => {
    const { text } = await read(makePdf([{ items: [...linesAt(LEFT, 50, 700), ...linesAt(RIGHT, 320, 700)] }]));
    expect(text.indexOf("left column line number 11")).toBeLessThan(text.indexOf("right column line number 0"));
  });

  test("puts lines that are painted in no order from top to bottom", async () => {
    const order = [7, 2, 9, 0, 5, 11, 3, 8, 1, 10, 6, 4];
    const items = order.map((i) => ({ text: `line number ${i} of the page.`, x: 72, y: 700 - 30 * i }));
    const { text } = await read(makePdf([{ items }]));
    expect(text.match(/\d+/g)!.map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("keeps the cells of a table row on one line", async () => {
    const rows = [
      ["Name", "Age", "City"],
      ["Ann", "31", "Paris"],
      ["Bob", "27", "Rome"],
    ];
    const items = rows.flatMap((row, r) => row.map((text, c) => ({ text, x: 72 + 150 * c, y: 700 - 20 * r })));
    const { text } = await read(makePdf([{ items }]));
    expect(text).toContain("Ann\t31\tParis");
  });

  for (const angle of [90, 180, 270]) {
    test(`reads text that runs at ${angle} degrees in its own direction`, async () => {
      const radians = (angle * Math.PI) / 180;
      const items = ["first line of rotated text", "second line of rotated text"].map((text, i) => ({
        text,
        x: 300 + Math.round(12 * i * Math.sin(radians)),
        y: 400 - Math.round(12 * i * Math.cos(radians)),
        angle,
      }));
      const { text } = await read(makePdf([{ items, rotate: angle }]));
      expect(text).toBe("first line of rotated text second line of rotated text");
    });
  }

  test("joins words that are hyphenated across lines, and keeps hyphens that belong", async () => {
    const items = linesAt(
      ["Everything about the experi-", "ment and the well-", "known method: a well-known thing."],
      72,
      700,
    );
    const { text } = await read(makePdf([{ items }]));
    expect(text).toBe("Everything about the experiment and the well-known method: a well-known thing.");
  });

  test("keeps a running header once and page numbers not at all", async () => {
    const pages = Array.from({ length: 6 }, (_, i) => ({
      items: [
        { text: "Annual Report of the Society", x: 72, y: 770 },
        ...linesAt(
          [`Text of page ${"abcdef"[i]} begins here`, "and it ends here.", "A third line.", "A fourth one."],
          72,
          700,
        ),
        { text: `Page ${i + 1}`, x: 300, y: 20 },
        { text: String(i + 1), x: 500, y: 20 },
      ],
    }));
    const { text, pages: spans } = await read(makePdf(pages));
    expect(text.match(/Annual Report/g)).toHaveLength(1);
    expect(text.match(/^\d$/gm)).toBeNull();
    expect(spans).toHaveLength(6);
    expect(text.slice(spans![3]!.start, spans![3]!.end)).toContain("Text of page d");
  });

  test("takes larger text as headings, the first as title, and info as metadata", async () => {
    const items = [
      { text: "The Great Title", x: 72, y: 740, size: 24, bold: true },
      ...linesAt(
        ["Some running text of ordinary size that is long enough to be", "the body of the document."],
        72,
        700,
      ),
      { text: "1. Methods", x: 72, y: 650, size: 14, bold: true },
      ...linesAt(["More running text of ordinary size follows below the heading", "and ends."], 72, 630),
    ];
    const document = await read(makePdf([{ items }], { Author: "Ada", CreationDate: "D:20240506070809+02'00'" }));
    expect(document.title).toBe("The Great Title");
    expect(document.headings.map(({ level, text }) => [level, text])).toEqual([
      [1, "The Great Title"],
      [2, "1. Methods"],
    ]);
    expect(document.metadata).toEqual({ author: "Ada", created: "2024-05-06T05:08:09.000Z", pages: 1 });
  });

  test("says that a scan needs OCR", async () => {
    expect(
      await failure(
        makePdf([
          { items: [], image: true },
          { items: [], image: true },
        ]),
      ),
    ).toBe(
      "invalid_file: No text could be extracted: the PDF has 2 pages and holds only images. It seems to be a scan, which needs OCR before it can be searched.",
    );
  });

  test("names pages without text", async () => {
    const document = await read(makePdf([{ items: linesAt(["Text here."], 72, 700) }, { items: [] }]));
    expect(document.warnings).toEqual(["Page 2 holds no text; scanned pages need OCR."]);
  });

  test("refuses what is damaged in plain words", async () => {
    expect(await failure(Buffer.from("%PDF-1.7\nnothing of a PDF follows"))).toBe(
      "invalid_file: The PDF is damaged and cannot be opened.",
    );
  });
});

test("pdfDate reads the dates of PDF in any length", () => {
  const cases: [string, string | null][] = [
    ["D:20070915110237Z", "2007-09-15T11:02:37.000Z"],
    ["D:20070915110237+02'00'", "2007-09-15T09:02:37.000Z"],
    ["D:2007", "2007-01-01T00:00:00.000Z"],
    ["yesterday", null],
  ];
  for (const [value, expected] of cases) expect(pdfDate(value)).toBe(expected);
});
