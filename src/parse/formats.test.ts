import { describe, expect, test } from "bun:test";

import { makeDocx, makeEpub, makeOdf, makePptx, makeXlsx, makeZip } from "../../test/fixtures/parse/make-office.ts";
import { biff, f64, makeOle, u16, u32, utf16 } from "../../test/fixtures/parse/make-ole.ts";
import type { ParsedDocument } from "./document.ts";
import { parseDocument } from "./parse.ts";

async function read(
  content: Uint8Array | string,
  filename: string,
  contentType: string | null = null,
): Promise<ParsedDocument> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const result = await parseDocument({ bytes, filename, contentType });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

async function failure(content: Uint8Array | string, filename: string): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const result = await parseDocument({ bytes, filename, contentType: null });
  return result.ok ? "read" : `${result.error.code}: ${result.error.message}`;
}

function paths(document: ParsedDocument): [number, string][] {
  return document.headings.map(({ level, text }) => [level, text]);
}

/** Text of each page. */
function pages(document: ParsedDocument): string[] {
  return (document.pages ?? []).map(({ start, end }) => document.text.slice(start, end));
}

describe("Word", () => {
  const styles = `<w:styles xmlns:w="w"><w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="Mine"><w:basedOn w:val="H1"/></w:style></w:styles>`;

  test("reads headings by style, also inherited, lists, tables and metadata", async () => {
    const document = await read(
      makeDocx(
        `<w:p><w:pPr><w:pStyle w:val="Mine"/></w:pPr><w:r><w:t>Results</w:t></w:r></w:p><w:p><w:r><w:t xml:space="preserve">We </w:t></w:r><w:r><w:t>found</w:t><w:tab/><w:t>it.</w:t></w:r></w:p>` +
          `<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>one</w:t></w:r></w:p>` +
          `<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Name</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Age</w:t></w:r></w:p></w:tc></w:tr>` +
          `<w:tr><w:tc><w:p><w:r><w:t>Ann</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>31</w:t></w:r></w:p></w:tc></w:tr></w:tbl>`,
        { "styles.xml": styles },
        { s: ["styles", "styles.xml"] },
      ),
      "a.docx",
    );
    expect(document.text).toBe("Results\n\nWe found\tit.\n- one\n\nName | Age\nAnn | 31");
    expect(paths(document)).toEqual([[1, "Results"]]);
    expect(document.regions.map(({ header }) => header)).toEqual(["Name | Age"]);
    expect(document).toMatchObject({
      kind: "docx",
      title: "A report",
      metadata: { author: "Ada", created: "2024-05-06T07:08:09.000Z" },
    });
  });

  test("takes tracked changes as accepted", async () => {
    const body =
      `<w:p><w:r><w:t>The </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>` +
      `<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:r><w:t> text</w:t></w:r></w:p>`;
    expect((await read(makeDocx(body), "a.docx")).text).toBe("The new text");
  });

  test("puts footnotes and comments where they belong", async () => {
    const document = await read(
      makeDocx(
        `<w:p><w:r><w:t>Claim</w:t><w:footnoteReference w:id="2"/><w:commentReference w:id="0"/></w:r></w:p><w:p><w:r><w:t>Next</w:t></w:r></w:p>`,
        {
          "footnotes.xml": `<w:footnotes xmlns:w="w"><w:footnote w:id="2"><w:p><w:r><w:t>Source</w:t></w:r></w:p></w:footnote></w:footnotes>`,
          "comments.xml": `<w:comments xmlns:w="w"><w:comment w:id="0" w:author="Bob"><w:p><w:r><w:t>Really?</w:t></w:r></w:p></w:comment></w:comments>`,
        },
        { f: ["footnotes", "footnotes.xml"], c: ["comments", "comments.xml"] },
      ),
      "a.docx",
    );
    expect(document.text).toBe("Claim\n[Footnote: Source]\n[Comment by Bob: Really?]\n\nNext");
  });

  test("reads a text box once, and no field instructions", async () => {
    const box = `<w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></w:txbxContent>`;
    const body = `<w:p><w:r><mc:AlternateContent><mc:Choice>${box}</mc:Choice><mc:Fallback>${box}</mc:Fallback></mc:AlternateContent><w:instrText>PAGE</w:instrText><w:t>Beside</w:t></w:r></w:p>`;
    expect((await read(makeDocx(body), "a.docx")).text).toBe("Boxed\n\nBeside");
  });

  test("is known by its content whatever it is called", async () => {
    const bytes = makeDocx(`<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`);
    for (const name of ["a.pdf", "a.txt", "a", "a.zip"]) expect((await read(bytes, name)).kind).toBe("docx");
  });

  test("says that a document without text has none", async () => {
    expect(await failure(makeDocx("<w:p/>"), "a.docx")).toBe(
      "invalid_file: No text could be extracted: the document holds no text.",
    );
  });

  test("says that an encrypted one needs a password", async () => {
    const bytes = makeOle({ EncryptionInfo: new Uint8Array(10), EncryptedPackage: new Uint8Array(600) });
    expect(await failure(bytes, "a.docx")).toBe(
      "invalid_file: The document is encrypted and needs a password to open. Upload a copy without a password.",
    );
  });
});

