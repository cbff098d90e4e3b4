import { describe, expect, test } from "bun:test";
import { encode } from "gpt-tokenizer/encoding/cl100k_base";

import { countTokens, decodeTokens, encodeTokens, UnknownTokenError } from "./tokens.ts";

const TEXTS = [
  "",
  "Hello, world! It's 2024-05-06 and I've 12345678 things to do…",
  "def f(x):\n    return [y for y in x if y is not None]\n\n\n\treturn 0\r\n",
  "Größere Übel wären möglich; ça va, señor? Žluťoučký kůň.",
  "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
  "الحقوق وقد وهبوا عقلا וכולם חוננו בתבונה",
  "👩‍👩‍👧‍👦 🇩🇪 e\u0301 मनुष्य ไทย",
  " \n\n  \t x   ",
  "a".repeat(1999),
  "0123456789".repeat(100),
];

describe("cl100k_base", () => {
  test("counts and encodes as the reference does", () => {
    for (const text of TEXTS) {
      const expected = [...encode(text, { disallowedSpecial: new Set() })];
      expect(encodeTokens(text)).toEqual(expected);
      expect(countTokens(text)).toBe(expected.length);
    }
  });

  test("takes special tokens in a text as text", () => {
    expect(decodeTokens(encodeTokens("<|endoftext|>"))).toBe("<|endoftext|>");
    expect(countTokens("<|endoftext|>")).toBeGreaterThan(1);
  });

  test("gives back every text from its tokens", () => {
    for (const text of [...TEXTS, "x".repeat(30_000), "漢字".repeat(5000)])
      expect(decodeTokens(encodeTokens(text))).toBe(text);
  });

  test("decodes half a character to the replacement character", () => {
    const [first] = encodeTokens("🇩");
    expect(decodeTokens([first!])).toContain("\ufffd");
  });

  test("names a token that does not exist", () => {
    expect(() => decodeTokens([15339, 200_000])).toThrow(UnknownTokenError);
    expect(() => decodeTokens([-1])).toThrow("Token -1 is not in cl100k_base.");
  });

  for (const [name, unit] of [
    ["letters", "q"],
    ["ideographs", "漢"],
    ["marks", "\u0301"],
    ["line ends", "\n"],
    ["digits", "7"],
  ] as const) {
    test(`counts 300,000 ${name} without a space in linear time`, () => {
      const started = performance.now();
      expect(countTokens(unit.repeat(300_000))).toBeGreaterThan(0);
      expect(performance.now() - started).toBeLessThan(15_000);
    });
  }
});
