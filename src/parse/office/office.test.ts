import { describe, expect, test } from "bun:test";

import { makeDocx, makePptx, makeXlsx, makeZip } from "../../../test/fixtures/parse/make-office.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";

async function read(content: Uint8Array | string, filename: string): Promise<ParsedDocument> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const result = await parseDocument({ bytes, filename, contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

const headers = (document: ParsedDocument) => document.regions.map(({ header }) => header);

describe("lists of Word", () => {
  const level = (at: number, format: string, text: string, start = 1) =>
    `<w:lvl w:ilvl="${at}"><w:start w:val="${start}"/><w:numFmt w:val="${format}"/><w:lvlText w:val="${text}"/></w:lvl>`;
  const numbering =
    `<w:numbering><w:abstractNum w:abstractNumId="0">${level(0, "decimal", "%1.")}${level(1, "lowerLetter", "%2)")}${level(2, "lowerRoman", "%1.%2.%3")}</w:abstractNum>` +
    `<w:abstractNum w:abstractNumId="1">${level(0, "bullet", "•")}</w:abstractNum>` +
    `<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>` +
    `<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>` +
    `<w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num></w:numbering>`;
  const styles =
    `<w:styles><w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>` +
    `<w:style w:styleId="Sub"><w:basedOn w:val="H1"/></w:style></w:styles>`;
  const item = (text: string, list: number, at = 0) =>
    `<w:p><w:pPr><w:numPr><w:ilvl w:val="${at}"/><w:numId w:val="${list}"/></w:numPr></w:pPr><w:r><w:t>${text}</w:t></w:r></w:p>`;
  const styled = (style: string, text: string, more = "") =>
    `<w:p><w:pPr><w:pStyle w:val="${style}"/>${more}</w:pPr><w:r><w:t>${text}</w:t></w:r></w:p>`;
  const made = (body: string) =>
    makeDocx(
      body,
      { "numbering.xml": numbering, "styles.xml": styles },
      { n: ["numbering", "numbering.xml"], s: ["styles", "styles.xml"] },
    );

  test.each([
    [
      "count through their levels",
      item("a", 1) + item("b", 1, 1) + item("c", 1, 1) + item("d", 1, 2) + item("e", 1) + item("f", 1, 1),
      "1. a\na) b\nb) c\n1.b.i d\n2. e\na) f",
    ],
    ["go on where a list of the same definition ended", `${item("a", 1)}<w:p/>${item("b", 1)}`, "1. a\n2. b"],
    ["start where they say", item("a", 1) + item("b", 2) + item("c", 2), "1. a\n7. b\n8. c"],
    ["have bullets", item("a", 3), "- a"],
    ["of a definition that is missing have bullets", item("a", 9), "- a"],
  ])("%s", async (_name, body, text) => {
    expect((await read(made(body), "a.docx")).text).toBe(text);
  });

  test("number headings by their style, unless the paragraph says not to", async () => {
    const body =
      styled("H1", "Scope") +
      styled("Sub", "Terms") +
      styled("H1", "Annex", `<w:numPr><w:ilvl w:val="0"/><w:numId w:val="0"/></w:numPr>`);
    const { headings } = await read(made(body), "a.docx");
    expect(headings.map(({ text }) => text)).toEqual(["1. Scope", "2. Terms", "Annex"]);
  });

  test("are what they are now, not what they were before a tracked change", async () => {
    const old = `<w:pPrChange><w:pPr><w:pStyle w:val="H1"/><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:pPrChange>`;
    const document = await read(made(`<w:p><w:pPr>${old}</w:pPr><w:r><w:t>plain</w:t></w:r></w:p>`), "a.docx");
    expect([document.text, document.headings]).toEqual(["plain", []]);
  });
});

describe("drawings", () => {
  const points = (values: string[]) => values.map((value, i) => `<c:pt idx="${i}"><c:v>${value}</c:v></c:pt>`).join("");
  const series = (name: string, values: string[]) =>
    `<c:ser><c:tx><c:strRef><c:strCache>${points([name])}</c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache>${points(["May", "June"])}</c:strCache></c:strRef></c:cat><c:val><c:numRef><c:numCache>${points(values)}</c:numCache></c:numRef></c:val></c:ser>`;
  const chart = `<c:chartSpace xmlns:c="c" xmlns:a="a"><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales by </a:t></a:r><a:r><a:t>month</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea>${series("North", ["4.4000000000000004", "5"])}${series("South", ["2", ""])}</c:plotArea></c:chart></c:chartSpace>`;
  const table = "Sales by month\n\n| North | South\nMay | 4.4 | 2\nJune | 5";

  test("of Word and PowerPoint have charts as tables", async () => {
    const word = makeDocx("<w:p/>", { "charts/chart1.xml": chart }, { c: ["chart", "charts/chart1.xml"] });
    expect(await read(word, "a.docx")).toMatchObject({ text: table, regions: [{ header: "| North | South" }] });
    const slide = {
      shapes: "",
      rels: { c: ["chart", "../charts/chart1.xml"] as [string, string] },
      parts: { "ppt/charts/chart1.xml": chart },
    };
    expect((await read(makePptx([slide]), "a.pptx")).text).toBe(table);
  });

  test("have what is said about a picture, and no file names", async () => {
    const picture = (text: string) =>
      `<w:p><w:r><w:drawing><wp:inline><wp:docPr id="1" descr="${text}"/></wp:inline></w:drawing></w:r></w:p>`;
    const word = makeDocx(picture("A map of the harbour") + picture("C:\\Users\\ann\\map.png") + picture("logo.png"));
    expect((await read(word, "a.docx")).text).toBe("[Image: A map of the harbour]");
    const slide = { shapes: `<p:pic><p:nvPicPr><p:cNvPr id="2" descr="A map of the harbour"/></p:nvPicPr></p:pic>` };
    expect((await read(makePptx([slide]), "a.pptx")).text).toBe("[Image: A map of the harbour]");
  });

  test("are not unpacked for their pictures, however well these are packed", async () => {
    const media = { "ppt/media/image1.emf": "\0".repeat(4_000_000) };
    const slide = {
      shapes: "<p:sp><p:txBody><a:p><a:r><a:t>Text</a:t></a:r></a:p></p:txBody></p:sp>",
      rels: { i: ["image", "../media/image1.emf"] as [string, string] },
      parts: media,
    };
    expect((await read(makePptx([slide]), "a.pptx")).text).toBe("Text");
  });
});

describe("the header of a sheet", () => {
  const cell = (at: string, text: string) => `<c r="${at}" t="inlineStr"><is><t>${text}</t></is></c>`;
  const number = (at: string, value: number) => `<c r="${at}"><v>${value}</v></c>`;
  const row = (...cells: string[]) => `<row>${cells.join("")}</row>`;
  const sheet = async (rows: string) => await read(makeXlsx([{ name: "S", rows }]), "a.xlsx");

  test("stands below a title", async () => {
    const document = await sheet(
      row(cell("B1", "Sales of 2024")) +
        row(cell("B3", "Town"), cell("C3", "Sum")) +
        row(cell("B4", "Oslo"), number("C4", 5)),
    );
    expect(document.text).toBe("S\n\nSales of 2024\n\nTown | Sum\nOslo | 5");
    expect(headers(document)).toEqual(["Town | Sum"]);
  });

  test("is the first row of a sheet of one column", async () => {
    const document = await sheet(row(cell("A1", "Town")) + row(cell("A2", "Oslo")) + row(cell("A3", "Rome")));
    expect(document.text).toBe("S\n\nTown\nOslo\nRome");
    expect(headers(document)).toEqual(["Town"]);
  });

  test("keeps its columns over rows that begin further right", async () => {
    const document = await sheet(
      row(cell("B1", "Town"), cell("C1", "Part"), cell("D1", "Sum")) +
        row(cell("C2", "North"), number("D2", 1)) +
        row(number("D3", 2)),
    );
    expect(document.text).toBe("S\n\nTown | Part | Sum\n| North | 1\n| | 2");
  });
});

describe("Office documents of 2003 in one XML file", () => {
  test("of Word are their text, with headings and tables", async () => {
    const xml =
      `<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml"><w:styles><w:style w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>` +
      `<w:body><w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Top</w:t></w:r></w:p><w:p><w:r><w:t>Text.</w:t></w:r></w:p>` +
      `<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:wordDocument>`;
    expect(await read(xml, "a.xml")).toMatchObject({
      text: "Top\n\nText.\n\na | b",
      headings: [{ level: 1, text: "Top" }],
    });
  });

  test("of Excel have a page a sheet", async () => {
    const data = (type: string, value: string) => `<Cell><Data ss:Type="${type}">${value}</Data></Cell>`;
    const sheet = (name: string, rows: string) => `<Worksheet ss:Name="${name}"><Table>${rows}</Table></Worksheet>`;
    const xml =
      `<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">` +
      sheet(
        "One",
        `<Row>${data("String", "Day")}${data("String", "Sum")}</Row><Row>${data("DateTime", "2024-05-06T00:00:00.000")}<Cell ss:Index="2"><Data ss:Type="Number">1.1000000000000001</Data></Cell></Row>`,
      ) +
      `${sheet("Two", `<Row>${data("String", "x")}</Row>`)}</Workbook>`;
    const document = await read(xml, "a.xml");
    expect(document.text).toBe("One\n\nDay | Sum\n2024-05-06 | 1.1\n\nTwo\n\nx");
    expect(document.pages?.map(({ number }) => number)).toEqual([1, 2]);
  });
});

test("a package whose plain archive holds nothing to read is refused", async () => {
  const result = await parseDocument({
    bytes: makeZip({ "a.bin": "\0\x01\x02\x03" }),
    filename: "a.zip",
    contentType: null,
  });
  expect(result).toMatchObject({ ok: false, error: { code: "unsupported_file" } });
});