describe("presentations", () => {
  const shape = (kind: string, ...lines: string[]): string =>
    `<p:sp><p:nvSpPr><p:nvPr>${kind === "" ? "" : `<p:ph type="${kind}"/>`}</p:nvPr></p:nvSpPr><p:txBody>${lines.map((line) => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`).join("")}</p:txBody></p:sp>`;

  test("give a page a slide with title, text, table, notes and comments", async () => {
    const document = await read(
      makePptx([
        {
          shapes: shape("body", "first point", "second point") + shape("title", "Opening") + shape("sldNum", "1"),
          rels: { n: ["notesSlide", "../notesSlides/notes1.xml"], c: ["comments", "../comments/c1.xml"] },
          parts: {
            "ppt/notesSlides/notes1.xml": `<p:notes xmlns:p="p" xmlns:a="a">${shape("body", "say hello")}</p:notes>`,
            "ppt/comments/c1.xml": `<p:cmLst xmlns:p="p"><p:cm authorId="0"><p:text>nice</p:text></p:cm></p:cmLst>`,
          },
        },
        {
          shapes: `<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>k</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>v</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`,
        },
      ]),
      "a.pptx",
    );
    expect(pages(document)).toEqual([
      "Opening\n\nfirst point\nsecond point\n\nNotes: say hello\n[Comment: nice]",
      "k | v",
    ]);
    expect(paths(document)).toEqual([[1, "Opening"]]);
  });

  test("of OpenDocument give a page a slide", async () => {
    const page = (title: string, note: string): string =>
      `<draw:page><draw:frame><draw:text-box><text:p>${title}</text:p></draw:text-box></draw:frame><presentation:notes xmlns:presentation="p"><text:p>${note}</text:p></presentation:notes></draw:page>`;
    const document = await read(makeOdf("presentation", page("One", "loud") + page("Two", "")), "a.odp");
    expect(pages(document)).toEqual(["One\n\nNotes: loud", "Two"]);
  });
});

describe("spreadsheets", () => {
  test("of Excel give a page a sheet, rows under their header, dates as dates", async () => {
    const rows =
      `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t>Note</t></is></c></row>` +
      `<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" s="1"><v>45418.5</v></c><c r="C2"><v>0.1</v></c><c r="D2" t="b"><v>1</v></c><c r="E2" t="str"><f>A2</f><v>calc</v></c></row>`;
    const styles = `<cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>`;
    const document = await read(
      makeXlsx(
        [
          { name: "People", rows },
          { name: "Empty", rows: "" },
        ],
        ["Name", "Since", "Ann"],
        styles,
      ),
      "a.xlsx",
    );
    expect(pages(document)).toEqual([
      "People\n\nName | Since | | Note\nAnn | 2024-05-06 12:00:00 | 0.1 | TRUE | calc",
      "Empty",
    ]);
    expect(document.regions).toHaveLength(1);
    expect(document.regions[0]!.header).toBe("Name | Since | | Note");
    expect(document.warnings).toEqual(['Sheet "Empty" is empty.']);
  });

  test("of Excel before 2007 are read with shared strings, packed numbers and dates", async () => {
    const text = (value: string): Uint8Array =>
      Buffer.concat([u16(value.length), Uint8Array.of(0), Buffer.from(value, "latin1")]);
    const bof = (type: number): Uint8Array => biff(0x809, u16(0x600), u16(type), new Uint8Array(12));
    const globals = (at: number): Uint8Array =>
      Buffer.concat([
        bof(5),
        biff(0xe0, u16(0), u16(0), new Uint8Array(16)),
        biff(0xe0, u16(0), u16(14), new Uint8Array(16)),
        biff(0x85, u32(at), [0, 0, 6, 0], Buffer.from("Sheet1")),
        biff(0xfc, u32(2), u32(2), text("Name"), text("Ann")),
        biff(0x0a),
      ]);
    const cell = (row: number, column: number, format = 0): Uint8Array =>
      Buffer.concat([u16(row), u16(column), u16(format)]);
    const sheet = Buffer.concat([
      bof(0x10),
      biff(0xfd, cell(0, 0), u32(0)),
      biff(0xfd, cell(1, 0), u32(1)),
      biff(0x27e, cell(1, 1), u32((31 << 2) | 2)),
      biff(0x203, cell(1, 2, 1), f64(45_418)),
      biff(0x06, cell(1, 3), f64(2.5), new Uint8Array(8)),
      biff(0x0a),
    ]);
    const book = Buffer.concat([globals(globals(0).length), sheet]);
    const document = await read(makeOle({ Workbook: book }), "a.xls");
    expect(document.kind).toBe("xls");
    expect(pages(document)).toEqual(["Sheet1\n\nName\nAnn | 31 | 2024-05-06 | 2.5"]);
    const locked = Buffer.concat([bof(5), biff(0x2f, new Uint8Array(6))]);
    expect(await failure(makeOle({ Workbook: locked }), "a.xls")).toContain("needs a password");
  });

  test("of OpenDocument repeat cells within reason", async () => {
    const cell = (value: string, repeat = 1): string =>
      `<table:table-cell table:number-columns-repeated="${repeat}"><text:p>${value}</text:p></table:table-cell>`;
    const rows = `<table:table-row>${cell("a")}${cell("", 2)}${cell("b")}</table:table-row><table:table-row table:number-rows-repeated="1000000">${cell("", 16_384)}</table:table-row><table:table-row>${cell("1", 2)}</table:table-row>`;
    const document = await read(makeOdf("spreadsheet", `<table:table table:name="S">${rows}</table:table>`), "a.ods");
    expect(pages(document)).toEqual(["S\n\na | | | b\n1 | 1"]);
  });
});

