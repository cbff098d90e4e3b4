import { describe, expect, test } from "bun:test";
import { unzipSync } from "fflate";

import { makeDocx, makeZip, relations } from "../../../test/fixtures/parse/make-office.ts";
import type { ParsedDocument } from "../document.ts";
import { parseDocument } from "../parse.ts";

async function read(bytes: Uint8Array, filename = "a.docx"): Promise<ParsedDocument> {
  const result = await parseDocument({ bytes, filename, contentType: null });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.document;
}

type Rels = Record<string, [type: string, target: string]>;

const run = (text: string, properties = "") =>
  `<w:r>${properties === "" ? "" : `<w:rPr>${properties}</w:rPr>`}<w:t xml:space="preserve">${text}</w:t></w:r>`;
const p = (...runs: string[]) => `<w:p>${runs.join("")}</w:p>`;
const textOf = async (body: string, parts: Record<string, string> = {}, rels: Rels = {}) =>
  (await read(makeDocx(body, parts, rels))).text;

describe("documents inserted in a Word document", () => {
  const before = p(run("before"));
  const chunk = `<w:altChunk r:id="c1"/>`;
  const after = p(run("after"));
  const inserted = async (name: string, bytes: string | Uint8Array, body = before + chunk + after) => {
    const outer = makeDocx(body);
    return await read(
      makeZip({
        ...unzipSync(outer),
        "word/_rels/document.xml.rels": relations({ c1: ["aFChunk", name] }),
        [`word/${name}`]: bytes,
      }),
    );
  };
  const mht = `MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>inner</p>\r\n--b--`;
  const flat = `<?xml version="1.0"?><pkg:package xmlns:pkg="p"><w:document xmlns:w="w"><w:body>${p(run("inner"))}</w:body></w:document></pkg:package>`;

  test.each<[kind: string, name: string, bytes: string | Uint8Array]>([
    ["Word", "c.docx", makeDocx(p(run("inner")))],
    ["Word in one XML file", "c.xml", flat],
    ["RTF", "c.rtf", "{\\rtf1\\ansi inner\\par}"],
    ["plain text", "c.txt", "inner"],
    ["text in UTF-16", "c.txt", Uint8Array.of(0xff, 0xfe, ...Buffer.from("inner", "utf16le"))],
    ["HTML", "c.htm", "<html><body><p>inner</p></body></html>"],
    ["a piece of HTML", "c.html", "<p>inner</p>"],
    ["a web archive", "c.mht", mht],
    ["a web archive of text", "c.mht", mht.replace("text/html", "text/plain").replace("<p>inner</p>", "inner")],
  ])("of the kind %s are read in their place", async (_kind, name, bytes) => {
    const document = await inserted(name, bytes);
    expect([document.text, document.warnings]).toEqual(["before\n\ninner\n\nafter", []]);
  });

  test("are read in a cell of a table", async () => {
    const cell = (inner: string) => `<w:tc>${inner}</w:tc>`;
    const body = `<w:tbl><w:tr>${cell(p(run("a")))}${cell(chunk + p())}</w:tr></w:tbl>`;
    expect((await inserted("c.txt", "inner", body)).text).toBe("a | inner");
  });

  test.each<[what: string, bytes: string | Uint8Array]>([
    ["binary", Uint8Array.from({ length: 300 }, (_, i) => i % 7)],
    ["a damaged package", "PK\x03\x04 damaged"],
    ["a package of another kind", makeZip({ "a.txt": "words" })],
  ])("leave a warning where they are %s", async (_what, bytes) => {
    const document = await inserted("c.bin", bytes);
    expect([document.text, document.warnings]).toEqual([
      "before\n\nafter",
      ["A document that is inserted in this one could not be read (c.bin)."],
    ]);
  });

  test("leave a warning where they are missing", async () => {
    const document = await read(makeDocx(before + chunk, {}, { c1: ["aFChunk", "none.rtf"] }));
    expect(document.warnings).toEqual(["A document that is inserted in this one could not be read (none.rtf)."]);
  });

  test("that hold each other come to an end", async () => {
    let bytes = makeDocx(p(run("core")));
    for (let i = 0; i < 8; i++) {
      bytes = makeZip({
        ...unzipSync(makeDocx(p(run(`level ${i}`)) + chunk)),
        "word/_rels/document.xml.rels": relations({ c1: ["aFChunk", "c.docx"] }),
        "word/c.docx": bytes,
      });
    }
    const document = await read(bytes);
    expect(document.text).toContain("level 7\n\nlevel 6");
    expect(document.text).not.toContain("core");
    expect(document.warnings).toHaveLength(1);
  });
});

