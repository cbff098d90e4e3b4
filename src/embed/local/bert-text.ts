/**
 * BERT's text normalisation, as Hugging Face's Rust `tokenizers` does it: clean, CJK apart,
 * accents off, lower case, then words and single punctuation marks.
 *
 * Two places where the JavaScript port differs from Rust, and this follows Rust (models were
 * trained with it): lower case is taken character by character (no final sigma), and CJK
 * characters outside the basic plane are set apart too.
 */
import { normalized } from "../../stream-safe.ts";
export interface BertTextOptions {
  lowercase: boolean;
  stripAccents: boolean;
  chineseApart: boolean;
  /** A blank is put between a lower-case and an upper-case ASCII letter first ("camelCase"). */
  camelApart: boolean;
}

const DROPPED = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]/u;
const SPACE = /[\p{White_Space}]/u;
const NONSPACING = /\p{Mn}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/u;
const CAMEL = /(?<=[a-z])(?=[A-Z])/g;
// oxlint-disable-next-line no-control-regex
const PLAIN_ASCII = /^[\x20-\x7E]*$/;

/** The words of a text in order; every punctuation mark and CJK character is a word of its own. */
export function bertWords(text: string, options: BertTextOptions): string[] {
  let normal = options.camelApart ? text.replace(CAMEL, " ") : text;
  if (!PLAIN_ASCII.test(normal)) normal = cleaned(normal, options.chineseApart);
  if (options.stripAccents) normal = normalized(normal, "NFD").replace(NONSPACING, "");
  if (options.lowercase) normal = lower(normal);
  const words: string[] = [];
  for (const part of normal.split(" ")) if (part !== "") splitPunctuation(part, words);
  return words;
}

function cleaned(text: string, chineseApart: boolean): string {
  let out = "";
  for (const char of text) {
    if (char === "\t" || char === "\n" || char === "\r") out += " ";
    else if (DROPPED.test(char)) continue;
    else if (SPACE.test(char)) out += " ";
    else if (chineseApart && isChinese(char.codePointAt(0) ?? 0)) out += ` ${char} `;
    else out += char;
  }
  return out;
}

function lower(text: string): string {
  // Only the final sigma depends on its neighbours, so only a text with a sigma needs the slow way.
  if (!text.includes("Σ")) return text.toLowerCase();
  let out = "";
  for (const char of text) out += char.toLowerCase();
  return out;
}

function splitPunctuation(part: string, words: string[]): void {
  let word = "";
  for (const char of part) {
    if (PUNCTUATION.test(char)) {
      if (word !== "") words.push(word);
      words.push(char);
      word = "";
    } else word += char;
  }
  if (word !== "") words.push(word);
}

/** The blocks that Rust `tokenizers` names; 2B920 (not 2B820) is what it really says. */
export function isChinese(cp: number): boolean {
  if (cp < 0x3400) return false;
  return (
    (cp >= 0x4e00 && cp <= 0x9fff) ||
    cp <= 0x4dbf ||
    (cp >= 0xf900 && cp <= 0xfaff) ||
    (cp >= 0x20000 && cp <= 0x2a6df) ||
    (cp >= 0x2a700 && cp <= 0x2b73f) ||
    (cp >= 0x2b740 && cp <= 0x2b81f) ||
    (cp >= 0x2b920 && cp <= 0x2ceaf) ||
    (cp >= 0x2f800 && cp <= 0x2fa1f)
  );
}
