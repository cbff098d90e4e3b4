import { expect, test } from "bun:test";

import { makeDocx, makeZip } from "../../test/fixtures/parse/make-office.ts";
import { headingsOf, read, textOf } from "../../test/fixtures/parse/read.ts";

test("lists in lists are indented as far as somebody could read them", async () => {
  expect(await textOf(`<html>${"<ul><li>a".repeat(300)}`, "a.html")).toBe("- a\n".repeat(300).trim());
  // A cell shows the blanks of its lines to whoever measures it: none of them is longer than a hundred levels.
  const { text } = await read(`<table><tr><td>x</td><td>${"<ul><li>a".repeat(5000)}`, "a.html");
  expect(text.match(/a/g)).toHaveLength(5000);
  expect(text.length).toBeLessThan(5000 * 210);
});

test("tables in tables keep all their text, and what follows them is a table again", async () => {
  const nested = `${"<table><tr><td>a</td><td>b".repeat(120)}${"</td></tr></table>".repeat(120)}`;
  const text = await textOf(`<html>${nested}<table><tr><td>x</td><td>y</td></tr></table>`, "a.html");
  expect(text.match(/a/g)).toHaveLength(120);
  expect(text.match(/b/g)).toHaveLength(120);
  expect(text.endsWith("x | y")).toBe(true);
  const cell = (said: string) => `<w:tc><w:p><w:r><w:t>${said}</w:t></w:r></w:p>`;
  const table = `<w:tbl><w:tr>${cell("x")}</w:tc>${cell("y")}</w:tc></w:tr></w:tbl>`;
  const body = `${`<w:tbl><w:tr>${cell("a")}`.repeat(120)}${"</w:tc></w:tr></w:tbl>".repeat(120)}${table}`;
  const said = await textOf(makeDocx(body), "a.docx");
  expect(said.match(/a/g)).toHaveLength(120);
  expect(said.endsWith("x | y")).toBe(true);
});

test("a table may have more rows than a function has arguments", async () => {
  const text = await textOf(`<table>${"<tr><td>a</td><td>b</td></tr>".repeat(70_000)}</table>`, "a.html");
  expect(text.startsWith("a | b\na | b\n")).toBe(true);
}, 60_000);

test("passages are given the beginning of a long heading, of whole characters", async () => {
  const long = `${"x".repeat(999)}😀${"y".repeat(2000)}`;
  for (const [content, name] of [
    [`<h1>${long}</h1><p>words</p>`, "a.html"],
    [`# ${long} #\nwords`, "a.md"],
  ] as const) {
    const document = await read(content, name);
    expect(headingsOf(document)).toEqual([[1, "x".repeat(999)]]);
    expect(document.text).toContain(long);
  }
});

test("lines of code with many signs between words are no puzzle", async () => {
  const line = `a ${"&& *b ".repeat(45)}{`;
  expect(await textOf(`${line}\n`.repeat(20), "a.cpp")).toContain(line);
});

test("a book has each file of its spine once", async () => {
  const book = makeZip({
    mimetype: "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="c.opf"/></rootfiles></container>',
    "c.opf": `<package><manifest><item id="a" href="a.xhtml"/><item id="b" href="a.xhtml#2"/></manifest><spine>${'<itemref idref="a"/><itemref idref="b"/>'.repeat(9)}</spine></package>`,
    "a.xhtml": "<html><body><p>chapter</p></body></html>",
  });
  expect(await textOf(book, "a.epub")).toBe("chapter");
});

test("a closing tag that closes nothing changes nothing", async () => {
  const markup =
    "<p>a<b>b<i>c</u>d</b>e</i>f</div>g</p><form><form>h</form>i<svg><foreignObject>j</foreignobject></svg>k";
  expect(await textOf(`<html>${markup}`, "a.html")).toBe("abcdefg\n\nh\n\ni\n\nj\n\nk");
});
