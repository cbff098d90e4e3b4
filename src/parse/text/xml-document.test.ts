import { expect, test } from "bun:test";

import { textOf } from "../../../test/fixtures/parse/read.ts";

test.each([
  [
    "elements amid text in its line",
    "<doc><p>The H<sub>2</sub>O and <b>un</b>believable</p></doc>",
    "The H2O and unbelievable",
  ],
  [
    "an element that begins a text",
    "<doc><p>a <b>x</b> b</p><p><b>un</b>believable</p></doc>",
    "a x b\n\nunbelievable",
  ],
  ["elements inside such", "<doc><p>a <b><i>un</i>der</b>line</p></doc>", "a underline"],
  [
    "DocBook",
    "<book><title>T</title><para>Use <command>foo</command>bar <emphasis>very</emphasis>long.</para><para>Next</para></book>",
    "T\n\nUse foobar verylong.\n\nNext",
  ],
  ["fields, which are lines", "<r><row><a>1</a><b>2</b></row><row><a>3</a><b>4</b></row></r>", "1\n2\n\n3\n4"],
  [
    "lists and tables amid text",
    "<d><para>See <list><item>one</item><item>two</item></list> and <table><row><c>1</c><c>2</c></row></table></para></d>",
    "See\none\ntwo\nand\n1\n2",
  ],
  ["paragraphs beside stray text", "<body>stray<p>one</p><p>two</p></body>", "stray\n\none\n\ntwo"],
  ["line breaks amid a word", `<d><l>unbeliev<lb break="no"/>able</l></d>`, "unbelievable"],
  ["names of HTML", "<d><l>M&uuml;ller &amp;uuml; &ndash; x</l></d>", "Müller &uuml; – x"],
  ["texts of a program", `<resources><string>It\\'s M\\u00fcller</string></resources>`, "It's Müller"],
  ["line breaks", "<d><l>one<lb/>two</l></d>", "one\ntwo"],
  [
    "formulas",
    '<article xmlns:mml="m"><p>for <mml:math><mml:mfrac><mml:mn>12</mml:mn><mml:mn>34</mml:mn></mml:mfrac></mml:math> of it</p></article>',
    "for 12/34 of it",
  ],
  [
    "names of elements amid text behind it",
    '<d><p>see <link title="The manual">here</link>.</p></d>',
    "see here.\nThe manual",
  ],
])("XML keeps %s", async (_name, xml, text) => {
  expect((await textOf(`<?xml version="1.0"?>${xml}`, "a.xml")).replace(/\n{3,}/g, "\n\n")).toBe(text);
});
