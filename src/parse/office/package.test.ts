import { describe, expect, test } from "bun:test";
import { unzipSync } from "fflate";

import { makeDocx, makeEpub, makeOdf, makePptx, makeXlsx, makeZip } from "../../../test/fixtures/parse/make-office.ts";
import type { ParseResult } from "../document.ts";
import { parseDocument } from "../parse.ts";

const parse = async (bytes: Uint8Array, filename: string): Promise<ParseResult> =>
  await parseDocument({ bytes, filename, contentType: null });

async function textOf(bytes: Uint8Array, filename: string): Promise<string> {
  const result = await parse(bytes, filename);
  return result.ok ? result.document.text : result.error.message;
}

/** The same package with the names of its members, or what they hold, changed. */
function changed(
  bytes: Uint8Array,
  rename: (name: string) => string,
  rewrite: (name: string, text: string) => string = (_, text) => text,
): Uint8Array {
  return makeZip(
    Object.fromEntries(
      Object.entries(unzipSync(bytes)).map(([name, part]) => [
        rename(name),
        rewrite(name, new TextDecoder().decode(part)),
      ]),
    ),
  );
}

const word = makeDocx("<w:p><w:r><w:t>words</w:t></w:r></w:p>");
const slides = makePptx([{ shapes: "<p:sp><p:txBody><a:p><a:r><a:t>words</a:t></a:r></a:p></p:txBody></p:sp>" }]);
const sheet = makeXlsx([{ name: "S", rows: `<row><c t="s"><v>0</v></c></row>` }], ["words"]);
const KINDS: [filename: string, bytes: Uint8Array, text: string][] = [
  ["a.docx", word, "words"],
  ["a.pptx", slides, "words"],
  ["a.xlsx", sheet, "S\n\nwords"],
];

describe("names of the parts of a package", () => {
  const RENAMES: [how: string, rename: (name: string) => string][] = [
    ["in capitals", (name) => name.toUpperCase()],
    ["in small letters", (name) => name.toLowerCase()],
    ["with a capital first", (name) => name.replace(/(^|\/)(\w)/g, (_, slash, letter) => slash + letter.toUpperCase())],
    ["with a slash at the front", (name) => `/${name}`],
    ["with backslashes", (name) => name.replaceAll("/", "\\")],
  ];
  for (const [filename, bytes, text] of KINDS) {
    test.each(RENAMES)(`of ${filename} may be written %s`, async (_how, rename) => {
      expect(await textOf(changed(bytes, rename), filename)).toBe(text);
    });
  }

  test("may be escaped", async () => {
    const rename = (name: string) => name.replace("sharedStrings.xml", "shared strings.xml");
    const rewrite = (_: string, part: string) => part.replace("sharedStrings.xml", "shared%20strings.xml");
    expect(await textOf(changed(sheet, rename, rewrite), "a.xlsx")).toBe("S\n\nwords");
  });

  test("of books and OpenDocument files are exact where both are there", async () => {
    const made = { ...unzipSync(makeOdf("text", "<text:p>right</text:p>")), "Content.xml": "<text:p>wrong</text:p>" };
    expect(await textOf(makeZip(made), "a.odt")).toBe("right");
  });

  test("of books and OpenDocument files are found without regard to case where they are missing", async () => {
    const odt = changed(makeOdf("text", "<text:p>words</text:p>"), (name) => name.replace("content", "Content"));
    expect(await textOf(odt, "a.odt")).toBe("words");
    const book = changed(makeEpub(["<p>words</p>"]), (name) => name.replace("OPS/text", "OPS/Text"));
    expect(await textOf(book, "a.epub")).toBe("words");
  });

  test("of plain archives say nothing about other programs", async () => {
    expect(await textOf(makeZip({ "Index.xml": "<a>words</a>" }), "a.zip")).toContain("words");
  });
});

describe("document types in the parts of a package", () => {
  const DOCTYPE = `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY f "expanded">]>`;
  const declared = (_: string, part: string) =>
    `<?xml version="1.0"?>${DOCTYPE}${part.replace(/^<\?xml[^>]*\?>/, "").replace(">words<", ">words &amp; &e;&f;<")}`;

  test.each(KINDS)("are passed over, and no entity is expanded: %s", async (filename, bytes, text) => {
    expect(
      await textOf(
        changed(bytes, (name) => name, declared),
        filename,
      ),
    ).toBe(`${text} & &e;&f;`);
  });
});

describe("damaged packages", () => {
  test.each(KINDS)(
    "without their first relations are known by their content types: %s",
    async (filename, bytes, text) => {
      const damaged = changed(
        bytes,
        (name) => name,
        (name, part) => (name === "_rels/.rels" ? "CORRUPTED" : part),
      );
      expect(await textOf(damaged, filename)).toBe(text);
    },
  );

  test("without their main part say that they are damaged", async () => {
    const damaged = makeZip(
      Object.fromEntries(Object.entries(unzipSync(word)).filter(([name]) => name !== "word/document.xml")),
    );
    expect(await textOf(damaged, "a.docx")).toBe("The document is damaged: its main part is missing.");
  });
});
