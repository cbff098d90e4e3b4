import { describe, expect, test } from "bun:test";
import { unzipSync } from "fflate";

import { makeOdf, makeZip } from "../../../test/fixtures/parse/make-office.ts";
import { parseDocument } from "../parse.ts";

type Kind = "text" | "spreadsheet" | "presentation";

async function textOf(kind: Kind, body: string, parts: Record<string, string> = {}): Promise<string> {
  const bytes = makeZip({ ...unzipSync(makeOdf(kind, body)), ...parts });
  const result = await parseDocument({ bytes, filename: "a.odt", contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document.text;
}

const p = (text: string, more = "") => `<text:p${more}>${text}</text:p>`;
const cell = (text: string, more = "") => `<table:table-cell ${more}>${p(text)}</table:table-cell>`;
const covered = "<table:covered-table-cell/>";
const row = (...cells: string[]) => `<table:table-row>${cells.join("")}</table:table-row>`;

describe("merged cells of OpenDocument", () => {
  const rows =
    row(cell("Region"), cell("Quarter"), cell("Units")) +
    row(cell("EU", `table:number-rows-spanned="2"`), cell("Q1"), cell("5")) +
    row(covered, cell("Q2"), cell("6")) +
    row(cell("US"), cell("Q1"), cell("7"));
  const lines = "Region | Quarter | Units\nEU | Q1 | 5\nEU | Q2 | 6\nUS | Q1 | 7";
  test("are said in each row of a text's table", async () => {
    expect(await textOf("text", `<table:table>${rows}</table:table>`)).toBe(lines);
  });
  test("are said in each row of a sheet", async () => {
    expect(await textOf("spreadsheet", `<table:table table:name="S">${rows}</table:table>`)).toBe(`S\n\n${lines}`);
  });
});

test("cells of sheets that do not say how they are shown have their value", async () => {
  const valued = (attributes: string, inner = "") => `<table:table-cell ${attributes}>${inner}</table:table-cell>`;
  const rows =
    row(cell("a"), cell("b"), cell("c")) +
    row(
      valued(`office:value-type="percentage" office:value="0.125"`),
      valued(`office:value-type="date" office:date-value="2024-05-06"`),
      valued(`office:value-type="float" office:value="5"`, p("five")),
    ) +
    row(cell("x"), cell("y"), valued(`office:value-type="float" office:value="7"`, "<text:p/>"));
  expect(await textOf("spreadsheet", `<table:table table:name="S">${rows}</table:table>`)).toBe(
    "S\n\na | b | c\n12.5% | 2024-05-06 | five\nx | y",
  );
});

describe("formulas of OpenDocument", () => {
  const math = `<math xmlns="m"><mi>x</mi><mo>=</mo><mfrac><mn>12</mn><mn>34</mn></mfrac></math>`;
  const object = `<draw:frame><draw:object xlink:href="./Object 1" xmlns:xlink="x"/></draw:frame>`;
  test("stand in their place", async () => {
    expect(await textOf("text", p(`so ${object} holds`), { "Object 1/content.xml": math })).toBe("so x=12/34 holds");
  });
  test("are read where they are written into the text", async () => {
    expect(await textOf("text", p(`so <draw:object>${math}</draw:object> holds`))).toBe("so x=12/34 holds");
  });
});

test("charts of OpenDocument have their titles and their table", async () => {
  const chart =
    `<office:document-content xmlns:office="o"><office:body><office:chart><chart:chart><chart:title>${p("Sales")}</chart:title>` +
    `<table:table>${row(cell(""), cell("North"))}${row(cell("May"), cell("5"))}</table:table></chart:chart></office:chart></office:body></office:document-content>`;
  const frame = `<draw:frame><draw:object xlink:href="./Object 1" xmlns:xlink="x"/></draw:frame>`;
  expect(await textOf("text", p(`before${frame}`), { "Object 1/content.xml": chart })).toBe(
    "before\n\nSales\n\n| North\nMay | 5",
  );
});

test("charts in sheets have their titles only: what they are drawn from, the cells say", async () => {
  const chart = `<office:document-content xmlns:office="o"><chart:chart><chart:title>${p("Sales")}</chart:title><table:table>${row(cell("May"), cell("5"))}</table:table></chart:chart></office:document-content>`;
  const frame = `<draw:frame><draw:object xlink:href="./Object 1" xmlns:xlink="x"/></draw:frame>`;
  const table = `<table:table table:name="S">${row(`<table:table-cell>${p("x")}${frame}</table:table-cell>`)}</table:table>`;
  expect(await textOf("spreadsheet", table, { "Object 1/content.xml": chart })).toBe("S\n\nx\n\nSales");
});

describe("headers and footers of OpenDocument", () => {
  const styles = (...edges: string[]) => ({
    "styles.xml": `<office:document-styles xmlns:office="o"><office:master-styles>${edges.map((edge) => `<style:master-page>${edge}</style:master-page>`).join("")}</office:master-styles></office:document-styles>`,
  });
  const header = (inner: string) => `<style:header>${inner}</style:header>`;

  test("stand once a wording, also where these differ by their digits", async () => {
    const parts = styles(header(p("Contract 4711")), header(p("Contract 4712")), header(p("Contract 4711")));
    expect(await textOf("text", p("body"), parts)).toBe("body\n\nContract 4711\n\nContract 4712");
  });

  test("leave out what is filled in for each page", async () => {
    const page = "<text:page-number>1</text:page-number>";
    const parts = styles(
      header(p(`Annual report, page ${page}`)),
      `<style:footer>${p(`Page ${page}`)}</style:footer>`,
      header(`<style:region-left>${p("<text:sheet-name>???</text:sheet-name>")}</style:region-left>`),
    );
    expect(await textOf("text", p("body"), parts)).toBe("body\n\nAnnual report, page");
  });

  test("of slides are those that are declared for them", async () => {
    const body =
      `<presentation:footer-decl presentation:name="f1">Contract 4711</presentation:footer-decl>` +
      `<draw:page>${p("slide")}</draw:page>`;
    expect(await textOf("presentation", body)).toBe("slide\n\nContract 4711");
  });
});

describe("OpenDocument text that is not shown", () => {
  const automatic = `<office:automatic-styles xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"><style:style style:name="T1"><style:text-properties text:display="none"/></style:style></office:automatic-styles>`;
  test.each([
    ["of a style", `${automatic}${p(`<text:span text:style-name="T1">gone</text:span>shown`)}`],
    ["of a paragraph's style", `${automatic}${p("gone", ` text:style-name="T1"`)}${p("shown")}`],
    ["of a section", `<text:section text:display="none">${p("gone")}</text:section>${p("shown")}`],
    ["of a field", p(`<text:hidden-text text:is-hidden="true">gone</text:hidden-text>shown`)],
    ["of a paragraph", p(`<text:hidden-paragraph text:is-hidden="true"/>gone`) + p("shown")],
    ["that waits to be filled in", p("<text:placeholder>&lt;Name&gt;</text:placeholder>shown")],
  ])("is left out: %s", async (_name, body) => {
    expect(await textOf("text", body)).toBe("shown");
  });
});

test("words about a picture of OpenDocument stand apart from the text around it", async () => {
  const frame = `<draw:frame><draw:image/><svg:title>Image1</svg:title><svg:desc>A map of the harbour</svg:desc></draw:frame>`;
  expect(await textOf("text", p(`text${frame}`))).toBe("text [Image: A map of the harbour]");
});

test("styles of OpenDocument say which characters are signs or raised", async () => {
  const style = (name: string, properties: string) =>
    `<style:style style:name="${name}"><style:text-properties ${properties}/></style:style>`;
  const span = (name: string, text: string) => `<text:span text:style-name="${name}">${text}</text:span>`;
  const made = unzipSync(
    makeOdf(
      "text",
      p(
        `tol ${span("T1", "\uf0b1")}5 ${span("T2", "m")}m, 10${span("T3", "6")} x, H${span("T4", "2")}O, 2${span("T3", "nd")}`,
      ),
    ),
  );
  const styles =
    `<office:font-face-decls><style:font-face style:name="Symbol1" svg:font-family="Symbol"/></office:font-face-decls><office:automatic-styles>` +
    style("T1", `style:font-name="Symbol1"`) +
    style("T2", `fo:font-family="Symbol"`) +
    style("T3", `style:text-position="super 58%"`) +
    style("T4", `style:text-position="sub 58%"`) +
    `</office:automatic-styles><office:body>`;
  const content = new TextDecoder().decode(made["content.xml"]).replace("<office:body>", styles);
  const result = await parseDocument({
    bytes: makeZip({ ...made, "content.xml": content }),
    filename: "a.odt",
    contentType: null,
  });
  expect(result.ok && result.document.text).toBe("tol ±5 μm, 10^6 x, H2O, 2nd");
});

describe("a flat OpenDocument file says who wrote it", () => {
  const flat = (meta: string, type: string, body: string) =>
    `<?xml version="1.0"?><office:document xmlns:office="o" office:mimetype="application/vnd.oasis.opendocument.${type}">${meta}<office:body>${body}</office:body></office:document>`;
  const meta = `<office:meta><dc:title>The aim</dc:title><meta:initial-creator>Ada</meta:initial-creator><meta:creation-date>2024-05-06T07:08:09</meta:creation-date></office:meta>`;
  const note = `<text:p>words<office:annotation><dc:creator>Bob</dc:creator><text:p>n</text:p></office:annotation></text:p>`;
  test.each([
    ["a.fodt", "text", `<office:text>${note}</office:text>`],
    [
      "a.fods",
      "spreadsheet",
      `<office:spreadsheet><table:table table:name="t">${row(cell("words"))}</table:table></office:spreadsheet>`,
    ],
    ["a.fodp", "presentation", `<office:presentation><draw:page>${note}</draw:page></office:presentation>`],
  ])("%s", async (filename, type, body) => {
    const read = async (source: string) =>
      await parseDocument({ bytes: new TextEncoder().encode(source), filename, contentType: null });
    const result = await read(flat(meta, type, body));
    if (!result.ok) throw new Error(result.error.message);
    expect(result.document.title).toBe("The aim");
    expect(result.document.metadata).toMatchObject({ author: "Ada", created: "2024-05-06T07:08:09.000Z" });
    expect(result.document.text).not.toContain("The aim");
    const without = await read(flat("<office:meta/>", type, body));
    expect(without.ok && [without.document.title, without.document.metadata["author"]]).toEqual([null, undefined]);
  });
});
