import { symbolText } from "../symbol-fonts.ts";
import type { Destination } from "./rtf-words.ts";
import { CHARSETS, codePageName } from "./rtf-words.ts";

interface Font {
  name: string;
  /** "" for the document's own. */
  encoding: string;
  isSymbol: boolean;
}

const SYMBOL_CHARSET = 2;
const DOCUMENT_PAGES: Record<string, string> = { mac: "macintosh", pc: "cp437", pca: "cp850" };
const MAX_NAME = 100;

/** The font table: which encoding a font's bytes are in, and what the signs of symbol fonts mean. */
export class RtfFonts {
  readonly #fonts = new Map<number, Font>();

  #codePage = "windows-1252";

  /** Words of encodings, which hang on fonts; false for any other. */
  word(word: string, value: number | null, { font, destination }: { font: number; destination: Destination }): boolean {
    const page = DOCUMENT_PAGES[word];
    if (word === "ansicpg") this.#codePage = codePageName(value);
    else if (page !== undefined) this.#codePage = page;
    else if (word === "fcharset" && destination === "fonts") this.#setCharset(font, value ?? 0);
    else if (word === "cpg" && destination === "fonts") this.#entry(font).encoding = codePageName(value);
    else return false;
    return true;
  }

  #setCharset(font: number, charset: number): void {
    const entry = this.#entry(font);
    entry.encoding = CHARSETS[charset] ?? "";
    entry.isSymbol = charset === SYMBOL_CHARSET;
  }

  /** Names come in pieces, each ended by ";". */
  addName(font: number, text: string): void {
    const entry = this.#entry(font);
    if (!entry.name.endsWith(";") && entry.name.length < MAX_NAME) entry.name += text;
  }

  encodingOf(font: number): string {
    return this.#fonts.get(font)?.encoding || this.#codePage;
  }

  isSymbol(font: number): boolean {
    return this.#fonts.get(font)?.isSymbol === true;
  }

  /** What a sign of a symbol font means, "" for one that means nothing; null for a character of any other font. */
  signOf(font: number, code: number): string | null {
    const isPrivate = code >= 0xf020 && code <= 0xf0ff;
    const entry = this.#fonts.get(font);
    if (entry === undefined || !(entry.isSymbol || isPrivate) || code < 0x20 || (code > 0xff && !isPrivate))
      return null;
    const name = entry.name.replace(/;.*$/s, "").trim();
    const sign = symbolText(name, code);
    if (sign !== null) return sign;
    // Nothing is known of the font: its characters are kept, as they may be letters after all.
    return symbolText(name, LETTER) === null && !isPrivate ? null : "";
  }

  #entry(font: number): Font {
    let entry = this.#fonts.get(font);
    if (entry === undefined) this.#fonts.set(font, (entry = { name: "", encoding: "", isSymbol: false }));
    return entry;
  }
}

/** Every symbol font has a sign in the place of "a". */
const LETTER = 0x61;
