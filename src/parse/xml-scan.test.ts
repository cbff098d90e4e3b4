import { expect, test } from "bun:test";
import { runSeed, seededRandom } from "../../test/helpers/random.ts";
import { readForgivingly, readXmlText, type XmlHandler } from "./xml.ts";
import { scanXml } from "./xml-scan.ts";

/** What a reader is told, one line an event. */
function events(read: (handler: XmlHandler) => void): string[] {
  const said: string[] = [];
  read({
    open: (name, attributes) => said.push(`<${name} ${JSON.stringify(Object.entries(attributes))}`),
    text: (text) => said.push(text),
    close: (name) => said.push(`/${name}`),
  });
  return said;
}

const scanned = (text: string): string[] => events((handler) => readXmlText(text, handler));
const forgiving = (text: string): string[] => events((handler) => readForgivingly(text, { at: 0, open: [] }, handler));

const WELL_FORMED = [
  `<?xml version="1.0" encoding="UTF-8"?>\n<w:p xml:space='preserve' w:id="1"><w:r><w:t>a &amp; b &#x4e2d;&#20013;</w:t></w:r><w:br/></w:p>\n`,
  `<a x="&lt;&quot;&apos;&gt;" y='"' z=""><!-- <b> --><![CDATA[<c> & ]]]]><![CDATA[>]]></a >`,
  `<a><b/><b /><b\n\tc="1"\r\n d="2"/>tail</a>`,
  `<a b="1"b="2" c="3">twice</a>`,
  "<a>\u4e2d\u6587 \u{1f600}<\u00e9l\u00e9ment \u00e0='\u00fc'/></a>",
  `<a><?p q?> <?p ? > ?>text</a>after`,
  `<a constructor="x" __proto__="y" toString="z"/>`,
];

test.each(WELL_FORMED)("what is well-formed is read to its end: %s", (text) => {
  expect(scanXml(text, 0, {})).toBeNull();
  expect(scanned(text)).toEqual(forgiving(text));
});

const ODD = [
  "<a><b>never closed",
  "<a><b></a></b>",
  "</a><b></b></c>",
  `<a b=c d>e</a>`,
  `<a b = "c" / >d</a>`,
  "<a>1 < 2 && 3 > 2 &amp &nbsp; &toString; &#0; &#xd800; &#x110000; &#150; &;</a>",
  "<!ELEMENT a><a><!- x -><!-- a -- b --><!-- c --!><!---->d</a>",
  "<a",
  '<a b="c',
  "<a>b</a",
  "<",
  "a<",
  "<a>&",
  "<a>&am",
  "<a><![CDATA[b",
  "<a><!-- b",
  "<a><?b",
  "<a/b/><=c=/><//></ a></>",
  "<a><b><c>\u0000 & </c></b>",
];

test.each(ODD)("whatever else there is reads as the forgiving reader has it: %s", (text) => {
  expect(scanned(text)).toEqual(forgiving(text));
});

test("damaged documents say the same to both readers", () => {
  const random = seededRandom(runSeed("damaged XML"));
  const pieces = [
    ..."<>/&;=\"'!-[]?ab :#x1\n",
    "<a>",
    "</a>",
    "<b c='d'/>",
    "&amp;",
    "]]>",
    "-->",
    "<!--",
    "<![CDATA[",
    "?>",
  ];
  for (let i = 0; i < 4000; i++) {
    let text = WELL_FORMED[random.below(WELL_FORMED.length)]!;
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      const at = random.below(text.length + 1);
      const piece = pieces[random.below(pieces.length)]!;
      text = text.slice(0, at) + (random.below(4) === 0 ? "" : piece) + text.slice(at + random.below(4));
    }
    expect([text, ...scanned(text)]).toEqual([text, ...forgiving(text)]);
  }
});

test("what is open where a document stops being well-formed is told", () => {
  expect(scanXml("<a><w:b>x</w:b><w:c>y & z</w:c></a>", 0, {})).toEqual({ at: 20, open: ["a", "w:c"] });
});
