import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { decodeAs } from "../text/encoding.ts";
import type { ParseLimits } from "../limits.ts";
import { RaisedText } from "../raised.ts";
import { RtfAsides } from "./rtf-asides.ts";
import { RtfFields } from "./rtf-fields.ts";
import { RtfFormula } from "./rtf-formula.ts";
import { RtfFonts } from "./rtf-fonts.ts";
import { RtfInfo } from "./rtf-info.ts";
import { RtfRows } from "./rtf-rows.ts";
import { FIRST_STATE, type State } from "./rtf-state.ts";
import { RtfStyles } from "./rtf-styles.ts";
import {
  DESTINATION_WORDS,
  DESTINATIONS,
  DOUBLE_BYTE,
  isDigit,
  isLead,
  isLetter,
  isPlain,
  SKIPPED,
  SYMBOLS,
} from "./rtf-words.ts";

/**
 * Rich Text Format: one pass over the bytes with a stack of group states. Text in code pages follows
 * the font in force, since that is where RTF keeps its encoding.
 */
export function parseRtf(bytes: Uint8Array, limits: ParseLimits): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  new RtfReader(bytes, out).run();
  return out.build("rtf");
}

const LOOK_AHEAD = 4096;

class RtfReader {
  readonly #bytes: Uint8Array;
  /** The same bytes. */
  readonly #latin: Buffer;
  readonly #out: DocumentBuilder;
  #at = 0;
  /** Where the open group's first word would stand. */
  #groupStart = -1;
  #state: State = { ...FIRST_STATE };
  readonly #stack: State[] = [];
  readonly #fonts = new RtfFonts();
  readonly #styles = new RtfStyles();
  #pendingBytes: number[] = [];
  /** Whether the last of them begins a character of two. */
  #isLeadOpen = false;
  #skipChars = 0;
  readonly #text = new RaisedText();
  readonly #asides = new RtfAsides();
  #level = 0;
  readonly #info = new RtfInfo();
  readonly #rows = new RtfRows();
  #inTable = false;
  readonly #fields = new RtfFields();
  #formula: RtfFormula | null = null;

  constructor(bytes: Uint8Array, out: DocumentBuilder) {
    this.#bytes = bytes;
    this.#latin = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#out = out;
  }

  run(): void {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at++]!;
      if (byte === 0x5c) this.#control();
      else if (byte === 0x7b) {
        this.#push();
        this.#groupStart = this.#at;
      } else if (byte === 0x7d) {
        this.#pop();
        if (this.#stack.length === 0 && !this.#goesOn()) break;
      } else if (byte !== 0x0a && byte !== 0x0d && !this.#plainText()) this.#byte(byte, false);
    }
    this.#flushBytes();
    this.#endParagraph();
    this.#endTable();
    this.#info.write(this.#out);
  }

