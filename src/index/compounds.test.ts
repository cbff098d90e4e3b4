import { expect, test } from "bun:test";
import { runSeed, seededRandom } from "../../test/helpers/random.ts";
import { eachCompound } from "./compounds.ts";
import { latinWords } from "./words.ts";

/** What a compound is, written as one pattern. */
const COMPOUND =
  /[\p{L}\p{M}\p{N}]+(?:(?:[._'’\-\u2010\u2011@&]+|(?<=\p{Nd}),(?=\p{Nd}{3}(?!\p{Nd})))[\p{L}\p{M}\p{N}]+)*(?:\+\+|#(?!\p{L}))?/gu;

function compoundsOf(text: string): [string, number][] {
  const found: [string, number][] = [];
  eachCompound(text, (compound, start) => found.push([compound, start]));
  return found;
}

const byPattern = (text: string): [string, number][] =>
  Array.from(text.matchAll(COMPOUND), (match) => [match[0], match.index]);

test.each([
  "The well-known e-mail user@example.org, C++ and C# (not C#x), 1,299.00 and 12,34; 1,2345 don't. End.",
  "a.b..c... d. e",
  "Müller-Straße’s “Köln”, 2024‑03 – 10,000,000 x1,234",
  "漢字かな\u0301 \u{1d7ce}\u{1f600}z\ud800y \u0301a",
  "A#",
  "a+ b++ c+++",
  "word.",
  "",
])("%s", (text) => expect(compoundsOf(text)).toEqual(byPattern(text)));

test("any text is cut as the pattern cuts it", () => {
  const random = seededRandom(runSeed("compounds"));
  const ascii = [..."abcXYZ0123456789._'-@&,+#;: \n("];
  const all = [...ascii, ..."äÉß’‐\u0301٣漢ก한\u{1f600}\u{10400}\ud83d\udc00“—"];
  for (let i = 0; i < 6000; i++) {
    const from = i % 2 === 0 ? ascii : all;
    const text = Array.from({ length: random.below(24) }, () => from[random.below(from.length)]).join("");
    expect([text, compoundsOf(text)]).toEqual([text, byPattern(text)]);
  }
});

test("words of Latin letters are those of the pattern", () => {
  const random = seededRandom(runSeed("Latin words"));
  const characters = [..."abZ 1-,äÉßﬁ漢\u0301\u{1f600}\u{1df00}\ud83d"];
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: random.below(16) }, () => characters[random.below(characters.length)]).join("");
    const expected = Array.from(text.matchAll(/\p{sc=Latin}[\p{sc=Latin}\p{M}]*/gu), ([word]) => word);
    expect([text, ...latinWords(text, /\p{sc=Latin}[\p{sc=Latin}\p{M}]*/uy)]).toEqual([text, ...expected]);
    expect(latinWords(text, /\p{sc=Latin}[\p{sc=Latin}\p{M}]*/uy, 2)).toEqual(expected.slice(0, 2));
  }
});
