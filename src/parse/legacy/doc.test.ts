import { expect, test } from "bun:test";

import { makeOle, u16, u32 } from "../../../test/fixtures/parse/make-ole.ts";
import { textOf } from "../../../test/fixtures/parse/read.ts";

/** Lengths of a document's stories, in the order in which their texts follow each other. */
const STORIES = {
  body: 0x4c,
  footnotes: 0x50,
  headers: 0x54,
  macros: 0x58,
  comments: 0x5c,
  endnotes: 0x60,
  boxes: 0x64,
  headerBoxes: 0x68,
};

/** A Word 97 document of one piece. */
function makeDoc(stories: Partial<Record<keyof typeof STORIES, string>>): Uint8Array {
  const text = Object.keys(STORIES)
    .map((name) => stories[name as keyof typeof STORIES] ?? "")
    .join("");
  const main = Buffer.alloc(0x400 + 2 * text.length);
  main.writeUInt16LE(0xa5ec, 0);
  main.writeUInt16LE(0xc1, 2);
  for (const [name, at] of Object.entries(STORIES))
    main.writeUInt32LE((stories[name as keyof typeof STORIES] ?? "").length, at);
  main.write(text, 0x400, "utf16le");
  const pieces = Buffer.concat([Uint8Array.of(2), u32(16), u32(0), u32(text.length), u16(0), u32(0x400), u16(0)]);
  main.writeUInt32LE(0, 0x1a2);
  main.writeUInt32LE(pieces.length, 0x1a6);
  return makeOle({ WordDocument: main, "0Table": pieces });
}

const field = (instruction: string, result: string | null = null): string =>
  `\x13${instruction}${result === null ? "" : `\x14${result}`}\x15`;

test("old Word keeps the words under phonetic guides, and leaves the guides out", async () => {
  const guide = (reading: string, base: string): string =>
    field(` EQ \\* jc2 \\* "Font:X" \\* hps10 \\o\\ad(\\s\\up 9(${reading}),${base})`);
  expect(await textOf(makeDoc({ body: `${guide("とうきょう", "東京")}都、${guide("かん", "漢")}字\r` }), "a.doc")).toBe(
    "東京都、漢字",
  );
});

test("old Word shows the results of other fields, signs once, and nothing of their instructions", async () => {
  const body = `see ${field("HYPERLINK x", "link")}, 5 ${field("SYMBOL 109 \\f Symbol", "m")}m, ${field("PAGE")}${field(`IF ${field("PAGE", "3")} = 3`, "yes")}\r`;
  expect(await textOf(makeDoc({ body }), "a.doc")).toBe("see link, 5 μm, yes");
});

test("old Word has the text of boxes, also of those in headers", async () => {
  const document = makeDoc({
    body: "Body\r",
    footnotes: "Note\r",
    headers: "Head\r",
    comments: "Hm\r",
    boxes: "Boxed\r",
    headerBoxes: "Boxed above\r",
  });
  expect(await textOf(document, "a.doc")).toBe("Body\n\nBoxed\n[Footnote: Note]\n[Comment: Hm]\n\nHead\n\nBoxed above");
});
