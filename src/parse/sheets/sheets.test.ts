import { describe, expect, test } from "bun:test";
import { unzipSync } from "fflate";

import { makeXlsx, makeZip, relations } from "../../../test/fixtures/parse/make-office.ts";
import { biff, makeOle, u16 } from "../../../test/fixtures/parse/make-ole.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";

async function read(content: Uint8Array | string, filename: string): Promise<ParsedDocument> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const result = await parseDocument({ bytes, filename, contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

const inline = (at: string, inner: string) => `<c r="${at}" t="inlineStr"><is>${inner}</is></c>`;
const text = (at: string, value: string) => inline(at, `<t>${value}</t>`);
const row = (number: number, ...cells: string[]) => `<row r="${number}">${cells.join("")}</row>`;

interface Extra {
  strings?: string[];
  styles?: string;
  /** Behind <sheetData>. */
  after?: string;
  rels?: Record<string, [type: string, target: string]>;
  parts?: Record<string, string>;
}

/** A workbook of one sheet "S". */
function workbook(
  rows: string,
  { strings = [], styles = "", after = "", rels = {}, parts = {} }: Extra = {},
): Uint8Array {
  const made = unzipSync(makeXlsx([{ name: "S", rows }], [], styles));
  return makeZip({
    ...made,
    "xl/sharedStrings.xml": `<sst>${strings.join("")}</sst>`,
    "xl/worksheets/sheet1.xml": `<worksheet><sheetData>${rows}</sheetData>${after}</worksheet>`,
    "xl/worksheets/_rels/sheet1.xml.rels": relations(rels),
    ...parts,
  });
}

const sheet = async (rows: string, extra: Extra = {}) => (await read(workbook(rows, extra), "a.xlsx")).text.slice(3);

describe("strings of a sheet", () => {
  const guided = `<r><t>大</t></r><r><t>阪</t></r><rPh sb="0" eb="2"><t>おおさか</t></rPh><phoneticPr/>`;
  test.each([
    ["leave out phonetic guides", row(1, inline("A1", guided)), "大阪"],
    ["leave them out of shared ones", row(1, `<c r="A1" t="s"><v>0</v></c>`), "大阪"],
    [
      "have the signs of symbol fonts",
      row(1, inline("A1", `<r><t>±</t></r><r><rPr><rFont val="Symbol"/></rPr><t>\uf0b1m</t></r><r><t>m</t></r>`)),
      "±±μm",
    ],
    ["decode escapes", row(1, text("A1", "one_x000D_\ntwo"), text("B1", "a_x000a_b")), "one two | a b"],
    ["decode escapes of shared ones", row(1, `<c r="A1" t="s"><v>1</v></c>`), "Grüße"],
    ["decode escapes of formulas", row(1, `<c r="A1" t="str"><f>B1</f><v>p_x0009_q</v></c>`), "p q"],
    ["keep what is escaped to look like an escape", row(1, text("A1", "under_x005F_x000D_score")), "under_x000D_score"],
    ["keep what only looks like an escape", row(1, text("A1", "file_x12_v2 _xyz_")), "file_x12_v2 _xyz_"],
  ])("%s", async (_name, rows, expected) => {
    expect(await sheet(rows, { strings: [`<si>${guided}</si>`, "<si><t>Gr_x00FC_ße</t></si>"] })).toBe(expected);
  });

  test("are shown as their format has them", async () => {
    const styles = `<numFmts><numFmt numFmtId="164" formatCode="&quot;Nr. &quot;@"/><numFmt numFmtId="165" formatCode=";;;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>`;
    const rows = row(
      1,
      `<c r="A1" s="1" t="str"><v>7b</v></c>`,
      `<c r="B1" s="2" t="str"><v>secret</v></c>`,
      text("C1", "x"),
    );
    expect(await sheet(rows, { styles })).toBe("Nr. 7b | | x");
  });
});

describe("numbers of a sheet", () => {
  test("are shown as their format has them", async () => {
    const codes = ["[h]:mm:ss", "00000", "0.0%", "&quot;KW &quot;00", "000\\-000", "# ?/?"];
    const styles = `<numFmts>${codes.map((code, i) => `<numFmt numFmtId="${164 + i}" formatCode="${code}"/>`).join("")}</numFmts><cellXfs><xf/>${codes.map((_, i) => `<xf numFmtId="${164 + i}"/>`).join("")}<xf numFmtId="46"/></cellXfs>`;
    const values = [1.5, 1234, 0.125, 7, 123_456, 1.5, 2.25];
    const cells = values.map((value, i) => `<c s="${i + 1}"><v>${value}</v></c>`);
    expect(await sheet(row(1, ...cells), { styles })).toBe(
      "36:00:00 | 01234 | 12.5% | KW 07 | 123-456 | 1 1/2 | 54:00:00",
    );
  });
});

describe("merged cells of a sheet", () => {
  const rows =
    row(1, text("A1", "Region"), text("B1", "Quarter"), text("C1", "Town")) +
    row(2, text("A2", "EU"), text("B2", "Q1"), text("C2", "Oslo")) +
    row(3, text("B3", "Q2"), text("C3", "Rome")) +
    row(4, text("A4", "US"), text("B4", "Q1"));
  const merged = (...ranges: string[]) =>
    `<mergeCells>${ranges.map((range) => `<mergeCell ref="${range}"/>`).join("")}</mergeCells>`;

  test.each([
    ["are said in each row", merged("A2:A3"), "EU | Q1 | Oslo\nEU | Q2 | Rome\nUS | Q1"],
    ["are said at their first column", merged("A2:A3", "C3:D4"), "EU | Q1 | Oslo\nEU | Q2 | Rome\nUS | Q1 | Rome"],
    ["of one row say nothing again", merged("A2:B2"), "EU | Q1 | Oslo\n| Q2 | Rome\nUS | Q1"],
    ["beyond the sheet end with it", merged("A4:A1048576"), "EU | Q1 | Oslo\n| Q2 | Rome\nUS | Q1"],
    ["that are none are passed over", merged("nonsense", "A3:A2"), "EU | Q1 | Oslo\n| Q2 | Rome\nUS | Q1"],
  ])("%s", async (_name, after, lines) => {
    expect(await sheet(rows, { after })).toBe(`Region | Quarter | Town\n${lines}`);
  });
});

describe("comments of a sheet", () => {
  const note = (author: string, inner: string) =>
    `<comments><authors><author>${author}</author></authors><commentList><comment ref="A1" authorId="0"><text>${inner}</text></comment></commentList></comments>`;
  const standIn =
    "<t>[Threaded comment]\n\nYour version of Excel allows you to read this threaded comment; however, any edits to it will get removed. Learn more: https://go.microsoft.com/fwlink/?linkid=870924\n\nComment:\n    PLEASE CHECK\nReply:\n    DONE</t>";
  const threads =
    `<ThreadedComments><threadedComment ref="A1" id="1" personId="p"><text>PLEASE CHECK</text></threadedComment>` +
    `<threadedComment ref="A1" id="2" parentId="1"><text>DONE</text></threadedComment></ThreadedComments>`;
  const cell = row(1, text("A1", "x"));
  const rels: Extra["rels"] = { c: ["comments", "../comments1.xml"], t: ["threadedComment", "../threads.xml"] };

  test("are read without guides and escapes", async () => {
    const part = note("Ann", "<r><t>one_x000D_\ntwo</t></r><rPh><t>guide</t></rPh>");
    expect(await sheet(cell, { rels, parts: { "xl/comments1.xml": part } })).toBe("x\n\n[Comment: one two]");
  });

  test("in threads are read with their replies, not what stands in for them", async () => {
    const parts = {
      "xl/comments1.xml": note("tc={1}", standIn),
      "xl/threads.xml": threads,
      "xl/persons/person.xml": `<personList><person id="p" displayName="Ann"/></personList>`,
    };
    const made = unzipSync(workbook(cell, { rels, parts }));
    const book = makeZip({
      ...made,
      "xl/_rels/workbook.xml.rels": relations({
        s0: ["worksheet", "worksheets/sheet1.xml"],
        p: ["person", "persons/person.xml"],
      }),
    });
    expect((await read(book, "a.xlsx")).text).toBe("S\n\nx\n\n[Comment by Ann: PLEASE CHECK]\n[Comment: DONE]");
  });

  test("in threads whose part is missing are read from what stands in for them", async () => {
    expect(await sheet(cell, { rels, parts: { "xl/comments1.xml": note("tc={1}", standIn) } })).toBe(
      "x\n\n[Comment: PLEASE CHECK]\n[Comment: DONE]",
    );
  });
});

test("drawings of a sheet have their text boxes, charts and words about pictures", async () => {
  const p = (value: string) => `<a:p><a:r><a:t>${value}</a:t></a:r></a:p>`;
  const drawing =
    `<xdr:wsDr><xdr:sp><xdr:txBody>${p("first")}${p("second")}</xdr:txBody></xdr:sp>` +
    `<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="2" descr="A map of the harbour"/></xdr:nvPicPr></xdr:pic></xdr:wsDr>`;
  const parts = {
    "xl/drawings/drawing1.xml": drawing,
    "xl/drawings/_rels/drawing1.xml.rels": relations({ c: ["chart", "../charts/chart1.xml"] }),
    "xl/charts/chart1.xml": `<c:chartSpace><c:chart><c:title><c:tx><c:rich>${p("Sales")}</c:rich></c:tx></c:title></c:chart></c:chartSpace>`,
  };
  expect(await sheet(row(1, text("A1", "x")), { rels: { d: ["drawing", "../drawings/drawing1.xml"] }, parts })).toBe(
    "x\n\nfirst\nsecond\n\n[Image: A map of the harbour]\n\nSales",
  );
});

test.each([
  ["&amp;CPROJECT HEADER", "PROJECT HEADER"],
  [`&amp;L&amp;"Arial,Bold"&amp;12Contract 4711&amp;RR&amp;&amp;D`, "Contract 4711\n\nR&D"],
  ["&amp;LPage &amp;P of &amp;N&amp;R&amp;D", ""],
  ["&amp;C&amp;KFF0000Confidential", "Confidential"],
])("the printed header %p of a sheet is read as %p", async (code, expected) => {
  const after = `<headerFooter><oddHeader>${code}</oddHeader><evenHeader>${code}</evenHeader></headerFooter>`;
  expect(await sheet(row(1, text("A1", "x")), { after })).toBe(expected === "" ? "x" : `x\n\n${expected}`);
});

test("a sheet that is missing leaves a warning", async () => {
  const made = unzipSync(
    makeXlsx([
      { name: "A", rows: row(1, text("A1", "x")) },
      { name: "B", rows: "" },
    ]),
  );
  delete made["xl/worksheets/sheet2.xml"];
  expect((await read(makeZip(made), "a.xlsx")).warnings).toEqual(['Sheet "B" is missing from the file.']);
});

describe("Excel 2003 in one XML file", () => {
  const data = (type: string, value: string) => `<Data ss:Type="${type}">${value}</Data>`;
  const cell = (inner: string, more = "") => `<Cell ${more}>${inner}</Cell>`;
  const named = (id: string, format: string, more = "") =>
    `<Style ss:ID="${id}"${more}><NumberFormat ss:Format="${format}"/></Style>`;
  const book = async (styles: string, rows: string) => {
    const xml = `<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet" xmlns:x="x"><Styles>${styles}</Styles><Worksheet ss:Name="S"><Table>${rows}</Table></Worksheet></Workbook>`;
    return (await read(xml, "a.xml")).text.slice(3);
  };

  test("shows numbers and days as their formats have them", async () => {
    const styles =
      named("a", "[h]:mm") +
      named("b", "00000") +
      named("c", "Percent") +
      named("d", "Short Date") +
      `<Style ss:ID="e" ss:Parent="b"/>`;
    const cells =
      cell(data("DateTime", "1900-01-01T12:00:00.000"), `ss:StyleID="a"`) +
      cell(data("Number", "1234"), `ss:StyleID="b"`) +
      cell(data("Number", "0.125"), `ss:StyleID="c"`) +
      cell(data("DateTime", "2024-05-06T00:00:00.000"), `ss:StyleID="d"`) +
      cell(data("Number", "7"), `ss:StyleID="e"`) +
      cell(data("Boolean", "1"));
    expect(await book(styles, `<Row>${cells}</Row>`)).toBe("36:00 | 01234 | 12.50% | 2024-05-06 | 00007 | TRUE");
  });

  test("takes formats from rows and columns", async () => {
    const rows =
      `<Column ss:Index="2" ss:StyleID="b" ss:Span="1"/><Row>${cell(data("Number", "1"))}${cell(data("Number", "2"))}${cell(data("Number", "3"))}</Row>` +
      `<Row ss:StyleID="c">${cell(data("Number", "0.5"))}</Row>`;
    expect(await book(named("b", "000") + named("c", "0%"), rows)).toBe("1 | 002 | 003\n50%");
  });

  test("says merged cells in each row", async () => {
    const rows =
      `<Row>${cell(data("String", "Region"))}${cell(data("String", "Town"))}</Row>` +
      `<Row>${cell(data("String", "EU"), `ss:MergeDown="1"`)}${cell(data("String", "Oslo"))}</Row>` +
      `<Row>${cell(data("String", "Rome"), `ss:Index="2"`)}</Row>`;
    expect(await book("", rows)).toBe("Region | Town\nEU | Oslo\nEU | Rome");
  });

  test("has comments apart from their cells", async () => {
    const comment = `<Comment ss:Author="Ann">${data("String", "check")}</Comment>`;
    expect(await book("", `<Row>${cell(data("String", "x") + comment)}</Row>`)).toBe("x\n\n[Comment by Ann: check]");
  });
});

describe("Excel before 2007", () => {
  const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
  const long = (value: string) => Buffer.concat([u16(value.length), Uint8Array.of(0), Buffer.from(value, "latin1")]);
  const f64 = (value: number) => Buffer.from(new Float64Array([value]).buffer);
  const bof = (type: number) => biff(0x809, u16(0x600), u16(type), new Uint8Array(12));
  const place = (line: number, column: number, style = 0) => Buffer.concat([u16(line), u16(column), u16(style)]);
  const label = (line: number, column: number, value: string) => biff(0x204, place(line, column), long(value));
  const book = async (formats: string[], ...records: Uint8Array[]) => {
    const globals = (at: number) =>
      Buffer.concat([
        bof(5),
        ...formats.map((code, i) => biff(0x41e, u16(164 + i), long(code))),
        biff(0xe0, u16(0), u16(0), new Uint8Array(16)),
        ...formats.map((_, i) => biff(0xe0, u16(0), u16(164 + i), new Uint8Array(16))),
        biff(0x85, u32(at), [0, 0, 1, 0], Buffer.from("S")),
        biff(0x0a),
      ]);
    const bytes = Buffer.concat([globals(globals(0).length), bof(0x10), ...records, biff(0x0a)]);
    return (await read(makeOle({ Workbook: bytes }), "a.xls")).text.slice(3);
  };

  test("shows numbers as their formats have them", async () => {
    const number = (column: number, value: number) => biff(0x203, place(0, column, column + 1), f64(value));
    const formula = biff(0x06, place(0, 3, 4), f64(7), new Uint8Array(8));
    expect(
      await book(["[h]:mm", "00000", "0.0%", '"KW "00'], number(0, 1.5), number(1, 1234), number(2, 0.125), formula),
    ).toBe("36:00 | 01234 | 12.5% | KW 07");
  });

  test("shows errors by their names", async () => {
    const cell = biff(0x205, place(0, 0), [0x2a, 1]);
    const formula = biff(0x06, place(0, 1), [2, 0, 0x17, 0, 0, 0, 0xff, 0xff], new Uint8Array(8));
    const truth = biff(0x205, place(0, 2), [1, 0]);
    expect(await book([], cell, formula, truth)).toBe("#N/A | #REF! | TRUE");
  });

  test("hides numbers as their formats do", async () => {
    const number = (column: number, value: number) => biff(0x203, place(0, column, 1), f64(value));
    expect(await book(['##;##;""'], number(0, -4.2), number(1, 0), number(2, 3))).toBe("4 | | 3");
  });

  test("says merged cells in each row", async () => {
    const merged = biff(0xe5, u16(1), u16(1), u16(2), u16(0), u16(0));
    const rows = [
      label(0, 0, "Region"),
      label(0, 1, "Town"),
      label(1, 0, "EU"),
      label(1, 1, "Oslo"),
      label(2, 1, "Rome"),
    ];
    expect(await book([], ...rows, merged)).toBe("Region | Town\nEU | Oslo\nEU | Rome");
  });

  test("tells comments from text boxes, and has printed headers", async () => {
    const object = (kind: number) => biff(0x5d, u16(0x15), u16(0x12), u16(kind), new Uint8Array(16));
    const box = (value: string) =>
      Buffer.concat([
        biff(0x1b6, new Uint8Array(10), u16(value.length), new Uint8Array(6)),
        biff(0x3c, [0], Buffer.from(value, "latin1")),
      ]);
    const header = biff(0x14, long("&CContract 4711"));
    expect(await book([], header, label(0, 0, "x"), object(0x19), box("a note"), object(6), box("a box"))).toBe(
      "x\n\n[Comment: a note]\n\na box\n\nContract 4711",
    );
  });
});
