import { describe, expect, test } from "bun:test";

import { makeEpub } from "../../../test/fixtures/parse/make-office.ts";
import { headingsOf, read, textOf } from "../../../test/fixtures/parse/read.ts";

const page = (body: string): string => `<!doctype html><html><head><title>T</title></head><body>${body}</body></html>`;

describe("HTML has", () => {
  const cases: [name: string, body: string, text: string][] = [
    [
      "boxes beside its text",
      "<div><h1>D</h1><aside><p>Never open the valve.</p></aside><p>x</p></div>",
      "D\n\nNever open the valve.\n\nx",
    ],
    ["buttons apart", "<p>x</p><button>Buy</button><button>Sell</button>", "x\n\nBuy Sell"],
    ["words without their soft hyphens", "<p>Donau&shy;dampf&shy;schiff</p>", "Donaudampfschiff"],
    ["formulas in the language of TeX", `<p>see <script type="math/tex">E=mc^2</script> there</p>`, "see E=mc^2 there"],
    [
      "cells that reach to the end of their group",
      "<table><tbody><tr><td rowspan=0>EU<td>Q1<tr><td>Q2</tbody><tbody><tr><td>US<td>Q1</tbody></table>",
      "EU | Q1\nEU | Q2\nUS | Q1",
    ],
    [
      "signs of symbol fonts",
      `<p>tol <span style="font-family:Symbol">\uf0b1</span>5 <font face="Symbol">m</font>m <span style="font-family:Symbol">±</span>2</p>`,
      "tol ±5 μm ±2",
    ],
    ["footers of quotations", "<blockquote>Cite<footer>Author</footer></blockquote><p>x</p>", "Cite\n\nAuthor\n\nx"],
    ["the footer of a page", "<h1>I</h1><footer><p>Example GmbH</p></footer>", "I\n\nExample GmbH"],
    [
      "panels and answers that open on demand",
      `<div style="display:none"><p>Answer</p></div><div hidden>Tab</div><section aria-hidden="true">More</section>`,
      "Answer\n\nTab\n\nMore",
    ],
    [
      "no hidden words amid others",
      `<p>one<span hidden>two</span> <i aria-hidden="true">icon</i><b style="display: none">x</b>three</p>`,
      "one three",
    ],
    [
      "dialogues that are open, and no others",
      "<dialog open><p>Open</p></dialog><dialog><p>Closed</p></dialog>",
      "Open",
    ],
    [
      "templates that are shown, and no others",
      `<template shadowrootmode="open"><p>Shown</p></template><template><p>Not</p></template>`,
      "Shown",
    ],
    ["no navigation", `<nav><a>Home</a></nav><div role="navigation">Menu</div><p>x</p>`, "x"],
    ["the contents of an article", "<article><nav>Contents</nav><p>x</p></article>", "Contents\n\nx"],
    [
      "labels of drawings",
      `<p>a</p><svg><title>no</title><style>.x{}</style><defs><text>not</text></defs><g><text>One</text><text>Two <tspan x="1">lines</tspan></text></g></svg><p>b</p>`,
      "a\n\nOne\n\nTwo lines\n\nb",
    ],
    [
      "the name of a drawing that is a picture",
      `<svg role="img"><title>Pump</title><path d="M0"/></svg><p>b</p>`,
      "Pump\n\nb",
    ],
    ["markup inside drawings", "<svg><foreignObject><div>Inside</div></foreignObject></svg>", "Inside"],
    [
      "words without their phonetic guides",
      "<p><ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>都、<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>を読む。</p>",
      "東京都、漢字を読む。",
    ],
    [
      "guides without end tags left out",
      "<p><ruby>漢<rt>かん<rb>字<rt>じ</ruby>を<ruby>読<rp>(<rt>よ<rp>)</ruby>む</p>",
      "漢字を読む",
    ],
    ["guides in containers left out", "<ruby><rb>東<rb>京<rtc><rt>とう<rt>きょう</rtc></ruby>", "東京"],
    [
      "elements of its own making as blocks",
      "<my-card><my-title>Title</my-title><my-body>Body</my-body></my-card><x-y>z</x-y>",
      "Title\n\nBody\n\nz",
    ],
    [
      "elements of its own making in a sentence",
      "<p>un<my-b>believ</my-b>able <my-a>x</my-a><my-a>y</my-a></p><div>See <my-link>docs</my-link> now</div>",
      "unbelievable x y\n\nSee docs now",
    ],
    [
      "elements of its own making at a sentence's start",
      "<p><my-em>Word</my-em>s here</p><h2><my-x>A</my-x>B</h2>",
      "Words here\n\nAB",
    ],
    [
      "fractions and powers of formulas",
      "<p>so <math><mi>x</mi><mo>=</mo><mfrac><mn>12</mn><mn>34</mn></mfrac></math> and <math><msup><mn>10</mn><mn>6</mn></msup></math>.</p>",
      "so x=12/34 and 10^6.",
    ],
    [
      "formulas of their own",
      `<p>a</p><math display="block"><mi>y</mi><mo>=</mo><msqrt><mn>2</mn></msqrt><annotation encoding="application/x-tex">\\sqrt</annotation></math><p>b</p>`,
      "a\n\ny=√2\n\nb",
    ],
    [
      "powers apart from their numbers",
      "<p>10<sup>6</sup> m, 10<sup>-3</sup>, H<sub>2</sub>O, m<sup>2</sup>, 20<sup>th</sup>, 1999<sup><a href='#1'>3</a></sup></p>",
      "10^6 m, 10^-3, H2O, m2, 20th, 19993",
    ],
    ["nothing of mail's invisible fillers", "<div>\u200c\u00a0\u200c\u00a0\ufeff</div><p>x</p>", "x"],
  ];
  for (const [name, body, text] of cases) {
    test(name, async () => {
      expect(await textOf(page(body), "a.html")).toBe(text);
    });
  }

  test("formulas of a book whose names have a prefix", async () => {
    const book = makeEpub(["<p>x=<m:math><m:mfrac><m:mn>12</m:mn><m:mn>34</m:mn></m:mfrac></m:math>!</p>"]);
    expect(await textOf(book, "a.epub")).toBe("x=12/34!");
  });

  test("footnotes and boxes of a book", async () => {
    const book = makeEpub([
      `<h1>One</h1><p>text<a epub:type="noteref">1</a></p><aside epub:type="footnote"><p>The note</p></aside>`,
    ]);
    expect(await textOf(book, "a.epub")).toBe("One\n\ntext1\n\nThe note");
  });
});

