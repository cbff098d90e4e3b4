import { describe, expect, test } from "bun:test";

import { linesAt, makePdf } from "../../../test/fixtures/parse/make-pdf.ts";
import type { PdfLayers, PdfPageSpec, PlacedText } from "../../../test/fixtures/parse/make-pdf.ts";
import { parseDocument } from "../parse.ts";

async function textOf(pages: PdfPageSpec[], layers?: PdfLayers): Promise<string> {
  const result = await parseDocument({ bytes: makePdf(pages, {}, layers), filename: "a.pdf", contentType: null });
  if (!result.ok) throw new Error(result.error.message);
  return result.document.text;
}

const paint = (items: PlacedText[]) => textOf([{ items }]);
const twice = (text: string, dx: number, dy: number, size = 14): PlacedText[] => [
  { text, x: 72, y: 700, size },
  { text, x: 72 + dx, y: 700 + dy, size },
];
/** Each letter painted by itself, `times` over. */
const letters = (text: string, { step = 9, dx = 0, times = 1 }: { step?: number; dx?: number; times?: number }) =>
  [...text].flatMap((letter, i) =>
    Array.from({ length: letter === " " ? 0 : times }, (_, n) => ({
      text: letter,
      x: 72 + step * i + dx * n,
      y: 700,
      size: 12,
    })),
  );

describe("text painted again over itself is read once", () => {
  const SHADOWED: [string, PlacedText[], string][] = [
    ["at the same place", twice("SAFETY NOTICE", 0, 0), "SAFETY NOTICE"],
    ["a little to the right", twice("SAFETY NOTICE", 0.3, 0), "SAFETY NOTICE"],
    ["as a shadow below", twice("Quarterly Report", 1.5, -1.5, 24), "Quarterly Report"],
    ["as an amount", twice("1,250.00 EUR", 0.4, 0), "1,250.00 EUR"],
    ["as one digit", twice("7", 0.3, 0), "7"],
    ["three times", [...twice("DRAFT", 0.3, 0), { text: "DRAFT", x: 72.6, y: 700, size: 14 }], "DRAFT"],
    ["letter by letter", letters("WARNING", { step: 12, dx: 0.4, times: 2 }), "WARNING"],
    ["in two pieces", [...twice("left", 0.2, 0), ...twice("left right", 0.4, 0)], "left right"],
    [
      "after the rest of the page",
      [
        { text: "Title", x: 72, y: 700, size: 20 },
        ...linesAt(["Text below it."], 72, 600),
        ...twice("Title", 0, 0, 20),
      ],
      "Title\n\nText below it.",
    ],
  ];
  test.each(SHADOWED)("%s", async (_name, items, expected) => {
    expect(await paint(items)).toBe(expected);
  });

  const REPEATED: [string, PlacedText[], string][] = [
    ["on the next line", linesAt(["0.00", "0.00", "0.00"], 72, 700), "0.00 0.00 0.00"],
    ["in the next cell", [0, 60, 120].map((x) => ({ text: "n/a", x: 72 + x, y: 700 })), "n/a\tn/a\tn/a"],
    ["as double letters", [{ text: "bookkeeper skill 11 ......", x: 72, y: 700 }], "bookkeeper skill 11 ......"],
    ["as narrow letters one by one", letters("llll", { step: 2.7 }), "llll"],
    ["closely leaded", linesAt(["same words", "same words"], 72, 700, 10, 6), "same words same words"],
  ];
  test.each(REPEATED)("and kept where it is repeated: %s", async (_name, items, expected) => {
    expect((await paint(items)).replace(/\n(?=same)/, " ")).toBe(expected);
  });
});

describe("letter-spaced text is joined to its words", () => {
  const spaced = (text: string, tracking: number, size = 14): PlacedText[] => [{ text, x: 72, y: 700, size, tracking }];
  const cases: [string, PlacedText[], string][] = [
    ["a fifth of an em", spaced("CHAPTER ONE", 2.6), "CHAPTER ONE"],
    ["a third of an em", spaced("CHAPTER ONE", 5), "CHAPTER ONE"],
    ["most of an em", spaced("CHAPTER ONE", 9), "CHAPTER ONE"],
    ["with digits", spaced("INVOICE 2024", 4), "INVOICE 2024"],
    ["short words", spaced("THE END", 4), "THE END"],
    ["accents and kerning", spaced("AVANTI TÖGETHER", 4), "AVANTI TÖGETHER"],
    ["letter by letter", letters("CONTENTS", { step: 14 }), "CONTENTS"],
    ["letter by letter at one pitch", letters("WARNING PAINT", { step: 8 }), "WARNING PAINT"],
    [
      "within a line of other text",
      [
        { text: "das ist", x: 72, y: 700, size: 10 },
        { text: "sehr", x: 105, y: 700, size: 10, tracking: 2 },
        { text: "wichtig", x: 137, y: 700, size: 10 },
      ],
      "das ist sehr wichtig",
    ],
  ];
  test.each(cases)("%s", async (_name, items, expected) => {
    expect(await paint(items)).toBe(expected);
  });

  const kept: [string, PlacedText[], string][] = [
    ["letters that name things", letters("ABCDE", { step: 14 }), "A B C D E"],
    ["digits on an axis", letters("12345", { step: 14 }), "1 2 3 4 5"],
    ["words of one letter", [{ text: "I a m x o y z", x: 72, y: 700 }], "I a m x o y z"],
    ["a formula", letters("k=i+i", { step: 9 }), "k = i + i"],
    [
      "words and names of one letter",
      [...letters("a b c", { step: 4 })].map((item) => ({ ...item, size: 6 })),
      "a b c",
    ],
    ["ordinary text", [{ text: "to be or not to be", x: 72, y: 700 }], "to be or not to be"],
  ];
  test.each(kept)("and left alone: %s", async (_name, items, expected) => {
    expect(await paint(items)).toBe(expected);
  });
});