describe("merged cells of Word", () => {
  const cell = (text: string, properties = "") => `<w:tc><w:tcPr>${properties}</w:tcPr>${p(run(text))}</w:tc>`;
  const row = (...cells: string[]) => `<w:tr>${cells.join("")}</w:tr>`;
  const begin = `<w:vMerge w:val="restart"/>`;
  const goOn = "<w:vMerge/>";

  test.each([
    [
      "are said in each row",
      row(cell("EU", begin), cell("Q1"), cell("5")) +
        row(cell("", goOn), cell("Q2"), cell("6")) +
        row(cell("US"), cell("Q1"), cell("7")),
      "EU | Q1 | 5\nEU | Q2 | 6\nUS | Q1 | 7",
    ],
    [
      "are found behind cells of several columns",
      row(cell("a", `<w:gridSpan w:val="2"/>`), cell("X", begin)) +
        row(cell("b"), cell("c"), cell("", `<w:vMerge w:val="continue"/>`)),
      "a | X\nb | c | X",
    ],
    [
      "end where another begins",
      row(cell("A", begin), cell("1")) +
        row(cell("", goOn), cell("2")) +
        row(cell("B", begin), cell("3")) +
        row(cell("", goOn), cell("4")),
      "A | 1\nA | 2\nB | 3\nB | 4",
    ],
    [
      "are not said again where they are whole texts",
      row(cell("x".repeat(300), begin), cell("1")) + row(cell("", goOn), cell("2")),
      `${"x".repeat(300)} | 1\n| 2`,
    ],
    [
      "of a row that was deleted are gone with it",
      row(cell("A"), cell("1")) +
        `<w:tr><w:trPr><w:del w:id="1"/></w:trPr>${cell("gone")}${cell("gone")}</w:tr>` +
        row(cell("B"), cell("2")),
      "A | 1\nB | 2",
    ],
  ])("%s", async (_name, rows, text) => {
    expect(await textOf(`<w:tbl>${rows}</w:tbl>`)).toBe(text);
  });
});

describe("symbols of Word", () => {
  const font = (name: string) => `<w:rFonts w:ascii="${name}" w:hAnsi="${name}"/>`;
  test.each([
    ["by their code", `<w:r><w:sym w:font="Symbol" w:char="F0B1"/></w:r>${run("5")}`, "±5"],
    ["of Wingdings", `<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>${run(" done")}`, "✓ done"],
    ["in the private area", run("5 ") + run("\uf06d", font("Symbol")) + run("m"), "5 μm"],
    ["at the places of letters", run("a \u00a3 b", font("Symbol")), "α ≤ β"],
    ["of a font that is not known", run("x\uf06dy", font("Corporate Icons")), "xy"],
    ["of an ordinary font", run("plain µ", font("Arial")), "plain µ"],
    ["of the font of a style", run("\uf0b0", `<w:rStyle w:val="S"/>`), "°"],
  ])("%s are what they show", async (_name, runs, text) => {
    const styles = `<w:styles><w:style w:type="character" w:styleId="S"><w:rPr>${font("Symbol")}</w:rPr></w:style></w:styles>`;
    expect(await textOf(p(runs), { "styles.xml": styles }, { s: ["styles", "styles.xml"] })).toBe(text);
  });
});

test("formulas of Word keep their meaning, between words and on lines of their own", async () => {
  const math = (inner: string) => `<m:oMath xmlns:m="m">${inner}</m:oMath>`;
  const t = (text: string) => `<m:r><w:rPr/><m:t>${text}</m:t></m:r>`;
  const fraction = `<m:f><m:num>${t("12")}</m:num><m:den>${t("34")}</m:den></m:f>`;
  const body =
    p(run("so "), math(t("x=") + fraction), run(" holds")) +
    `<m:oMathPara xmlns:m="m">${math(t("a=b"))}</m:oMathPara>` +
    p(math(`<w:del>${t("old")}</w:del>${t("new")}`));
  expect(await textOf(body)).toBe("so x=12/34 holds\n\na=b\n\nnew");
});