describe("a fragment of HTML is read as such under other names", () => {
  test.each([
    [
      '<meta charset="utf-8"><style>td{mso-number-format:"\\@"}</style><table><tr><td>Größe</td><td>7</td></tr></table>',
      "a.xls",
      "Größe | 7",
    ],
    ["<style>p{}</style><p>Words</p>", "a.doc", "Words"],
    ["<center><b>Title</b></center>", "page", "Title"],
    ["<font face=Arial>One<br>Two</font>", "a.txt", "One\nTwo"],
    ["<!-- made by x --><body bgcolor=white><p>Words</p></body>", "a.dat", "Words"],
    ["\n <BODY><P>Words</P></BODY>", "a.xls", "Words"],
    ["<link rel=stylesheet href=x><h1>Head</h1>", "", "Head"],
    ["<ol><li>a</li></ol>", "list", "1. a"],
  ])("%j", async (html, filename, text) => {
    expect(await textOf(html, filename)).toBe(text);
  });

  test("in the charset that it declares", async () => {
    const html = Buffer.from(
      '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><table><tr><td>\xcf\xf0\xe8\xe2\xe5\xf2</td></tr></table>',
      "latin1",
    );
    expect(await textOf(html, "a.xls")).toBe("Привет");
  });

  test("whatever number of comments stands before it", async () => {
    expect(await textOf(`${"<!---->\n".repeat(400)}<p>Words</p>`, "a.xls")).toBe("Words");
    expect((await read(`${"<!---->".repeat(2000)}x</p>`, "a.dat")).kind).toBe("text");
  });

  test("but text that begins with a mark of another kind is not", async () => {
    expect((await read("<T> is a parameter, see <b>", "a.txt")).kind).toBe("text");
    expect((await read("<s> and then", "notes")).kind).toBe("text");
    expect(headingsOf(await read("<p>x</p>\n\n# A\n", "a.md"))).toEqual([[1, "A"]]);
  });
});

test.each([
  ["<tbody><tr><td>a</td><td>b</td></tr></tbody>", "a | b"],
  ["\n<tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr>", "a | b\n1 | 2"],
  ["<nobr>Hello <b>x</b></nobr><p>y</p>", "Hello x\n\ny"],
  ["<basefont face=Arial><p>Hello</p>", "Hello"],
])("a piece of a page named .xls is read: %p", async (html, text) => {
  expect(await textOf(html, "a.xls")).toBe(text);
});
