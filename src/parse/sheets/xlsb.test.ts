import { describe, expect, test } from "bun:test";

import { relations } from "../../../test/fixtures/parse/make-office.ts";
import type { XlsbBook } from "../../../test/fixtures/parse/make-xlsb.ts";
import { long, makeXlsb, place, real, record, wide } from "../../../test/fixtures/parse/make-xlsb.ts";
import { mutate } from "../../../test/fixtures/parse/mutate.ts";
import { seededRandom } from "../../../test/helpers/random.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";

async function read(book: XlsbBook): Promise<ParsedDocument> {
  const result = await parseDocument({ bytes: makeXlsb(book), filename: "a.xlsb", contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

const row = (number: number) => record(0, long(number), new Uint8Array(13));
const shared = (column: number, index: number) => record(7, place(column), long(index));
const text = (column: number, value: string) => record(6, place(column), wide(value));

describe("a binary workbook", () => {
  test("gives a page a sheet, with cells of every kind as they are shown", async () => {
    const records = [
      row(0),
      ...["Kind", "Value"].map((_, i) => shared(i, i)),
      row(1),
      text(0, "rk"),
      record(2, place(1), long((31 << 2) | 2)),
      row(2),
      text(0, "hundredths"),
      record(2, place(1), long((1250 << 2) | 3)),
      row(3),
      text(0, "real"),
      record(5, place(1, 1), real(0.125)),
      row(4),
      text(0, "formula"),
      record(9, place(1, 2), real(1.5), new Uint8Array(6)),
      row(5),
      text(0, "bool"),
      record(4, place(1), [1]),
      row(6),
      text(0, "formula bool"),
      record(10, place(1), [0], new Uint8Array(6)),
      row(7),
      text(0, "formula text"),
      record(8, place(1), wide("made"), new Uint8Array(6)),
      row(8),
      record(62, place(0), [0], wide("rich")),
      record(17, long(0), wide("short")),
      record(3, place(3), [0x2a]),
    ];
    const document = await read({
      sheets: [
        { name: "One", records },
        { name: "Two", records: [row(0), text(0, "x")] },
      ],
      strings: ["Kind", "Value"],
      formats: ["", "0.0%", "[h]:mm"],
    });
    expect(document.kind).toBe("xlsb");
    expect(document.text).toBe(
      "One\n\nKind | Value\nrk | 31\nhundredths | 12.5\nreal | 12.5%\nformula | 36:00\nbool | TRUE\nformula bool | FALSE\n" +
        "formula text | made\nrich | short | | #N/A\n\nTwo\n\nx",
    );
    expect(document.pages?.map(({ number }) => number)).toEqual([1, 2]);
  });
});

describe("a sheet of a binary workbook", () => {
  test("says merged cells in each row", async () => {
    const merged = record(176, long(1), long(2), long(0), long(0));
    const lines = [
      ["Region", "Units"],
      ["EU", "5"],
      [null, "6"],
    ];
    const records = lines.flatMap((cells, i) => [
      row(i),
      ...cells.flatMap((cell, k) => (cell === null ? [] : [text(k, cell)])),
    ]);
    expect((await read({ sheets: [{ name: "S", records: [...records, merged] }] })).text).toBe(
      "S\n\nRegion | Units\nEU | 5\nEU | 6",
    );
  });

  test("counts days from 1904 where it says so", async () => {
    const records = [row(0), record(5, place(0), real(0))];
    expect((await read({ sheets: [{ name: "S", records }], formats: ["yyyy-mm-dd"], epoch1904: true })).text).toBe(
      "S\n\n1904-01-01",
    );
  });

  test("has printed headers, comments and text boxes", async () => {
    const none = long(0xffffffff);
    const records = [row(0), text(0, "x"), record(479, [0, 0], wide("&LContract &P"), none, none, none, none, none)];
    const comments = Buffer.concat([
      record(632, wide("Ann")),
      record(635, long(0), new Uint8Array(32)),
      record(637, [0], wide("Please check")),
    ]);
    const drawing = `<xdr:wsDr><xdr:sp><xdr:txBody><a:p><a:r><a:t>In a box</a:t></a:r></a:p></xdr:txBody></xdr:sp></xdr:wsDr>`;
    const parts = {
      "xl/worksheets/_rels/sheet1.bin.rels": relations({
        c: ["comments", "../comments1.bin"],
        d: ["drawing", "../drawings/drawing1.xml"],
      }),
      "xl/comments1.bin": comments,
      "xl/drawings/drawing1.xml": drawing,
    };
    expect((await read({ sheets: [{ name: "S", records }], parts })).text).toBe(
      "S\n\nx\n\n[Comment: Please check]\n\nIn a box\n\nContract",
    );
  });

  test("that is cut off is read as far as it goes", async () => {
    const records = [row(0), text(0, "whole"), text(1, "cut off").subarray(0, 12)];
    expect((await read({ sheets: [{ name: "S", records }] })).text).toBe("S\n\nwhole");
  });

  test("whose lengths lie is read without them", async () => {
    const records = [row(0), text(0, "x"), record(6, place(1), long(0x7fffffff)), record(7, place(2), long(99))];
    expect((await read({ sheets: [{ name: "S", records }] })).text).toBe("S\n\nx");
  });

  test("that is damaged comes to an answer", async () => {
    const cells = ["a", "b"].map((value, i) => text(i, value));
    const sample = makeXlsb({
      sheets: [{ name: "S", records: [row(0), ...cells, row(1), shared(0, 0)] }],
      strings: ["x"],
    });
    const random = seededRandom(7).below;
    for (let round = 0; round < 300; round++) {
      const result = await parseDocument({ bytes: mutate(sample, random), filename: "a.xlsb", contentType: null });
      if (!result.ok) expect(["invalid_file", "unsupported_file"]).toContain(result.error.code);
    }
  });
});
