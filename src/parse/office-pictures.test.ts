import { describe, expect, test } from "bun:test";

import { makeDocx, makePptx } from "../../test/fixtures/parse/make-office.ts";
import { SCAN_PNG } from "../../test/fixtures/parse/scan.ts";
import type { RecognizedPage } from "./ocr.ts";
import { pageOfScan, parseDocument } from "./parse.ts";

const LETTERHEAD = "<w:p><w:r><w:t>Scanned 2024</w:t></w:r></w:p>";
const drawn = (id: string) =>
  `<w:p><w:r><w:drawing><a:blip xmlns:a="a" xmlns:r="r" r:embed="${id}"/></w:drawing></w:r></w:p>`;
const scans = (before = "") =>
  makeDocx(
    `${before}${drawn("rId8")}${drawn("rId9")}${drawn("rId7")}`,
    { "media/image1.png": SCAN_PNG, "media/image2.png": SCAN_PNG, "media/logo.png": logo() },
    { rId7: ["image", "media/image1.png"], rId8: ["image", "media/image2.png"], rId9: ["image", "media/logo.png"] },
  );

/** A picture that says it is small. */
function logo(): Uint8Array {
  const bytes = new Uint8Array(SCAN_PNG);
  new DataView(bytes.buffer).setUint32(16, 64);
  return bytes;
}

const shape = (text: string) => `<p:sp><p:txBody><a:p><a:r><a:t>${text}</a:t></a:r></a:p></p:txBody></p:sp>`;
const picture = `<p:pic xmlns:r="r"><p:blipFill><a:blip r:embed="rId1"/></p:blipFill></p:pic>`;
const slide = (shapes: string, hasPicture: boolean) => ({
  shapes: hasPicture ? shapes + picture : shapes,
  ...(hasPicture
    ? {
        rels: { rId1: ["image", "../media/page.png"] satisfies [string, string] },
        parts: { "ppt/media/page.png": SCAN_PNG },
      }
    : {}),
});
const LONG = "A slide with so many words that no one needs to look at its picture.";
const TALK = makePptx([
  slide("", true),
  slide(shape(LONG), true),
  slide(shape("Map"), true),
  slide(shape("End"), false),
]);

const page = (number: number, ...paragraphs: string[]): RecognizedPage => ({
  number,
  outcome: "read",
  paragraphs,
  doubtful: false,
});

async function parse(bytes: Uint8Array, filename: string, recognized?: RecognizedPage[]) {
  return await parseDocument({ bytes, filename, contentType: null, recognized });
}

describe("a text document of pictures", () => {
  test("names its pictures in their order for OCR, without small ones", async () => {
    const result = await parse(scans(), "scan.docx");
    expect(result).toEqual({
      ok: false,
      error: {
        code: "invalid_file",
        message:
          "No text could be extracted: the document holds only images, which need OCR before they can be searched.",
      },
      scanned: [1, 2],
    });
    expect((await pageOfScan(scans(), 1))?.bytes).toEqual(SCAN_PNG);
    expect(await pageOfScan(scans(), 3)).toBeNull();
  });

  test("becomes pages of what was recognised, after its own few words", async () => {
    const result = await parse(scans(LETTERHEAD), "scan.docx", [page(1, "First page."), page(2, "Second", "page.")]);
    if (!result.ok) throw new Error(result.error.message);
    const { text, pages, warnings, kind, title } = result.document;
    expect(text).toBe("Scanned 2024\n\nFirst page.\n\nSecond\n\npage.");
    expect(pages?.map(({ number, start, end }) => [number, text.slice(start, end)])).toEqual([
      [1, "First page."],
      [2, "Second\n\npage."],
    ]);
    expect(warnings).toEqual(["Pages 1, 2 were recognised by OCR, which misreads some words."]);
    expect([kind, title]).toEqual(["docx", "A report"]);
  });

  test("says that OCR found no words", async () => {
    const result = await parse(scans(), "scan.docx", [page(1), page(2)]);
    expect(result.ok ? "" : result.error.message).toBe(
      "No text could be extracted: the document holds only images, in which OCR found no words.",
    );
  });

  test("of text with pictures is left alone", async () => {
    const words = `<w:p><w:r><w:t>${"Many words stand here. ".repeat(8)}</w:t></w:r></w:p>`;
    const result = await parse(scans(words), "report.docx");
    expect(result.ok && result.document.scanned).toEqual([]);
  });
});

describe("slides of pictures", () => {
  test("are named by their numbers; slides with text are not", async () => {
    const result = await parse(TALK, "talk.pptx");
    expect(result.ok && result.document.scanned).toEqual([1, 3]);
    expect((await pageOfScan(TALK, 3))?.bytes).toEqual(SCAN_PNG);
    expect(await pageOfScan(TALK, 2)).toBeNull();
  });

  test("hold what was recognised at their places", async () => {
    const result = await parse(TALK, "talk.pptx", [page(1, "One."), page(3, "Three.", "More.")]);
    if (!result.ok) throw new Error(result.error.message);
    const { text, pages } = result.document;
    expect(pages?.map(({ number, start, end }) => [number, text.slice(start, end)])).toEqual([
      [1, "One."],
      [2, LONG],
      [3, "Map\n\nThree.\n\nMore."],
      [4, "End"],
    ]);
    expect(text).toBe(`One.\n\n${LONG}\n\nMap\n\nThree.\n\nMore.\n\nEnd`);
  });

  test("of which none was read keep the text that there is", async () => {
    const result = await parse(TALK, "talk.pptx", [{ number: 1, outcome: "failed" }, page(3)]);
    expect(result.ok && [result.document.warnings, result.document.scanned]).toEqual([
      ["Page 1 could not be recognised by OCR."],
      [1],
    ]);
  });
});