test("OpenDocument text has headings, lists, notes, comments and no deleted text", async () => {
  const document = await read(
    makeOdf(
      "text",
      `<text:tracked-changes><text:deletion><text:p>deleted</text:p></text:deletion></text:tracked-changes><text:h text:outline-level="2">Part</text:h>` +
        `<text:p>One<text:s text:c="2"/>two<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>see there</text:p></text:note-body></text:note>` +
        `<office:annotation><dc:creator xmlns:dc="d">Bob</dc:creator><text:p>hm</text:p></office:annotation>.</text:p><text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>` +
        `<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>`,
    ),
    "a.odt",
  );
  expect(document.text).toBe("Part\n\nOne  two.\n[Footnote: see there]\n[Comment by Bob: hm]\n- item\n\na | b");
  expect(paths(document)).toEqual([[2, "Part"]]);
  expect(document.title).toBe("Plan");
});

test("an EPUB is read in the order of its spine", async () => {
  const document = await read(makeEpub(["<h1>Last</h1><p>end</p>", "<h1>First</h1><p>start</p>"]), "a.epub");
  expect(document.text).toBe("First\n\nstart\n\nLast\n\nend");
  expect(document).toMatchObject({ title: "The Book", metadata: { author: "Ada" } });
});

describe("RTF", () => {
  const rtf = (body: string): string =>
    `{\\rtf1\\ansi\\ansicpg1252\\uc1{\\fonttbl{\\f0\\fcharset0 Arial;}{\\f1\\fcharset204 Arial Cyr;}{\\f2\\fcharset128 MS Mincho;}}{\\stylesheet{\\s1 heading 1;}}{\\info{\\title A title}{\\author Ada}}${body}}`;
  const cases: [name: string, body: string, text: string][] = [
    [
      "text in the code page of its font",
      "\\f0 caf\\'e9 \\f1\\'cf\\'f0\\'e8\\'e2\\'e5\\'f2 \\f2\\'93\\'fa\\'96\\'7b\\par",
      "café Привет 日本",
    ],
    ["Unicode with its fallback skipped", "\\u8364?\\uc2\\u-10179??\\u-8704?? {\\uc0\\u937}", "€😀 Ω"],
    ["two-byte characters whose second byte is plain", "\\f2\\'83A\\par", "ア"],
    [
      "words after a mark for optional parts in mid-group",
      "{\\b0\\*\\cs7\\cf0 The words}{\\*\\other not these}",
      "The words",
    ],
    [
      "tables as rows",
      "\\trowd\\intbl a\\cell b\\cell\\row\\trowd\\intbl c\\cell d\\cell\\row\\pard after\\par",
      "a | b\nc | d\n\nafter",
    ],
    [
      "footnotes and comments marked",
      "text{\\footnote see there}{\\*\\atnauthor Bob}{\\*\\annotation why}\\par next\\par",
      "text\n[Footnote: see there]\n[Comment by Bob: why]\n\nnext",
    ],
    [
      "no pictures, instructions, hidden or deleted text",
      "{\\pict ffd8ff}{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt link}} {\\v secret}{\\deleted gone}shown\\par",
      "link shown",
    ],
    ["special characters", "a\\~b\\emdash c\\{d\\}\\line e", "a\u00a0b—c{d}\ne"],
  ];
  for (const [name, body, text] of cases) {
    test(`reads ${name}`, async () => {
      expect((await read(rtf(body), "a.rtf")).text).toBe(text);
    });
  }

  test("has headings by style, title and author", async () => {
    const document = await read(rtf("{\\pard\\s1 Heading\\par}\\pard Body\\par"), "a");
    expect(paths(document)).toEqual([[1, "Heading"]]);
    expect(document).toMatchObject({ kind: "rtf", title: "A title", metadata: { author: "Ada" } });
  });
});

