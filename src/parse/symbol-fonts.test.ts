import { expect, test } from "bun:test";

import { symbolText } from "./symbol-fonts.ts";

test.each<[font: string, code: number, text: string | null]>([
  ["Symbol", 0x6d, "μ"],
  ["Symbol", 0xf06d, "μ"],
  ["Symbol", 0xb1, "±"],
  ["Symbol", 0xf0a3, "≤"],
  ["Symbol", 0xb0, "°"],
  ["Symbol", 0x57, "Ω"],
  ["Symbol", 0xd6, "√"],
  ["SymbolMT", 0xb4, "×"],
  ["Standard Symbols L", 0x70, "π"],
  ["Wingdings", 0xfc, "✓"],
  ["Wingdings", 0xfe, "☑"],
  ["Wingdings", 0xf0a8, "☐"],
  ["Wingdings", 0x6f, "☐"],
  ["Wingdings", 0xfd, "☒"],
  ["Wingdings", 0xf0e0, "🡪"],
  ["wingdings 2", 0x52, "☑"],
  ["Wingdings 3", 0x70, "▲"],
  ["Webdings", 0x61, "✔"],
  ["Symbol", 0xf020, " "],
  ["Symbol", 0x80, null],
  ["Symbol", 0x05, null],
  ["Symbol", 0x2126, null],
  ["Arial", 0xf06d, null],
  ["", 0x6d, null],
])("a character of %s at %p is %p", (font, code, text) => {
  expect(symbolText(font, code)).toBe(text);
});
