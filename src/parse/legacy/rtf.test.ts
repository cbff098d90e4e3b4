import { describe, expect, test } from "bun:test";

import { headingsOf, read, textOf } from "../../../test/fixtures/parse/read.ts";
import { fieldText } from "./field-text.ts";

const rtf = (body: string): string =>
  `{\\rtf1\\ansi{\\fonttbl{\\f0\\fcharset0 Arial;}{\\f3\\fnil\\fcharset2{\\*\\panose 05050102010706020507}Symbol;}{\\f4\\fcharset2 Wingdings;}{\\f5\\fcharset2 Barcode;}}\\f0 ${body}}`;

describe("RTF has the signs of symbol fonts", () => {
  test.each([
    ["gap 5 {\\f3 m}m and {\\f3 \\'b1}3", "gap 5 μm and ±3"],
    ["{\\f3 \\u-3999?}x {\\f3\\uc2 \\u-3919??}y", "αx ±y"],
    ["{\\f3 a \\'a3 b} is {\\f0 a}", "α ≤ β is a"],
    ["{\\f5 12x}", "12x"],
    ["\\u956?m \\u-10179?\\u-8704?", "μm 😀"],
    ['{\\field{\\*\\fldinst SYMBOL 109 \\\\f "Symbol" \\\\s 12}{\\fldrslt\\f3 }}m', "μm"],
    ["{\\field{\\*\\fldinst{ SYMBOL 177 \\\\f Symbol}}{\\fldrslt{\\f3\\'b1}}}5", "±5"],
    ["{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt link}}", "link"],
  ])("%j is %j", async (body, text) => {
    expect(await textOf(rtf(`${body}\\par`), "a.rtf")).toBe(text);
  });
});

describe("RTF ends with its own group", () => {
  test.each([
    ["{\\rtf1\\ansi hello\\par}TRAILING JUNK", "hello"],
    ["{\\rtf1\\ansi hello\\par}\0\0\n{\\rtf1 second\\par}", "hello"],
    ["{\\rtf1\\ansi hello\\par}}\\pard and more\\par}", "hello\n\nand more"],
    ["{\\rtf1\\ansi hello", "hello"],
  ])("%j is %j", async (source, text) => {
    expect(await textOf(source, "a.rtf")).toBe(text);
  });
});

describe("a field shows by its instruction", () => {
  test.each([
    [' EQ \\* jc2 \\* "Font:MS Mincho" \\* hps10 \\o\\ad(\\s\\up 9(とうきょう),東京)', "東京"],
    ["EQ \\o(\\s\\up 9(かん),漢)", "漢"],
    ["EQ \\o\\ac(○,1)", "1"],
    ["EQ \\f(1,2)", "1/2"],
    ["EQ \\f(a+b;2) + \\r(3,x)", "(a+b)/2 + √[3](x)"],
    ["EQ 10\\s\\up8(6) H\\s\\do4(2)O", "10^6 H2O"],
    ["EQ a\\,b", "a,b"],
    ['SYMBOL 109 \\f "Symbol" \\s 12', "μ"],
    ["SYMBOL 61537 \\f Symbol", "α"],
    ["SYMBOL 0x20AC \\u", "€"],
    ["HYPERLINK x", null],
    ["EQUATION", null],
    [`EQ ${"\\f(".repeat(5000)}`, ""],
  ])("%j: %j", (instruction, text) => {
    const shown = fieldText(instruction);
    if (text === "") expect(shown).not.toBeNull();
    else expect(shown).toBe(text);
  });
});

test("RTF says merged cells in each row", async () => {
  const defined = (merge: string) => `\\trowd${merge}\\cellx1000\\cellx2000\\intbl `;
  const rows =
    `${defined("")}Region\\cell Quarter\\cell\\row${defined("\\clvmgf")}EU\\cell Q1\\cell\\row` +
    `${defined("\\clvmrg")}\\cell Q2\\cell\\row${defined("")}US\\cell Q1\\cell\\row\\pard x\\par`;
  expect(await textOf(rtf(rows), "a.rtf")).toBe("Region | Quarter\nEU | Q1\nEU | Q2\nUS | Q1\n\nx");
});

