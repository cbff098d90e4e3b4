import { expect, test } from "bun:test";
import { encodeTerms } from "./analyzer.ts";
import { isCopy } from "./copies.ts";
import { unpackTerms } from "./term-blob.ts";

const WORDS = "harbour lighthouse keeper storm signal rescue captain anchor compass sailor cargo tide".split(" ");
const LONG = Array.from({ length: 120 }, (_, i) => `${WORDS[i % WORDS.length]}${i}`).join(" ");
const termsOf = (text: string, title = "") => unpackTerms(encodeTerms({ text, heading: [], title })).hashes;

test.each<[name: string, one: string, other: string, is: boolean]>([
  ["the same text", LONG, LONG, true],
  ["another case and other punctuation", "The tide turns, slowly.", "the TIDE turns slowly", true],
  ["a long text with a word more", LONG, `${LONG} lantern`, true],
  ["a short text with another word", "the price is ten pounds", "the price is twelve pounds", false],
  ["half of the text", LONG, LONG.slice(0, LONG.length / 2), false],
  ["another text", LONG, "a recipe for bread", false],
])("%s", (_name, one, other, is) => {
  expect(isCopy(termsOf(one), termsOf(other))).toBe(is);
  expect(isCopy(termsOf(other), termsOf(one))).toBe(is);
});

test("a title of its own does not hide a long copy", () => {
  expect(isCopy(termsOf(LONG, "second edition"), termsOf(LONG, "first edition"))).toBe(true);
});
