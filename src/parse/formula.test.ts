import { describe, expect, test } from "bun:test";

import { FormulaReader } from "./formula.ts";
import { readXmlText } from "./xml.ts";

/** The xml reader hands over local names; attributes keep their prefix. */
function line(xml: string): string {
  const reader = new FormulaReader();
  let out = "";
  readXmlText(xml, {
    open: (name, attributes) => reader.open(name, attributes),
    text: (text) => reader.text(text),
    close: () => {
      out = reader.close() ?? out;
    },
  });
  return out;
}

describe("formulas of Office", () => {
  const t = (text: string) => `<m:r><m:rPr><m:sty m:val="p"/></m:rPr><m:t>${text}</m:t></m:r>`;
  const part = (name: string, inner: string) => `<m:${name}>${inner}</m:${name}>`;
  const e = (inner: string) => part("e", inner);
  const f = (above: string, below: string, more = "") => part("f", more + part("num", above) + part("den", below));
  const nary = (sign: string, sub: string, sup: string, inner: string) =>
    part("nary", `<m:naryPr><m:chr m:val="${sign}"/></m:naryPr>${part("sub", sub)}${part("sup", sup)}${e(inner)}`);
  const row = (...cells: string[]) => part("mr", cells.map((cell) => e(t(cell))).join(""));
  const matrix = part("m", row("1", "2") + row("3", "4"));
  const delimited = (begin: string, end: string, inner: string) =>
    part("d", `<m:dPr><m:begChr m:val="${begin}"/><m:endChr m:val="${end}"/></m:dPr>${e(inner)}`);

  test.each([
    ["a fraction", t("x=") + f(t("12"), t("34")), "x=12/34"],
    ["a fraction of sums", f(t("a+b"), t("2c")), "(a+b)/(2c)"],
    ["a mixed number", t("2") + f(t("1"), t("2")), "2 1/2"],
    ["a fraction before a letter", f(t("1"), t("2")) + t("mv"), "1/2 mv"],
    ["a nested fraction", f(t("1"), f(t("2"), t("3"))), "1/(2/3)"],
    ["a power", t("E=m") + part("sSup", e(t("c")) + part("sup", t("2"))), "E=mc^2"],
    ["a power of ten", part("sSup", e(t("10")) + part("sup", t("6"))), "10^6"],
    ["a negative power", part("sSup", e(t("10")) + part("sup", t("-6"))), "10^(-6)"],
    ["a number before a power", t("3·2") + part("sSup", e(t("10")) + part("sup", t("6"))), "3·2 10^6"],
    ["an index", part("sSub", e(t("v")) + part("sub", t("max"))), "v_max"],
    ["index and power", part("sSubSup", e(t("x")) + part("sub", t("i")) + part("sup", t("2"))) + t("y"), "x_i^2 y"],
    ["scripts before", part("sPre", part("sub", t("6")) + part("sup", t("14")) + e(t("C"))), "_6^14 C"],
    ["a root", part("rad", `<m:deg/>${e(t("16"))}`), "√16"],
    ["a cube root", part("rad", part("deg", t("3")) + e(t("a+b"))), "∛(a+b)"],
    ["a root of another degree", part("rad", part("deg", t("n")) + e(t("x"))), "√[n]x"],
    ["a sum with bounds", nary("∑", t("i=1"), t("10"), t("25")), "∑_(i=1)^10 25"],
    ["an integral", part("nary", part("sub", t("0")) + part("sup", t("1")) + e(t("xdx"))), "∫_0^1 xdx"],
    ["a matrix", t("A=") + matrix, "A=[1, 2; 3, 4]"],
    ["a matrix in brackets", delimited("(", ")", matrix), "(1, 2; 3, 4)"],
    ["cases", delimited("{", "", part("eqArr", e(t("x, x>0")) + e(t("0, x≤0")))), "{x, x>0; 0, x≤0"],
    ["a binomial", delimited("(", ")", f(t("n"), t("k"), `<m:fPr><m:type m:val="noBar"/></m:fPr>`)), "(n choose k)"],
    ["a function", part("func", part("fName", t("sin")) + e(t("x"))), "sin x"],
    ["a function of brackets", part("func", part("fName", t("cos")) + e(part("d", e(t("2x"))))), "cos(2x)"],
    [
      "a limit",
      part("func", part("fName", part("limLow", e(t("lim")) + part("lim", t("x→0")))) + e(f(t("1"), t("x")))),
      "lim_(x→0) 1/x",
    ],
    ["an accent", part("acc", e(t("x"))), "x̂"],
    ["a bar", part("bar", `<m:barPr><m:pos m:val="top"/></m:barPr>${e(t("AB"))}`), "bar(AB)"],
    ["a vector", part("acc", `<m:accPr><m:chr m:val="⃗"/></m:accPr>${e(t("AB"))}`), "vec(AB)"],
    ["several parts in brackets", part("d", e(t("a")) + e(t("b"))), "(a|b)"],
    ["text cut into runs", t("1") + t("2") + t("3"), "123"],
    ["mathematical letters", t("𝑥+𝟐"), "x+2"],
    ["what is not shown", part("phant", `<m:phantPr><m:show m:val="0"/></m:phantPr>${e(t("x"))}`) + t("y"), "y"],
    ["nothing", "", ""],
  ])("keep %s", (_name, xml, text) => {
    expect(line(`<m:oMath xmlns:m="m">${xml}</m:oMath>`)).toBe(text);
  });
});