describe("RTF has formulas as one line", () => {
  test.each([
    ["x={\\mmath{\\*\\moMath{\\mf{\\mnum{\\mr 12}}{\\mden{\\mr 34}}}}} ok", "x=12/34 ok"],
    ["{\\*\\moMathPara{\\*\\moMath{\\msSup{\\msSupPr{\\mctrlPr\\f0}}{\\me{\\mr\\f0 10}}{\\msup{\\mr 6}}}}}", "10^6"],
    ["{\\*\\moMath{\\mf{\\mfPr{\\mtype noBar}}{\\mnum{\\mr n}}{\\mden{\\mr k}}}}", "n choose k"],
    ["{\\*\\moMath{\\md{\\mdPr{\\mbegChr [}{\\mendChr ]}}{\\me{\\mr\\u945 ?}}}}", "[α]"],
  ])("%j is %j", async (body, text) => {
    expect(await textOf(rtf(`${body}\\par`), "a.rtf")).toBe(text);
  });
});

describe("RTF has what was chosen in old forms", () => {
  const field = (kind: string, form: string, result = "") =>
    `{\\field{\\*\\fldinst{ ${kind} }{{\\*\\formfield{${form}}}}}{\\fldrslt ${result}}}`;
  const colours = "{\\*\\ffname Colour}{\\*\\ffl red}{\\*\\ffl gr\\'fcn}";
  test.each([
    [field("FORMDROPDOWN", `\\fftype2\\ffres1\\ffhaslistbox${colours}`), "grün"],
    [field("FORMDROPDOWN", `\\fftype2\\ffres25\\ffdefres1${colours}`), "grün"],
    [field("FORMDROPDOWN", `\\fftype2\\ffres0${colours}`, "red"), "red"],
    [field("FORMCHECKBOX", "\\fftype1\\ffres1{\\*\\ffname Agreed}"), "☒"],
    [field("FORMCHECKBOX", "\\fftype1\\ffres25\\ffdefres0"), "☐"],
    [field("FORMTEXT", "\\fftype0{\\*\\ffdeftext none}", "typed"), "typed"],
  ])("%j is %j", async (body, text) => {
    expect(await textOf(rtf(`C: ${body}\\par`), "a.rtf")).toBe(`C: ${text}`);
  });
});

test("RTF has raised characters behind a number as an exponent", async () => {
  const text = await textOf(
    rtf("10{\\super 6} cells, 10\\super 9\\nosupersub , 2{\\super nd} H{\\sub 2}O\\par"),
    "a.rtf",
  );
  expect(text).toBe("10^6 cells, 10^9, 2nd H2O");
});

describe("the number of an RTF paragraph says nothing of the paragraph", () => {
  const mark = (word: string) => `{\\${word}\\pard\\plain\\s0\\f0 1.\\tab}`;
  test.each(["listtext", "pntext"])("in a group %s", async (word) => {
    const heading = await read(rtf(`\\pard\\outlinelevel0 ${mark(word)}Aim\\par\\pard text\\par`), "a.rtf");
    expect(headingsOf(heading)).toEqual([[1, "1. Aim"]]);
    const row = `\\trowd\\cellx1\\cellx2\\pard\\intbl ${mark(word)}first\\par ${mark(word)}second\\cell b\\cell\\row\\pard x\\par`;
    expect(await textOf(rtf(row), "a.rtf")).toBe("1. first 1. second | b\n\nx");
  });

  test("but the words behind it do", async () => {
    const document = await read(rtf(`\\pard ${mark("listtext")}\\outlinelevel1 Aim\\par`), "a.rtf");
    expect(headingsOf(document)).toEqual([[2, "1. Aim"]]);
  });
});

describe("RTF says of itself what the last group of a kind says", () => {
  test.each([
    ["{\\author Ada}{\\author Grace}", "Grace"],
    ["{\\author Ada}{\\author }", "Ada"],
    ["{\\author }{\\author Ada}", "Ada"],
    ["{\\author A{\\b d}a}", "Ada"],
    ["{\\upr{\\author ?}{\\*\\ud{\\author \\u381 Z}}}", "Ž"],
    ["{\\author Ada}{\\author }{\\author {\\i }}", "Ada"],
  ])("%s", async (info, author) => {
    const document = await read(rtf(`{\\info{\\title One}{\\title Two}${info}}text\\par`), "a.rtf");
    expect([document.title, document.metadata["author"]]).toEqual(["Two", author]);
  });
});

test("RTF has characters of two bytes whatever they are written as", async () => {
  const body = `{\\f0\\fcharset128 \\'93\\'fa\\'96{\\*\\x}\\'7b a${"\\'93\\'fa".repeat(5000)}\\par}`;
  const text = await textOf(`{\\rtf1\\ansi{\\fonttbl{\\f0\\fcharset128 MS;}}\\f0 ${body}}`, "a.rtf");
  expect(text.endsWith("日".repeat(5000))).toBe(true);
});