describe("headers and footers of Word", () => {
  const field = (instruction: string, result: string) =>
    `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>${instruction}</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>${run(result)}<w:r><w:fldChar w:fldCharType="end"/></w:r>`;
  const made = async (...headers: string[]) =>
    await textOf(
      p(run("body")),
      Object.fromEntries(headers.map((header, i) => [`header${i}.xml`, `<w:hdr>${header}</w:hdr>`])),
      Object.fromEntries(headers.map((_, i): [string, [string, string]] => [`h${i}`, ["header", `header${i}.xml`]])),
    );

  test("that differ by their digits are all kept, and each wording once", async () => {
    const header = (text: string) => p(run(text));
    expect(await made(header("Contract 4711"), header("Contract 4712"), header("Contract 4711"))).toBe(
      "body\n\nContract 4711\n\nContract 4712",
    );
  });

  test("are alike where only the numbers of their pages differ", async () => {
    const header = (page: string) =>
      p(run("Contract 4711, page "), field(" PAGE \\* MERGEFORMAT ", page), run(" of ")) +
      p(`<w:fldSimple w:instr="NUMPAGES">${run("9")}</w:fldSimple>`);
    expect(await made(header("1"), header("2"))).toBe("body\n\nContract 4711, page  of");
  });

  test("keep other fields", async () => {
    expect(await made(p(field(" TITLE ", "A report of 2024")))).toBe("body\n\nA report of 2024");
  });
});

describe("notes and comments of Word", () => {
  const made = async (kind: "footnote" | "endnote" | "comment", content: string) =>
    await textOf(
      p(run("text"), `<w:r><w:${kind}Reference w:id="2"/></w:r>`),
      { "notes.xml": `<w:notes><w:${kind} w:id="2" w:author="Ann">${content}</w:${kind}></w:notes>` },
      { n: [`${kind}s`, "notes.xml"] },
    );

  test.each<[kind: "footnote" | "endnote" | "comment", content: string, text: string]>([
    ["footnote", p(run("a"), "<w:r><w:tab/></w:r>", run("b"), "<w:r><w:br/></w:r>", run("c")), "[Footnote: a\tb\nc]"],
    ["endnote", p(run("one")) + p(run("two")), "[Endnote: one\ntwo]"],
    ["comment", p(run("one")) + p(run("two")), "[Comment by Ann: one\ntwo]"],
    ["comment", p(`<w:moveFrom>${run("gone")}</w:moveFrom>`, run("kept")), "[Comment by Ann: kept]"],
    ["footnote", p(`<w:del>${run("gone")}</w:del>`, `<w:ins>${run("new")}</w:ins>`), "[Footnote: new]"],
    ["footnote", p(`<w:r><w:sym w:font="Symbol" w:char="F0B0"/></w:r>`), "[Footnote: °]"],
    ["footnote", p(run("hidden", "<w:vanish/>"), run("shown")), "[Footnote: shown]"],
  ])("keep their words apart: %s %#", async (kind, content, text) => {
    expect(await made(kind, content)).toBe(`text\n${text}`);
  });
});

describe("forms of Word", () => {
  const field = (data: string, instruction: string, result = "") =>
    `<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:name w:val="F"/>${data}</w:ffData></w:fldChar></w:r>` +
    `<w:r><w:instrText> ${instruction} </w:instrText></w:r>` +
    (result === "" ? "" : `<w:r><w:fldChar w:fldCharType="separate"/></w:r>${run(result)}`) +
    `<w:r><w:fldChar w:fldCharType="end"/></w:r>`;
  const entries = `<w:listEntry w:val="Red"/><w:listEntry w:val="Blue"/>`;
  const control = (properties: string, content: string) =>
    `<w:sdt><w:sdtPr>${properties}</w:sdtPr><w:sdtContent>${content}</w:sdtContent></w:sdt>`;

  test.each([
    ["a list's choice", field(`<w:ddList><w:result w:val="1"/>${entries}</w:ddList>`, "FORMDROPDOWN"), "Blue"],
    ["a list's default", field(`<w:ddList><w:default w:val="1"/>${entries}</w:ddList>`, "FORMDROPDOWN"), "Blue"],
    ["a list's first entry", field(`<w:ddList>${entries}</w:ddList>`, "FORMDROPDOWN"), "Red"],
    ["a list's result once", field(`<w:ddList>${entries}</w:ddList>`, "FORMDROPDOWN", "Red"), "Red"],
    ["a ticked box", field(`<w:checkBox><w:checked/></w:checkBox>`, "FORMCHECKBOX"), "☒"],
    ["an empty box", field(`<w:checkBox><w:default w:val="0"/></w:checkBox>`, "FORMCHECKBOX"), "☐"],
    ["typed text", field(`<w:textInput><w:default w:val="type here"/></w:textInput>`, "FORMTEXT", "typed"), "typed"],
    ["the value of a control", control("<w:dropDownList/>", run("chosen")), "chosen"],
    ["no placeholder", control("<w:showingPlcHdr/>", run("Click or tap here")) + run("real"), "real"],
    [
      "a value that is no placeholder any more",
      control(`<w:showingPlcHdr w:val="0"/>`, run("value")) + control("<w:showingPlcHdr/>", run("Choose")),
      "value",
    ],
    [
      "a value around a placeholder",
      control("<w:text/>", run("outer ") + control("<w:showingPlcHdr/>", run("Choose")) + run("end")),
      "outer end",
    ],
  ])("have %s", async (_name, runs, text) => {
    expect(await textOf(p(run("x ") + runs))).toBe(`x ${text}`);
  });
});