describe("scripts", () => {
  /** Text at 12 points and scripts at 7, each where the one before it ends, `gap` points on. */
  const scripts = (parts: [text: string, rise: number, width: number][], gap = 0): PlacedText[] => {
    let x = 72;
    return parts.map(([text, rise, width]) => {
      const item = { text, x, y: 700 + rise, size: rise === 0 ? 12 : 7 };
      x += width + gap;
      return item;
    });
  };
  const cases: [string, PlacedText[], string][] = [
    ["H2O", scripts([["H", 0, 8.67], ["2", -4, 3.9], ["O", 0, 9.3]]), "H2O"], // prettier-ignore
    ["H2O set wide", scripts([["H", 0, 8.67], ["2", -4, 3.9], ["O", 0, 9.3]], 1.2), "H2O"], // prettier-ignore
    ["CO2", scripts([["CO", 0, 18], ["2", -3, 3.9], [" emissions", 0, 50]], 1.5), "CO2 emissions"], // prettier-ignore
    ["m2", scripts([["40 m", 0, 26.7], ["2", 5, 3.9]], 0.5), "40 m2"], // prettier-ignore
    ["a power", scripts([["10", 0, 13.3], ["6", 5, 3.9]]), "10^6"], // prettier-ignore
    ["an ordinal", scripts([["21", 0, 13.3], ["st", 5, 5.5], [" century", 0, 40]]), "21st century"], // prettier-ignore
    ["a footnote's mark", scripts([["refunds", 0, 40], ["12", 5, 7.8], [" are paid", 0, 40]]), "refunds 12 are paid"], // prettier-ignore
    ["a mark after a sentence", scripts([["It ends.", 0, 40], ["3", 5, 3.9]]), "It ends. 3"], // prettier-ignore
    ["an ion", scripts([["SO", 0, 17.3], ["4", -3, 3.9], ["2-", 5, 6.2]]), "SO4^2-"], // prettier-ignore
  ];
  test.each(cases)("%s", async (_name, items, expected) => {
    expect(await paint(items)).toBe(expected);
  });
});

describe("layers", () => {
  const raw = (layer: string) =>
    `BT /F1 12 Tf 72 700 Td (Seen by all.) Tj ET /OC /${layer} BDC BT /F1 12 Tf 72 650 Td (On a layer.) Tj ET EMC BT /F1 12 Tf 72 600 Td (The end.) Tj ET`;
  const shown = "Seen by all.\n\nOn a layer.\n\nThe end.";
  const hidden = "Seen by all.\n\nThe end.";
  const cases: [string, string, PdfLayers, string][] = [
    ["on", "L0", { on: [true] }, shown],
    ["off", "L0", { on: [false] }, hidden],
    ["in a file without layers", "L0", { on: [] }, shown],
    ["off as base state, switched on", "L0", { on: [true, false], defaults: "/BaseState/OFF" }, shown],
    ["one of two", "C", { on: [true, false], conditions: { C: "<</Type/OCMD/OCGs[L0 L1]>>" } }, shown],
    ["all of two", "C", { on: [true, false], conditions: { C: "<</Type/OCMD/OCGs[L0 L1]/P/AllOn>>" } }, hidden],
    ["an expression", "C", { on: [true, false], conditions: { C: "<</Type/OCMD/VE[/Not L0]>>" } }, hidden],
    ["a condition without layers", "C", { on: [false], conditions: { C: "<</Type/OCMD>>" } }, shown],
    ["a name that is nowhere", "L7", { on: [false] }, shown],
  ];
  test.each(cases)("%s", async (_name, layer, layers, expected) => {
    expect(await textOf([{ items: [], raw: raw(layer) }], layers)).toBe(expected);
  });

  test("marked content within a layer that is off is off too", async () => {
    const nested = raw("L0").replace("BT /F1 12 Tf 72 650", "/P <</MCID 0>> BDC /Span BMC EMC EMC BT /F1 12 Tf 72 650");
    expect(await textOf([{ items: [], raw: nested }], { on: [false] })).toBe(hidden);
  });

  test("a scan on a layer that is off is no page to be recognised", async () => {
    const scan = "/OC /L0 BDC q 336 0 0 77 60 640 cm /I2 Do Q EMC";
    const { pageOfScan } = await import("../parse.ts");
    const page = (on: boolean) => pageOfScan(makePdf([{ items: [], raw: scan }], {}, { on: [on] }), 1);
    expect(await page(false)).toBeNull();
    expect(await page(true)).not.toBeNull();
  });
});