describe("mail", () => {
  const head =
    "From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\nTo: b@example.org\r\nDate: Mon, 06 May 2024 07:08:09 +0200\r\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n =?iso-8859-1?Q?_dir?=\r\nMIME-Version: 1.0\r\n";

  test("has its head decoded and the plain text of the alternatives", async () => {
    const document = await read(
      `${head}Content-Type: multipart/alternative; boundary="b"\r\n\r\nignored\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne Gr=FC=DFe aus dem =\r\nUrlaub.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>not this</p>\r\n--b--\r\n`,
      "a.eml",
    );
    expect(document.text).toBe(
      "Grüße dir\n\nFrom: Jürgen <j@example.org>\nTo: b@example.org\nDate: Mon, 06 May 2024 07:08:09 +0200\n\nSchöne Grüße aus dem Urlaub.",
    );
    expect(document).toMatchObject({
      kind: "eml",
      title: "Grüße dir",
      metadata: { created: "2024-05-06T05:08:09.000Z", author: "Jürgen <j@example.org>" },
    });
  });

  test("has the text of its attachments, one level deep", async () => {
    const inner = Buffer.from(makeDocx("<w:p><w:r><w:t>attached words</w:t></w:r></w:p>")).toString("base64");
    const part = (name: string, data: string): string =>
      `--b\r\nContent-Type: application/octet-stream; name="${name}"\r\nContent-Disposition: attachment; filename*=utf-8''${encodeURIComponent(name)}\r\nContent-Transfer-Encoding: base64\r\n\r\n${data}\r\n`;
    const document = await read(
      `${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee attached.\r\n${part("bericht ü.docx", inner)}${part("x.bin", "AAECAwQFBgcICQ==")}--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--`,
      "message",
    );
    expect(document.text).toContain("See attached.\n\nAttachment: bericht ü.docx\n\nattached words");
    expect(document.text).toContain("[Attachment: x.bin]");
    expect(document.text).toContain("inner\n\ninner text");
    expect(paths(document)).toEqual([
      [1, "Grüße dir"],
      [2, "Attachment: bericht ü.docx"],
      [2, "inner"],
    ]);
  });

  test("of a mailbox comes message by message", async () => {
    const message = (n: number): string =>
      `From a@b Mon May  6 07:08:0${n} 2024\nFrom: a@b\nSubject: m${n}\n\nbody ${n}\n\n`;
    const document = await read(message(1) + message(2), "a.mbox");
    expect(paths(document)).toEqual([
      [1, "m1"],
      [1, "m2"],
    ]);
  });

  test("of a web archive is the page alone", async () => {
    const document = await read(
      `From: <Saved by Blink>\r\nSnapshot-Content-Location: http://localhost/\r\nSubject: Page\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"; type="text/html"\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<title>T</title><h1>Hello</h1><p>caf=C3=A9</p>\r\n--b\r\nContent-Type: text/css\r\n\r\np{}\r\n--b--`,
      "a.mhtml",
    );
    expect(document).toMatchObject({ kind: "mhtml", text: "Hello\n\ncafé", title: "T" });
  });

  test("of Outlook has subject, people and body", async () => {
    const properties = Buffer.concat([
      new Uint8Array(32),
      u16(0x40),
      u16(0x39),
      u32(0),
      u32(0x00dd_8000),
      u32(0x01da_9f78),
    ]);
    const bytes = makeOle({
      "__properties_version1.0": properties,
      "__substg1.0_0037001F": utf16("Plan"),
      "__substg1.0_1000001F": utf16("Let us meet.\r\nBye"),
      "__substg1.0_0C1A001F": utf16("Ann"),
      "__substg1.0_0E04001E": Buffer.from("Bob"),
    });
    const document = await read(bytes, "a.msg");
    expect(document.text).toMatch(/^Plan\n\nFrom: Ann\nTo: Bob\nDate: 2024-05-\S+\n\nLet us meet\.\nBye$/);
    expect(document).toMatchObject({ kind: "msg", title: "Plan", metadata: { author: "Ann" } });
  });
});

describe("archives", () => {
  test("give each document as a section and name what was not read", async () => {
    const document = await read(
      makeZip({
        "b/notes.txt": "some notes",
        "a.md": "# Title\n\ntext",
        "pic.png": Uint8Array.of(0x89, 0x50, 0, 1, 2, 3, 4, 5),
        "__MACOSX/x": "y",
      }),
      "a.zip",
    );
    expect(document.text).toBe("a.md\n\n# Title\n\ntext\n\nb/notes.txt\n\nsome notes");
    expect(paths(document)).toEqual([
      [1, "a.md"],
      [2, "Title"],
      [1, "b/notes.txt"],
    ]);
    expect(document.warnings).toEqual(["Not read from the archive: pic.png."]);
  });

  test("inside an archive stay closed", async () => {
    const inner = makeZip({ "deep.txt": "deep" });
    const document = await read(makeZip({ "in.zip": inner, "a.txt": "words" }), "a.zip");
    expect(document.text).toBe("a.txt\n\nwords");
    expect(await failure(makeZip({ "in.zip": inner }), "a.zip")).toBe(
      "unsupported_file: The file type is not supported.",
    );
  });
});