describe("hidden text of Word", () => {
  const styles =
    `<w:styles><w:style w:type="character" w:styleId="H"><w:rPr><w:vanish/></w:rPr></w:style>` +
    `<w:style w:type="paragraph" w:styleId="HP"><w:rPr><w:vanish/></w:rPr></w:style>` +
    `<w:style w:type="paragraph" w:styleId="HC"><w:basedOn w:val="HP"/></w:style></w:styles>`;
  test.each([
    ["of a run", p(run("gone", "<w:vanish/>"), run("shown"))],
    ["of a run with a break", p(`<w:r><w:rPr><w:vanish/></w:rPr><w:t>gone</w:t><w:br/></w:r>`, run("shown"))],
    ["of a style", p(run("gone", `<w:rStyle w:val="H"/>`), run("shown"))],
    ["of a paragraph's style", p(`<w:pPr><w:pStyle w:val="HC"/></w:pPr>`, run("gone")) + p(run("shown"))],
    ["but not what is shown again", p(`<w:pPr><w:pStyle w:val="HP"/></w:pPr>`, run("shown", `<w:vanish w:val="0"/>`))],
    ["but not the text before a hidden mark", p(`<w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>`, run("shown"))],
  ])("is left out %s", async (_name, body) => {
    expect(await textOf(body, { "styles.xml": styles }, { s: ["styles", "styles.xml"] })).toBe("shown");
  });
});

describe("alternatives in Word", () => {
  const alternatives = (choice: string, fallback: string) =>
    `<mc:AlternateContent><mc:Choice Requires="wps">${choice}</mc:Choice><mc:Fallback>${fallback}</mc:Fallback></mc:AlternateContent>`;
  const box = (text: string) => `<w:txbxContent>${p(run(text))}</w:txbxContent>`;
  test.each([
    ["the first that says anything", alternatives(box("new"), box("old")), "new"],
    ["the other where that says nothing", alternatives("<w:drawing/>", box("old")), "old"],
    ["none where there is none", alternatives("<w:drawing/>", "<w:pict/>") + run("x"), "x"],
    ["nested ones", alternatives(alternatives("<w:drawing/>", box("inner")), box("old")), "inner"],
    ["no apology for a chart", alternatives(`<c:chart r:id="c"/>`, box("This chart is not available.")), ""],
    [
      "words about a picture of VML",
      `<w:pict><v:shape alt="A map of the harbour"/></w:pict>`,
      "[Image: A map of the harbour]",
    ],
    [
      "words about a group once",
      `<w:drawing><wp:docPr descr="A map of it"/><wpg:cNvPr descr="A map of it"/></w:drawing>`,
      "[Image: A map of it]",
    ],
  ])("have %s", async (_name, content, text) => {
    expect(await textOf(p(run("a")) + p(`<w:r>${content}</w:r>`))).toBe(text === "" ? "a" : `a\n\n${text}`);
  });
});

test("phonetic guides of Word are left out", async () => {
  const ruby = `<w:r><w:ruby><w:rubyPr/><w:rt>${run("かんじ")}</w:rt><w:rubyBase>${run("漢字")}</w:rubyBase></w:ruby></w:r>`;
  expect(await textOf(p(ruby, run("を読む")))).toBe("漢字を読む");
});

test.each([
  [[run("10"), run("6", `<w:vertAlign w:val="superscript"/>`), run(" cells")], "10^6 cells"],
  [
    [run("10"), run("−", `<w:vertAlign w:val="superscript"/>`), run("6", `<w:vertAlign w:val="superscript"/>`)],
    "10^−6",
  ],
  [
    [
      run("2"),
      run("nd", `<w:vertAlign w:val="superscript"/>`),
      run(" of m"),
      run("2", `<w:vertAlign w:val="superscript"/>`),
    ],
    "2nd of m2",
  ],
])("raised characters behind a number are an exponent: %#", async (runs, text) => {
  expect(await textOf(p(...runs))).toBe(text);
});
