import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { bertWords } from "./embed/local/bert-text.ts";
import { encodeTerms, queryTerms } from "./index/analyzer.ts";
import { normalized, streamSafe, streamSafeWithin } from "./stream-safe.ts";

setDefaultTimeout(30_000);

const MILLION = 1_000_000;
/** Two marks that canonical order turns round: the worst for sorting by insertion. */
const TURNED = "\u0301\u0316";

const HOSTILE: [what: string, text: string][] = [
  ["a letter with a million marks", `a${TURNED.repeat(MILLION / 2)}`],
  ["marks alone", TURNED.repeat(MILLION / 2)],
  ["marks outside the basic plane", `a${"\u{1d165}\u{1d16d}".repeat(MILLION / 4)}`],
  ["marks that are put together of others", `a${"\u0344\u0316".repeat(MILLION / 2)}`],
  ["marks with joiners between them, which are taken out", `a${`${TURNED}\u200d`.repeat(MILLION / 3)}`],
  ["marks with soft hyphens between them", `a${`${TURNED}\u00ad`.repeat(MILLION / 3)}`],
  ["marks with control characters between them", `a${`${TURNED}\u0001`.repeat(MILLION / 3)}`],
  ["Arabic marks with lengthened strokes between them", `ب${"\u1dc0\u1dc2\u0640".repeat(MILLION / 3)}`],
  ["Hebrew and Arabic marks of many classes", `א${"\u05bc\u05b7\u05b4\u0651\u0650\u064b".repeat(MILLION / 6)}`],
];

const REAL: [what: string, text: string][] = [
  ["Vietnamese", "Tie\u0302\u0301ng Vie\u0323\u0302t có sáu thanh điệu"],
  ["Thai", "ที่นี่มีน้ำแข็งก้อนใหญ่ ปู่ย่ารู้"],
  ["vowelled Arabic", "بِسْمِ ٱللَّهِ ٱلرَّحْمَـٰنِ ٱلرَّحِيمِ"],
  ["pointed Hebrew with accents", "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים"],
  ["Sanskrit", "अग्निमी॑ळे पु॒रोहि॑तं"],
  ["Tibetan", "བསྒྲུབས་ཧྐྵྨླྺྼྻྂ"],
  ["Burmese", "မြန်မာဘာသာစကားကျွန်ုပ်တို့"],
  ["a letter with as many marks as are kept", `Z${"\u0300".repeat(32)}algo`],
  ["ASCII, and nothing", "plain"],
  ["nothing", ""],
];

/** Milliseconds of the processor, the least of a few tries: the machine does other things too. */
function cpuMs(most: number, work: () => void): number {
  let least = Infinity;
  for (let tries = 0; tries < 5 && least >= most; tries++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

describe("normalisation", () => {
  test.each(REAL)("leaves %s as it is", (_, text) => {
    expect(streamSafe(text)).toBe(text);
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const)
      expect(normalized(text, form)).toBe(text.normalize(form));
  });

  test("keeps the first 32 marks of a character, and what follows them", () => {
    expect(streamSafe(`a${"\u0301".repeat(33)}b${"\u0316".repeat(40)} c\u0301`)).toBe(
      `a${"\u0301".repeat(32)}b${"\u0316".repeat(32)} c\u0301`,
    );
    expect(streamSafe("\u{1d165}".repeat(40))).toBe("\u{1d165}".repeat(32));
    expect(streamSafe(`${"\u0301".repeat(31)}\u{1d165}\u{1d165}`)).toBe(`${"\u0301".repeat(31)}\u{1d165}`);
  });

  test("counts what is not seen as a mark, for who takes it out", () => {
    const text = `a${"\u0301\u200d\u0316\u0001".repeat(20)} b`;
    expect(streamSafe(text)).toBe(text);
    expect(streamSafeWithin(text)).toBe(`a${"\u0301\u200d\u0316\u0001".repeat(8)} b`);
    expect(streamSafeWithin(`a${"\n".repeat(50)}b`)).toBe(`a${"\n".repeat(50)}b`);
  });

  test.each(HOSTILE)("of %s takes no time to speak of", (_, text) => {
    expect(cpuMs(100, () => streamSafe(text))).toBeLessThan(100);
  });

  test("of a million marks takes less than 100 ms in every form", () => {
    const text = HOSTILE[0]?.[1] ?? "";
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const)
      expect(cpuMs(100, () => normalized(text, form))).toBeLessThan(100);
  });
});

describe("what is made of a text of a hundred thousand marks", () => {
  const options = { lowercase: true, stripAccents: true, chineseApart: true, camelApart: true };

  // By the square of their number each took ten seconds and more.
  test.each(HOSTILE)("for %s takes time in proportion", (_, hostile) => {
    const text = hostile.slice(0, 100_000);
    expect(cpuMs(2000, () => encodeTerms({ text, heading: [], title: "", filename: text }))).toBeLessThan(2000);
    expect(cpuMs(2000, () => queryTerms(text))).toBeLessThan(2000);
    expect(cpuMs(2000, () => bertWords(text, options))).toBeLessThan(2000);
  });
});