describe("ActualText", () => {
  const span = (actual: string, inner: string) => `/Span <</ActualText ${actual}>> BDC ${inner} EMC`;
  const at = (text: string, x: number, y = 700) => `BT /F1 12 Tf ${x} ${y} Td (${text}) Tj ET`;
  const cases: [string, string, string][] = [
    ["stands for its glyphs", span("(REALWORD)", at("R3@LW0RD", 72)), "REALWORD"],
    ["in UTF-16", span("<FEFF004D00FC006C006C00650072>", at("Mu:ller", 72)), "Müller"],
    ["amid a line", `${at("one", 72)} ${span("(two)", at("2wo", 98))} ${at("three", 122)}`, "one two three"],
    ["nested, the outer counts", span("(outer)", span("(inner)", at("xxxxx", 72))), "outer"],
    ["empty, nothing is read", `${at("kept", 72)} ${span("()", at("ornament", 72, 600))}`, "kept"],
    ["of several pieces", span("(whole word)", `${at("who", 72)} ${at("le", 95)} ${at("wo", 110)}`), "whole word"],
    ["never closed", `/Span <</ActualText (open)>> BDC ${at("opn", 72)}`, "open"],
    [
      "as soft hyphen at a line's end",
      `${at("The hydrau", 72)} ${span("<FEFF00AD>", at("-", 128))} ${at("lic pump", 72, 686)}`,
      "The hydraulic pump",
    ],
  ];
  test.each(cases)("%s", async (_name, raw, expected) => {
    expect(await textOf([{ items: [], raw }])).toBe(expected);
  });
});

test("ActualText of a tagged document's structure stands for all the pieces of its element", async () => {
  const piece = (id: number, text: string, x: number) =>
    `/Span <</MCID ${id}>> BDC BT /F1 12 Tf ${x} 700 Td (${text}) Tj ET EMC`;
  const raw = [piece(0, "Fi", 72), piece(1, "rst", 80), piece(2, "plain", 98)].join(" ");
  const structure = [
    { actualText: "Zuerst", pieces: [0, 1] },
    { actualText: "einfach", pieces: [2] },
  ];
  expect(await textOf([{ items: [], raw }], { on: [], structure })).toBe("Zuerst einfach");
});

describe("hyphens", () => {
  const soft = (text: string, y: number) => `BT /F3 12 Tf 72 ${y} Td (${text}) Tj ET`;

  test("that the file calls soft are seen where they stand within a line", async () => {
    const raw = `${soft("SS-2541-03-M", 700)} ${soft("a well-known ma-", 660)} ${soft("chine", 646)}`;
    expect(await textOf([{ items: [], raw }])).toBe("SS-2541-03-M a well-known machine");
  });

  test("and of a number at a line's end are kept", async () => {
    expect(await textOf([{ items: [], raw: `${soft("SS-2541-", 700)} ${soft("03-M", 686)}` }])).toBe("SS-2541-03-M");
  });

  const page = (...lines: string[]) => ({ items: linesAt(lines, 72, 700) });
  const FOLIO = { text: "Page 1 of 2", x: 300, y: 40, size: 10 };

  test("at the end of a page join its last word to the rest of it", async () => {
    const text = await textOf([
      page("All that is known about the", "inspection of the trans-"),
      page("former, which is done yearly,", "is written down."),
    ]);
    expect(text).toBe(
      "All that is known about the inspection of the transformer,\n\nwhich is done yearly, is written down.",
    );
  });

  test("over a page number and a running title too", async () => {
    const first = { items: [...page("All that is known about the", "inspection of the trans-").items, FOLIO] };
    const second = { items: [{ text: "Manual", x: 72, y: 760 }, ...page("former is written", "down here.").items] };
    expect(await textOf([first, second])).toContain("transformer");
  });

  test("but not where the next page begins anew", async () => {
    const text = await textOf([page("A list of pre-"), page("Chapter two begins here.")]);
    expect(text).toBe("A list of pre-\n\nChapter two begins here.");
  });

  test("that belong to the word stay at the end of a page", async () => {
    const text = await textOf([page("A well-known thing is a well-"), page("known thing.")]);
    expect(text).toBe("A well-known thing is a well-known\n\nthing.");
  });
});
