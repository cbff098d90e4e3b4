import { expect, test } from "bun:test";

import { decodeDocument, encodeDocument } from "./codec.ts";
import type { ParsedDocument } from "./document.ts";

const DOCUMENT: ParsedDocument = {
  text: "Übel\n\nName | Age\n😀 | 3",
  pages: [
    { number: 1, start: 0, end: 4 },
    { number: 2, start: 6, end: 23 },
  ],
  headings: [{ level: 1, text: "Übel", start: 0 }],
  breaks: { offsets: Uint32Array.of(0, 6, 70_000, 4_000_000_000), ranks: Uint8Array.of(5, 2, 2, 4) },
  regions: [
    { start: 6, end: 23, header: "Name | Age" },
    { start: 23, end: 24, header: null },
  ],
  kind: "docx",
  title: null,
  metadata: { author: "Ada", pages: 2, draft: true },
  warnings: ["Page 2 holds no text."],
  scanned: [],
};

test("a document comes back from its bytes as it was", () => {
  expect(decodeDocument(encodeDocument(DOCUMENT))).toEqual(DOCUMENT);
});

test("bytes stand alone: another document encoded before or after changes nothing", () => {
  const other: ParsedDocument = {
    ...DOCUMENT,
    pages: null,
    title: "T",
    headings: [],
    breaks: { offsets: new Uint32Array(), ranks: new Uint8Array() },
  };
  const bytes = encodeDocument(DOCUMENT);
  expect(decodeDocument(encodeDocument(other))).toEqual(other);
  expect(encodeDocument(DOCUMENT)).toEqual(bytes);
  expect(decodeDocument(Uint8Array.from(bytes))).toEqual(DOCUMENT);
});
