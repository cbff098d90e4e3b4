import { describe, expect, test } from "bun:test";
import { encode } from "gpt-tokenizer/encoding/cl100k_base";
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };
import { seededRandom } from "../../../test/helpers/random.ts";
import { cutText, estimateTokens, splitText } from "./text-windows.ts";

describe("estimateTokens", () => {
  test("is rarely below what a common vocabulary needs, and not far above it for plain text", () => {
    for (const text of reference.texts) {
      if (/[aeiou]{6}|a{50}/.test(text)) continue;
      expect(estimateTokens(text)).toBeGreaterThanOrEqual(encode(text).length * 0.65);
    }
    const plain =
      "The committee met on Tuesday to discuss the annual report and its recommendations for schools. ".repeat(20);
    expect(estimateTokens(plain) / encode(plain).length).toBeLessThan(2);
  });
});

describe("splitText", () => {
  test("leaves a short text as it is", () => {
    expect(splitText("a b c", 100)).toEqual(["a b c"]);
    expect(splitText("", 100)).toEqual([""]);
  });

  test("gives pieces within the limit, which together are the text", () => {
    const random = seededRandom(2);
    const alphabet = ["a", "bc", " ", "\n", ".", "é", "漢", "🤗", "word ", "longerword "];
    for (let round = 0; round < 200; round++) {
      const text = Array.from(
        { length: 1 + Math.floor(random() * 600) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join("");
      const limit = 20 + Math.floor(random() * 80);
      const pieces = splitText(text, limit);
      for (const piece of pieces) {
        expect(estimateTokens(piece)).toBeLessThanOrEqual(limit);
        expect(piece.isWellFormed()).toBe(true);
      }
      expect(pieces.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
    }
  });

  test("cuts between words", () => {
    const words = Array.from({ length: 300 }, (_, i) => `word${i}`).join(" ");
    for (const piece of splitText(words, 100)) expect(piece.trim()).toMatch(/^word\d+( word\d+)*$/);
  });

  test("ends for a text that cannot be made small enough", () => {
    expect(splitText("a🤗", 1).join("")).toBe("a🤗");
  });
});

test("cutText makes as many pieces as it was told to, of about the same length", () => {
  expect(cutText("one two three four", 2)).toEqual(["one two ", "three four"]);
  expect(cutText("🤗🤗🤗🤗", 2)).toEqual(["🤗🤗", "🤗🤗"]);
  expect(cutText("x", 2)).toEqual(["x"]);
});
