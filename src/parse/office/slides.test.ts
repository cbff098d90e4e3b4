import { describe, expect, test } from "bun:test";

import { makePptx, relations } from "../../../test/fixtures/parse/make-office.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";

async function read(slides: Parameters<typeof makePptx>[0]): Promise<ParsedDocument> {
  const result = await parseDocument({ bytes: makePptx(slides), filename: "a.pptx", contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

const textOf = async (...shapes: string[]) => (await read(shapes.map((one) => ({ shapes: one })))).text;
const run = (text: string, properties = "") => `<a:r><a:rPr>${properties}</a:rPr><a:t>${text}</a:t></a:r>`;
const p = (...runs: string[]) => `<a:p>${runs.join("")}</a:p>`;
const shape = (inner: string, more = "") => `<p:sp><p:nvSpPr>${more}</p:nvSpPr><p:txBody>${inner}</p:txBody></p:sp>`;
const footer = (text: string) => shape(p(run(text)), `<p:nvPr><p:ph type="ftr"/></p:nvPr>`);

describe("tables on slides", () => {
  const cell = (text: string, attributes = "") => `<a:tc ${attributes}><a:txBody>${p(run(text))}</a:txBody></a:tc>`;
  const row = (...cells: string[]) => `<a:tr>${cells.join("")}</a:tr>`;
  test("say merged cells in each row", async () => {
    const rows =
      row(cell("EU", `rowSpan="3"`), cell("Q1"), cell("5")) +
      row(cell("", `vMerge="1"`), cell("Q2"), cell("6")) +
      row(cell("", `vMerge="1"`), cell("Q3", `gridSpan="2"`), cell("", `hMerge="1"`)) +
      row(cell("US"), cell("Q1"), cell("7"));
    expect(await textOf(`<a:tbl>${rows}</a:tbl>`)).toBe("EU | Q1 | 5\nEU | Q2 | 6\nEU | Q3\nUS | Q1 | 7");
  });
});

describe("text on slides", () => {
  test.each([
    ["has symbols", p(run("5 "), run("\uf06d", `<a:latin typeface="Symbol"/>`), run("m")), "5 μm"],
    [
      "has symbols beside another font",
      p(run("a\uf0fcb", `<a:latin typeface="Arial"/><a:sym typeface="Wingdings"/>`)),
      "a✓b",
    ],
    ["drops signs that no font explains", p(run("a\uf0fcb")), "ab"],
    ["has lines", p(run("alpha_x000B_beta"), "<a:br/>", run("gamma")), "alpha beta\ngamma"],
    [
      "has formulas",
      p(
        run("x="),
        `<a14:m><m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></a14:m>`,
      ),
      "x=1/2",
    ],
  ])("%s", async (_name, paragraphs, text) => {
    expect(await textOf(shape(paragraphs))).toBe(text);
  });
});

test("footers of slides stand once a wording, also where these differ by their digits", async () => {
  const body = shape(p(run("body")));
  const number = shape(p(run("7")), `<p:nvPr><p:ph type="sldNum"/></p:nvPr>`);
  expect(await textOf(body + footer("Contract 4711") + number, footer("Contract 4711"), footer("Contract 4712"))).toBe(
    "body\n\nContract 4711\n\nContract 4712",
  );
});

describe("alternatives on slides", () => {
  const alternatives = (choice: string, fallback: string) =>
    `<mc:AlternateContent><mc:Choice Requires="x">${choice}</mc:Choice><mc:Fallback>${fallback}</mc:Fallback></mc:AlternateContent>`;
  test.each([
    ["the other where the first says nothing", alternatives("<p:graphicFrame/>", shape(p(run("old")))), "old"],
    ["the first where it says something", alternatives(shape(p(run("new"))), shape(p(run("old")))), "new"],
    [
      "no apology for a chart",
      alternatives(`<cx:chart r:id="c"/>`, shape(p(run("Not available")))) + shape(p(run("x"))),
      "x",
    ],
  ])("have %s", async (_name, shapes, text) => {
    expect(await textOf(shapes)).toBe(text);
  });
});

test("words about charts, diagrams, groups and pictures are read, each once", async () => {
  const words = (element: string, about: string) =>
    `<p:${element}><p:nvPr><p:cNvPr id="1" descr="${about}"/></p:nvPr></p:${element}>`;
  const group = `<p:grpSp><p:nvGrpSpPr><p:cNvPr id="2" descr="All towns"/></p:nvGrpSpPr>${words("pic", "All towns")}</p:grpSp>`;
  const shapes =
    words("graphicFrame", "Sales by region") +
    group +
    words("pic", "image001") +
    words("pic", "'Budget'.E9:'Budget'.F9") +
    words("pic", "A bridge&#10;&#10;Description automatically generated");
  expect(await textOf(shapes)).toBe("[Image: Sales by region]\n\n[Image: All towns]\n\n[Image: A bridge]");
});

test("comments on slides stand before their replies, their paragraphs apart", async () => {
  const said = (...texts: string[]) => `<p188:txBody>${texts.map((text) => p(run(text))).join("")}</p188:txBody>`;
  const part =
    `<p188:cmLst><p188:cm authorId="a"><p188:replyLst><p188:reply authorId="b">${said("done")}</p188:reply></p188:replyLst>` +
    `${said("first", "second")}</p188:cm></p188:cmLst>`;
  const slide = {
    shapes: shape(p(run("x"))),
    rels: { c: ["comments", "../comments/c.xml"] as [string, string] },
    parts: { "ppt/comments/c.xml": part },
  };
  expect((await read([slide])).text).toBe("x\n[Comment: first\nsecond]\n[Comment: done]");
});

describe("drawings that slides refer to", () => {
  const withPart = async (type: string, name: string, part: string, more: Record<string, string> = {}) =>
    (await read([{ shapes: "", rels: { d: [type, `../${name}`] }, parts: { [`ppt/${name}`]: part, ...more } }])).text;

  test("are charts with formatted numbers, titles of several lines and text boxes", async () => {
    const cache = (kind: string, format: string, values: string[]) =>
      `<c:${kind}><c:formatCode>${format}</c:formatCode>${values.map((value, i) => `<c:pt idx="${i}"><c:v>${value}</c:v></c:pt>`).join("")}</c:${kind}>`;
    const title = `<c:title><c:tx><c:rich>${p(run("Sales"))}${p(run("by month"))}</c:rich></c:tx></c:title>`;
    const series = `<c:ser><c:cat>${cache("numCache", "mmm\\-yy", ["45352", "45383"])}</c:cat><c:val>${cache("numCache", "0.0%", ["0.125", "0.2"])}</c:val></c:ser>`;
    const text = await withPart(
      "chart",
      "charts/chart1.xml",
      `<c:chartSpace><c:chart>${title}<c:plotArea>${series}</c:plotArea></c:chart></c:chartSpace>`,
      {
        "ppt/charts/_rels/chart1.xml.rels": relations({ u: ["chartUserShapes", "../drawings/d.xml"] }),
        "ppt/drawings/d.xml": `<c:userShapes><cdr:sp><cdr:txBody>${p(run("Best month"))}</cdr:txBody></cdr:sp></c:userShapes>`,
      },
    );
    expect(text).toBe("Sales by month\n\n2024-03 | 12.5%\n2024-04 | 20.0%\n\nBest month");
  });

  test("are diagrams with the runs of a label together", async () => {
    const point = (...runs: string[]) => `<dgm:pt><dgm:t>${p(...runs)}</dgm:t></dgm:pt>`;
    const part = `<dgm:dataModel>${point(run("Pl"), run("an"))}${point(run("Build"))}</dgm:dataModel>`;
    expect(await withPart("diagramData", "diagrams/data1.xml", part)).toBe("Plan\nBuild");
  });
});

test("raised characters behind a number on slides are an exponent", async () => {
  const raised = (text: string) => `<a:r><a:rPr baseline="30000"/><a:t>${text}</a:t></a:r>`;
  expect(await textOf(shape(p(run("10"), raised("6"), run(" cells, m"), raised("2"))))).toBe("10^6 cells, m2");
});
