import { describe, expect, test } from "bun:test";

import { headingsOf, read, textOf } from "../../../test/fixtures/parse/read.ts";
import { decodeTex } from "./tex.ts";

describe("TeX", () => {
  test.each([
    ['M\\"uller M{\\"u}ller M\\"{u}ller', "Müller Müller Müller"],
    ["caf\\'e na\\\"{\\i}ve \\^\\i le \\`a", "café naïve île à"],
    ["\\v{S}koda \\v Skoda \\c{c}a \\u{g} \\H{o} \\k{a} \\r{u}", "Škoda Škoda ça ğ ő ą ů"],
    ["Stra{\\ss}e \\o re {\\O}st \\L{}\\'od\\'z \\AA ngstr\\\"om \\oe uvre", "Straße øre Øst Łódź Ångström œuvre"],
    ["100\\% A \\& B \\#1 a\\_b", "100% A & B #1 a_b"],
    [
      'a\\\\"o" and \\verb|\\"u| and \\begin{verbatim}\\"u\\end{verbatim}',
      'a\\\\"o" and \\verb|\\"u| and \\begin{verbatim}\\"u\\end{verbatim}',
    ],
    [
      "\\textbf{bold} \\cite{x} \\url{x} $\\alpha+\\vec{u}$ \\overline",
      "\\textbf{bold} \\cite{x} \\url{x} $\\alpha+\\vec{u}$ \\overline",
    ],
    ["hyphen\\-ation", "hyphenation"],
    ["{\\'e}t\\'e}", "été}"],
  ])("%j is %j", (source, text) => {
    expect(decodeTex(source)).toBe(text);
  });

  test("has its headings and title decoded", async () => {
    const document = await read('\\title{\\"Uber uns}\n\\section{Gr\\"o\\ss e}\ntext', "a.tex");
    expect(headingsOf(document)).toEqual([[2, "Größe"]]);
    expect(document.title).toBe("Über uns");
  });

  test("of a bibliography has names and capitals whole, an entry a record", async () => {
    const bib =
      '@article{a, author = {M{\\"u}ller and Garc{\\\'i}a}, title = {{B}ayesian {DNA} m{E}thods}}\n@book{b, title = "x"}\n';
    const document = await read(bib, "a.bib");
    expect(document.text).toBe(
      '@article{a, author = {Müller and García}, title = {Bayesian DNA mEthods}}\n@book{b, title = "x"}\n',
    );
    expect(document.breaks.offsets).toHaveLength(2);
  });

  test("is read whatever stands in it", async () => {
    expect(await textOf("plain words", "a.tex")).toBe("plain words");
  });
});