  /** A run of ASCII in the body's text, up to the next control; false where nothing is so simple here. */
  #plainText(): boolean {
    const { destination, font, isRaised, hidden } = this.#state;
    if (destination !== "body" || isRaised || this.#skipChars > 0 || this.#pendingBytes.length > 0) return false;
    if (this.#fonts.isSymbol(font)) return false;
    const start = this.#at - 1;
    let end = start;
    while (isPlain(this.#bytes[end] ?? 0)) end++;
    if (end === start) return false;
    this.#at = end;
    if (!hidden) this.#text.say(this.#latin.toString("latin1", start, end), false);
    return true;
  }

  /** What follows the document's own group is none of it, unless a brace too many ended that early. */
  #goesOn(): boolean {
    const rest = this.#peek(LOOK_AHEAD);
    return !/^[\s\0]*\{\\rtf/.test(rest) && /\\pard?(?![a-z])/.test(rest);
  }

  #push(): void {
    this.#flushBytes();
    this.#stack.push({ ...this.#state });
    this.#state.isElement = false;
  }

  #pop(): void {
    this.#flushBytes();
    const before = this.#state.destination;
    const line = this.#state.isElement ? (this.#formula?.close() ?? null) : null;
    const state = this.#stack.pop();
    if (state === undefined) return;
    this.#state = state;
    if (line !== null) this.#endFormula(line);
    if (before === "aside" && state.destination !== "aside") this.#asides.end();
    if (before === "styles") this.#styles.end();
    if (before === "instruction" && state.destination !== "instruction") {
      const text = this.#fields.endInstruction();
      if (text !== null) this.#write(text);
    }
  }

  #control(): void {
    const bytes = this.#bytes;
    const first = bytes[this.#at] ?? 0;
    if (!isLetter(first)) {
      this.#at++;
      this.#symbol(first);
      return;
    }
    let word = "";
    while (isLetter(bytes[this.#at] ?? 0) && word.length < 40) word += String.fromCharCode(bytes[this.#at++]!);
    let digits = "";
    if (bytes[this.#at] === 0x2d) digits += String.fromCharCode(bytes[this.#at++]!);
    while (isDigit(bytes[this.#at] ?? 0) && digits.length < 12) digits += String.fromCharCode(bytes[this.#at++]!);
    if (bytes[this.#at] === 0x20) this.#at++;
    const value = digits === "" || digits === "-" ? null : Number(digits);
    if (word !== "u" && word !== "uc") this.#flushBytes();
    this.#word(word, value);
  }

  #symbol(byte: number): void {
    if (byte === 0x27) {
      const hex = Number.parseInt(String.fromCharCode(this.#bytes[this.#at] ?? 0, this.#bytes[this.#at + 1] ?? 0), 16);
      this.#at += 2;
      if (!Number.isNaN(hex)) this.#byte(hex, true);
      return;
    }
    this.#flushBytes();
    if (byte === 0x2a) this.#optional();
    else if (byte === 0x7e) this.#write("\u00a0");
    else if (byte === 0x5f) this.#write("-");
    else if (byte === 0x0a || byte === 0x0d) this.#endParagraph();
    else if (byte === 0x5c || byte === 0x7b || byte === 0x7d) this.#byte(byte, false);
  }

  /** "\*\word": a destination that readers may skip; only a few hold text. */
  #optional(): void {
    // Some writers put it amid a group's words, where it marks nothing.
    if (this.#groupStart !== this.#at - 2) return;
    const known = /^\s*\\(annotation|atnauthor|ud|shptxt|shpinst|footnote|fldinst|formfield|ffl|moMath)/.exec(
      this.#peek(30),
    )?.[1];
    if (known === undefined) this.#state.destination = "skip";
  }

  #peek(length: number): string {
    return Buffer.from(this.#bytes.subarray(this.#at, this.#at + length)).toString("latin1");
  }

  #word(word: string, value: number | null): void {
    const state = this.#state;
    if (word in SYMBOLS) return this.#write(SYMBOLS[word]!);
    if (SKIPPED.has(word)) {
      state.destination = "skip";
      return;
    }
    // Inside what is skipped only the Unicode twin of a text leads back to a reader's view.
    if (state.destination === "skip" && DESTINATIONS.has(word)) return;
    const inForm = this.#fields.formWord(word, value, state.destination);
    if (inForm !== null) {
      state.destination = inForm;
      return;
    }
    if (this.#formulaWord(word)) return;
    if (!this.#beginDestination(word) && !this.#fonts.word(word, value, state) && !this.#characterWord(word, value))
      this.#paragraphWord(word, value);
  }

  /** Groups of formulas; the words that follow a group's first one say how it is set. */
  #formulaWord(word: string): boolean {
    const state = this.#state;
    const begins = word.startsWith("moMath") && state.destination !== "skip" && state.destination !== "formula";
    if (begins) {
      this.#formula = new RtfFormula();
      state.destination = "formula";
    }
    if (state.destination !== "formula" || this.#formula === null || !/^m[A-Za-z]/.test(word)) return false;
    if (state.isElement) return true;
    state.isElement = true;
    this.#formula.open(word);
    return true;
  }

  #endFormula(line: string): void {
    this.#formula = null;
    this.#write(line);
  }

  #beginDestination(word: string): boolean {
    const state = this.#state;
    const destination = DESTINATION_WORDS[word];
    if (destination !== undefined) {
      state.destination = destination;
      return true;
    }
    switch (word) {
      case "title":
      case "author":
      case "subject":
      case "keywords":
        if (state.destination === "info") {
          state.destination = word;
          this.#info.begin(word);
        }
        return true;
      case "ud":
        state.destination = this.#stack.at(-2)?.destination ?? "body";
        return true;
      case "atnauthor":
        state.destination = "aside";
        this.#asides.open("");
        return true;
      case "annotation":
        state.destination = "aside";
        this.#asides.openComment();
        return true;
      case "footnote":
        state.destination = "aside";
        this.#asides.open("Footnote");
        return true;
      case "listtext":
      case "pntext":
        state.isMark = true;
        return true;
      case "field":
        this.#fields.begin();
        return true;
      case "fldrslt":
        if (this.#fields.skipsResult()) state.destination = "skip";
        return true;
      default:
        return false;
    }
  }

  #characterWord(word: string, value: number | null): boolean {
    const state = this.#state;
    switch (word) {
      case "u":
        this.#unicode(value ?? 0);
        return true;
      case "uc":
        state.fallback = value ?? 1;
        return true;
      case "bin":
        this.#at += Math.max(0, value ?? 0);
        return true;
      case "f":
        state.font = value ?? 0;
        return true;
      case "v":
      case "deleted":
        state.hidden = value !== 0;
        return true;
      case "super":
        state.isRaised = value !== 0;
        return true;
      case "nosupersub":
      case "sub":
        state.isRaised = false;
        return true;
      case "plain":
        state.isRaised = false;
        state.hidden = false;
        return true;
      default:
        return false;
    }
  }

  #paragraphWord(word: string, value: number | null): void {
    const isBody = this.#state.destination === "body" && !this.#state.isMark;
    switch (word) {
      case "s":
        this.#styles.begin(value ?? 0);
        if (isBody) this.#level = this.#styles.levelOf(value ?? 0);
        return;
      case "outlinelevel": {
        const level = value !== null && value < 9 ? value + 1 : 0;
        this.#styles.setOutline(level);
        if (isBody) this.#level = level;
        return;
      }
      case "pard":
        if (isBody) {
          this.#level = 0;
          this.#inTable = false;
        }
        return;
      case "intbl":
        if (!this.#state.isMark) this.#inTable = true;
        return;
      case "par":
      case "sect":
      case "page":
        return this.#paragraphMark();
      case "cell":
      case "nestcell":
        return this.#endCell();
      case "row":
      case "nestrow":
        return this.#endRow();
      default:
        if (isBody) this.#rows.word(word);
    }
  }

  #unicode(value: number): void {
    this.#flushBytes();
    const unit = value < 0 ? value + 65_536 : value;
    const sign = this.#fonts.signOf(this.#state.font, unit);
    const known = unit > 0xffff ? String.fromCodePoint(Math.min(unit, 0x10ffff)) : String.fromCharCode(unit);
    this.#write(sign ?? known);
    this.#skipChars = this.#state.fallback;
  }

  #byte(byte: number, escaped: boolean): void {
    if (this.#skipChars > 0) {
      this.#skipChars--;
      return;
    }
    const { destination, font } = this.#state;
    if (destination === "skip") return;
    const sign =
      destination === "body" || destination === "aside" || destination === "formula"
        ? this.#fonts.signOf(font, byte)
        : null;
    if (sign !== null) {
      this.#flushBytes();
      this.#write(sign);
      return;
    }
    const encoding = this.#fonts.encodingOf(this.#state.font);
    const isTrail = this.#isLeadOpen && DOUBLE_BYTE.has(encoding);
    if (escaped || byte > 0x7f || isTrail) {
      this.#pendingBytes.push(byte);
      this.#isLeadOpen = !this.#isLeadOpen && isLead(byte);
      if (this.#pendingBytes.length > 4096 && !this.#isLeadOpen) this.#flushBytes();
    } else {
      this.#flushBytes();
      this.#write(String.fromCharCode(byte));
    }
  }

  #flushBytes(): void {
    if (this.#pendingBytes.length === 0) return;
    const bytes = Uint8Array.from(this.#pendingBytes);
    this.#pendingBytes = [];
    this.#isLeadOpen = false;
    this.#write(decodeAs(bytes, this.#fonts.encodingOf(this.#state.font)));
  }

  #write(text: string): void {
    const { destination, hidden } = this.#state;
    if (destination === "body") {
      if (!hidden) this.#text.say(text, this.#state.isRaised);
    } else if (destination === "aside") {
      if (!hidden) this.#asides.add(text);
    } else if (destination === "styles") {
      this.#styles.addName(text);
    } else if (destination === "fonts") {
      this.#fonts.addName(this.#state.font, text);
    } else if (destination === "formula") {
      this.#formula?.text(text);
    } else if (destination === "formEntry") {
      this.#fields.entry(text);
    } else if (destination === "instruction") {
      this.#fields.instruct(text);
    } else if (destination !== "skip" && destination !== "info" && destination !== "form") {
      this.#info.add(destination, text);
    }
  }

  #paragraphMark(): void {
    if (this.#state.destination === "aside") this.#asides.add("\n");
    else if (this.#state.destination === "body") {
      if (this.#inTable) this.#text.say("\n", false);
      else this.#endParagraph();
    }
  }

  #endParagraph(): void {
    const text = this.#text.take().trim();
    const asides = this.#asides.take();
    if (text !== "" || asides.length > 0) this.#endTable();
    if (text !== "") {
      if (this.#level > 0) this.#out.heading(this.#level, text);
      else if (/^[•·▪\-–]\t/.test(text)) this.#out.line(text.replace("\t", " "));
      else this.#out.block(text);
    }
    for (const aside of asides) this.#out.line(aside);
  }

  #endCell(): void {
    if (this.#state.destination !== "body") return;
    this.#rows.endCell(this.#text.take().trim());
  }

  #endRow(): void {
    this.#rows.endRow();
    this.#inTable = false;
  }

  #endTable(): void {
    const rows = this.#rows.take();
    if (rows.length > 0) this.#out.table(rows, true);
  }
}
