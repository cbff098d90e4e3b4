import { expect, test } from "bun:test";

import { makeOle, u16, u32, utf16 } from "../../../test/fixtures/parse/make-ole.ts";
import { headingsOf, read } from "../../../test/fixtures/parse/read.ts";

const CONTAINER = 15;

function record(type: number, head: number, ...data: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(data);
  return Buffer.concat([u16(head), u16(type), u32(body.length), body]);
}

const text = (kind: number, words: string): Uint8Array =>
  Buffer.concat([record(3999, 0, u32(kind)), record(4000, 0, utf16(words))]);

/** A presentation of one slide: what its outline says, and what stands in boxes on it. */
function makePpt(outline: Uint8Array, boxes: Uint8Array[], directory: number, title = ""): Uint8Array {
  const persist = record(1011, 0, u32(1), u32(0), u32(0), u32(256), u32(0));
  const document = record(1000, CONTAINER, record(4080, CONTAINER, persist, outline));
  const slide = record(1006, CONTAINER, record(1036, CONTAINER, ...boxes));
  const places = record(directory, 0, u32(1 | (1 << 20)), u32(document.length));
  const stream = Buffer.concat([document, slide, places]);
  return makeOle({
    "PowerPoint Document": stream,
    ...(title === "" ? {} : { "\u0005SummaryInformation": summary(title) }),
  });
}

/** What the file says of itself: one property, its title. */
function summary(title: string): Uint8Array {
  const value = Buffer.concat([utf16(title), u16(0)]);
  const section = Buffer.concat([u32(0), u32(1), u32(2), u32(16), u32(31), u32(title.length + 1), value]);
  return Buffer.concat([new Uint8Array(44), u32(48), section]);
}

test.each([
  ["of one save", 6002],
  ["of the whole file", 6001],
])("a presentation's title stands in its outline or in a box, found by the directory %s", async (_name, directory) => {
  const inOutline = makePpt(text(0, "Outline title"), [record(0xf00d, CONTAINER, text(4, "Boxed"))], directory);
  expect(headingsOf(await read(inOutline, "a.ppt"))).toEqual([[1, "Outline title"]]);
  expect((await read(inOutline, "a.ppt")).text).toBe("Outline title\n\nBoxed");
  const inBox = makePpt(
    new Uint8Array(),
    [record(0xf00d, CONTAINER, text(6, "Boxed title")), record(0xf00d, 0, text(1, "Points"))],
    directory,
  );
  expect(headingsOf(await read(inBox, "a.ppt"))).toEqual([[1, "Boxed title"]]);
  expect((await read(inBox, "a.ppt")).text).toBe("Boxed title\n\nPoints");
});

test.each([
  ["Plans for 1998", "Plans for 1998"],
  ["Introduction to PowerPoint tables", "Introduction to PowerPoint tables"],
  ["", "Slide's own"],
  ["No Slide Title", "Slide's own"],
  ["Ingen lysbildetittel", "Slide's own"],
  ["PowerPoint Presentation", "Slide's own"],
  ["Apresentação do PowerPoint", "Slide's own"],
  ["スライド 1", "Slide's own"],
])("a presentation that calls itself %j has the title %j", async (stated, title) => {
  const file = makePpt(text(0, "Slide's own"), [], 6002, stated);
  expect((await read(file, "a.ppt")).title).toBe(title);
});

test("a presentation has no text that its last save has replaced", async () => {
  const persist = record(1011, 0, u32(1), u32(0), u32(0), u32(256), u32(0));
  const version = (title: string): Uint8Array =>
    record(1000, CONTAINER, record(4080, CONTAINER, persist, text(0, title)));
  const stream = Buffer.concat([version("Old title"), version("New title")]);
  expect((await read(makeOle({ "PowerPoint Document": stream }), "a.ppt")).text).toBe("New title");
});
