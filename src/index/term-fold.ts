/**
 * Other spellings of a word: without what other keyboards lack. A chunk is found under them as under its own spelling,
 * which comes first all the same, because a question in that spelling meets both.
 */
import { normalized } from "../stream-safe.ts";
import { NON_ASCII } from "./words.ts";

/**
 * Without accents, Arabic and Hebrew vowel signs, the dots that Indian scripts add for foreign sounds, and letters that
 * are another letter with a mark. The Russian й stays: it is a letter of its own, on every keyboard.
 */
export function fold(text: string): string {
  if (!NON_ASCII.test(text)) return text;
  const bare = normalized(text.replaceAll("\u0439", SHORT_I), "NFKD").replace(MARKS, "");
  return normalized(bare, "NFC")
    .replace(LETTERS, (letter) => FOLDED_LETTERS[letter] ?? letter)
    .replaceAll(SHORT_I, "\u0439");
}

/** A private-use character in place of й while marks are taken off. */
const SHORT_I = "\ue001";
const MARKS =
  /[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u093c\u09bc\u0a3c\u0abc\u0b3c\u0cbc]/g;
const LETTERS = /[ßøæœđðłıħŧςةىیکٱۀہۃێ\u0901\u0981\u0b01\u0c01]/g;
const FOLDED_LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  ø: "o",
  æ: "ae",
  œ: "oe",
  đ: "d",
  ð: "d",
  ł: "l",
  ı: "i",
  ħ: "h",
  ŧ: "t",
  ς: "σ",
  ة: "ه",
  ى: "ي",
  ی: "ي",
  ک: "ك",
  ٱ: "ا",
  ۀ: "ه",
  ہ: "ه",
  ۃ: "ه",
  ێ: "ي",
  // Candrabindu is often written as anusvara.
  "\u0901": "\u0902",
  "\u0981": "\u0982",
  "\u0b01": "\u0b02",
  "\u0c01": "\u0c02",
};

/**
 * `Müller` as `mueller`, `Ærø` as `aeroe`, `Þór` as `thor`: what is written where these letters are not at hand; and a
 * nasal before a consonant of its own place as anusvara, which Hindi and Gujarati write as often: `हिन्दी` as `हिंदी`.
 * Null without any. Since version 3 of the analyzer: þ, đ and the nasals.
 */
export function transcribed(lower: string): string | null {
  const text = normalized(lower, "NFC");
  if (!TRANSCRIBED_LETTERS.test(text)) return null;
  return fold(text.replace(ALL_TRANSCRIBED, (letter) => TRANSCRIPTIONS[letter] ?? anusvaraOf(letter)));
}

const NASALS = [
  "\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])|\u0923\u094d(?=[\u091f-\u0922])",
  "\u0928\u094d(?=[\u0924-\u0927])|\u092e\u094d(?=[\u092a-\u092d])",
  "\u0a99\u0acd(?=[\u0a95-\u0a98])|\u0a9e\u0acd(?=[\u0a9a-\u0a9d])|\u0aa3\u0acd(?=[\u0a9f-\u0aa2])",
  "\u0aa8\u0acd(?=[\u0aa4-\u0aa7])|\u0aae\u0acd(?=[\u0aaa-\u0aad])",
].join("|");
const TRANSCRIBED_LETTERS = new RegExp(`[äöüøåþđ]|${NASALS}`);
const ALL_TRANSCRIBED = new RegExp(`[äöüøåþđ]|${NASALS}`, "g");
const TRANSCRIPTIONS: Readonly<Record<string, string>> = {
  ä: "ae",
  ö: "oe",
  ü: "ue",
  ø: "oe",
  å: "aa",
  þ: "th",
  đ: "dj",
};

function anusvaraOf(nasal: string): string {
  return nasal < "\u0a80" ? "\u0902" : "\u0a82";
}

/** Digits of every script as 0–9, with the Arabic separators of decimals and thousands. */
export function asciiDigits(text: string): string {
  if (!NON_ASCII.test(text)) return text;
  return text.replace(FOREIGN_DIGITS, (digit) => {
    if (digit === "\u066b") return ".";
    if (digit === "\u066c") return ",";
    const code = digit.codePointAt(0) ?? 0;
    const zero = ZEROS.findLast((first) => first <= code);
    return zero === undefined || code - zero > 9 ? digit : String(code - zero);
  });
}

const FOREIGN_DIGITS = /[\u066b\u066c]|(?![0-9])\p{Nd}/gu;
/** Code points of the digit zero, ascending. */
const ZEROS = [
  0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
  0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
  0xa900, 0xa9d0, 0xaa50, 0xabf0,
];