describe("formulas of MathML", () => {
  const cells = `<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable>`;
  test.each([
    ["a fraction", "<mi>x</mi><mo>=</mo><mfrac><mn>12</mn><mn>34</mn></mfrac>", "x=12/34"],
    ["a power", "<msup><mn>10</mn><mn>6</mn></msup>", "10^6"],
    ["a power of a product", "<mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup>", "E=mc^2"],
    ["a group", "<msup><mi>e</mi><mrow><mo>-</mo><mi>x</mi></mrow></msup>", "e^(-x)"],
    [
      "a sum with bounds",
      "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mn>10</mn></munderover><mn>25</mn>",
      "∑_(i=1)^10 25",
    ],
    ["an integral", "<msubsup><mo>∫</mo><mn>0</mn><mn>1</mn></msubsup><mi>x</mi>", "∫_0^1 x"],
    ["numbers apart", "<mn>12</mn><mn>34</mn>", "12 34"],
    ["invisible times", "<mn>2</mn><mo>&#x2062;</mo><mi>x</mi>", "2x"],
    ["function application", "<mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>", "sin x"],
    ["words", "<mi>rate</mi><mo>=</mo><mtext>net income</mtext>", "rate=net income"],
    ["a root", "<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", "√(a+b)"],
    ["a root with a degree", "<mroot><mi>x</mi><mn>3</mn></mroot>", "∛x"],
    ["a matrix", cells, "[1, 2; 3, 4]"],
    ["a matrix in brackets", `<mrow><mo>(</mo>${cells}<mo>)</mo></mrow>`, "(1, 2; 3, 4)"],
    ["a matrix in a fence", `<mfenced open="|" close="|">${cells}</mfenced>`, "|1, 2; 3, 4|"],
    ["a fence", "<mi>f</mi><mfenced><mi>x</mi><mi>y</mi></mfenced>", "f(x,y)"],
    ["an accent", "<mover><mi>x</mi><mo>¯</mo></mover>", "x̄"],
    ["a limit", "<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder><mi>f</mi>", "lim_(x→0) f"],
    ["scripts before", "<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "_6^14 C"],
    ["a binomial", `<mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac>`, "n choose k"],
    [
      "the formula, not its source",
      `<semantics><mrow><mi>x</mi></mrow><annotation encoding="application/x-tex">\\LaTeX</annotation></semantics>`,
      "x",
    ],
  ])("keep %s", (_name, xml, text) => {
    expect(line(`<mml:math xmlns:mml="m">${xml}</mml:math>`)).toBe(text);
  });

  test("nested without end keep their text", () => {
    const deep = 5000;
    expect(line(`<math>${"<msup><mi>x</mi>".repeat(deep)}<mn>7</mn>${"</msup>".repeat(deep)}</math>`)).toContain("7");
  });
});
