/** Text -> its terms one after the other, in all the forms that are wanted. What they are is told in analyzer.ts. */
import { eachCompound } from "./compounds.ts";
import { stemEnglish } from "./stem.ts";
import { asciiDigits, fold, transcribed } from "./term-fold.ts";
import { numbersInside, type NumberSpan, numberSpans, sameNumber, segmentsOf } from "./term-numbers.ts";
import { normalized } from "../stream-safe.ts";
import { NON_ASCII, remembered } from "./words.ts";

/** Which forms of a word are wanted: those of an English text, of another text, or all, for a query. */
export type Forms = "english" | "other" | "all";

/**
 * Of which chunks a form is judged rare: all, or those that can have it at all.
 * `spelled`: those made by version 2 and later, which have other spellings.
 */
export type Among = "all" | "english" | "other" | "spelled";

/**
 * What a form says of the unit (a compound, or a number in groups) that it is met in: 0, that the whole of it is there;
 * 1, 2, …, that this part is; NOTHING, nothing for sure.
 */
export type Proof = number;
export const WHOLE: Proof = 0;
export const NOTHING: Proof = -1;

export interface TermSink {
  /** What follows belongs to another unit than what came before. */
  unit(): void;
  term(term: string, among: Among, proof: Proof): void;
  /** Another spelling of `of`, the form that comes nearest to it. */
  spelling(term: string, proof: Proof, of: string): void;
}

/** Longer words are cut: nobody types them, and base64 would fill the vocabulary. */
const MAX_WORD_LENGTH = 64;
const PREFIX_LENGTH = 5;

const ASCII_LETTERS = /^[a-z]+$/;
/** One word without joints, digits, accents or humps, as nearly all are. */
const PLAIN_WORD = /^[A-Za-z][a-z]*$/;
const DIGIT = /\p{Nd}/u;
const ASCII_DIGIT = /[0-9]/;
/** Soft hyphens, joiners, and the selectors that make a sign a picture. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff]/g;
const JOINTS = /[^\p{L}\p{M}\p{N}]+/u;
const UNSPACED_OR_KOREAN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Hang}]/u;
const POINTED_NUMBER = /^v?(\p{Nd}+(?:\.\p{Nd}+)+)$/iu;
const ONLY_DIGITS = /^\p{Nd}+$/u;
const CODE_NUMBER = /^\p{L}{1,8}(\p{Nd}{3,})$/u;
const CAMEL_JOINT = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
const ENGLISH_SUFFIX = /['’](?:s|S|ll|re|ve|d|m)$/;
/** Emoji and flags; currencies and the signs of measures, paragraphs and mathematics. Lines of boxes are none. */
const SIGN =
  /\p{RI}{2}|(?![\p{L}\p{N}#*])\p{ExtPict}|[%$§¶‰°±×÷†‡√∞∑∫≈≠≤≥←↑→↓⇒✓✔✗✘]|(?!\$)\p{Sc}|(?![\x00-\x7f\u2500-\u259f])\p{So}/gu;
const ASCII_SIGN = /[%$]/g;
/** Letters of Latin and of the scripts before the punctuation marks are none. */
const MAY_HOLD_SIGN = /[%$\u00a2-\u00b7\u00d7\u00f7\u0600-\u060f\u2020-\uffff]/;

/** A text in compatibility forms, without what is not seen. */
export function plainText(text: string): string {
  return NON_ASCII.test(text) ? normalized(text.replace(INVISIBLE, ""), "NFKC") : text;
}

export function walkTerms(text: string, forms: Forms, sink: TermSink): void {
  const plain = plainText(text);
  const spans = hasDigit(plain) ? numberSpans(asciiDigits(plain), plain) : [];
  let at = 0;
  let part = 0;
  let current: NumberSpan | undefined;
  eachCompound(plain, (found, start) => {
    while ((spans[at]?.end ?? Infinity) <= start) at++;
    const span = spans[at];
    const isInside = span !== undefined && span.start < start + found.length;
    if (!isInside || span !== current) {
      sink.unit();
      part = 0;
      if (isInside)
        for (const spelling of span.spellings) {
          // The first of several groups is no spelling of their number, which others may have without it.
          const isAlone = found.length === span.end - span.start;
          otherwise(spelling, isAlone ? found.toLowerCase() : OTHERWISE + spelling, { forms, sink, proof: WHOLE });
        }
    }
    current = isInside ? span : undefined;
    compound(found, forms, isInside ? new PartOf(sink, ++part) : sink);
  });
  if (!MAY_HOLD_SIGN.test(plain)) return;
  for (const [sign] of plain.matchAll(NON_ASCII.test(plain) ? SIGN : ASCII_SIGN)) {
    sink.unit();
    sink.spelling(sign, WHOLE, sign);
  }
}

/** A compound that is itself a part of a unit: only the whole of it says anything. */
class PartOf implements TermSink {
  readonly #sink: TermSink;
  readonly #part: Proof;

  constructor(sink: TermSink, part: Proof) {
    this.#sink = sink;
    this.#part = part;
  }

  unit(): void {}

  term(term: string, among: Among, proof: Proof): void {
    this.#sink.term(term, among, proof === WHOLE ? this.#part : NOTHING);
  }

  spelling(term: string, proof: Proof, of: string): void {
    this.#sink.spelling(term, proof === WHOLE ? this.#part : NOTHING, of);
  }
}

/** A compound of a chunk is taken apart once, its terms said again wherever it stands. */
function compound(text: string, forms: Forms, sink: TermSink): void {
  // Of questions nothing is kept here: by the time it takes, a tenant would learn which words others ask for.
  if (forms === "all") return takeApart(text, forms, sink);
  for (const { term, among, proof, of } of said[forms](text)) {
    if (among === null) sink.spelling(term, proof, of);
    else sink.term(term, among, proof);
  }
}

interface Said {
  term: string;
  /** Null for another spelling, which is one of `of`. */
  among: Among | null;
  proof: Proof;
  of: string;
}

const MOST_COMPOUNDS = 10_000;
const said = {
  english: remembered(MOST_COMPOUNDS, (text) => recorded(text, "english")),
  other: remembered(MOST_COMPOUNDS, (text) => recorded(text, "other")),
};

function recorded(text: string, forms: Forms): Said[] {
  const all: Said[] = [];
  takeApart(text, forms, {
    unit() {},
    term: (term, among, proof) => all.push({ term, among, proof, of: "" }),
    spelling: (term, proof, of) => all.push({ term, among: null, proof, of }),
  });
  return all;
}

function takeApart(text: string, forms: Forms, sink: TermSink): void {
  if (PLAIN_WORD.test(text)) word(text, forms, sink);
  else if (NON_ASCII.test(text) && UNSPACED_OR_KOREAN.test(text)) unspaced(text, forms, sink);
  else spaced(text, forms, sink);
}

function spaced(text: string, forms: Forms, sink: TermSink): void {
  const isNumbered = hasDigit(text);
  const ascii = isNumbered ? asciiDigits(text) : text;
  const pointed = isNumbered ? POINTED_NUMBER.exec(text)?.[1] : undefined;
  if (pointed !== undefined) {
    sink.term(pointed.slice(0, MAX_WORD_LENGTH), "all", WHOLE);
    const parts = pointed.split(".");
    if (parts.length > 2) sink.term(`${parts[0]}.${parts[1]}`, "all", NOTHING);
    const inAscii = asciiDigits(pointed);
    if (forms === "all") sink.spelling(OTHERWISE + inAscii.slice(0, MAX_WORD_LENGTH), WHOLE, pointed);
    for (const same of sameNumber(inAscii)) otherwise(same, pointed, { forms, sink, proof: WHOLE });
    if (inAscii !== pointed) otherwise(inAscii, pointed, { forms, sink, proof: WHOLE });
    return;
  }
  if (text.endsWith("+") || text.endsWith("#")) {
    sink.term(text.toLowerCase().slice(-MAX_WORD_LENGTH), "all", WHOLE);
    // Who has `C` does not have `C++`.
    sink = new PartOf(sink, NOTHING);
  }
  const plain = text.replace(ENGLISH_SUFFIX, "").replace(/['’](?=[tT]$)/, "");
  if (plain.includes(",")) {
    spaced(plain.replaceAll(",", ""), forms, sink);
    return;
  }
  const parts = plain.split(JOINTS).filter((part) => part !== "");
  const numbers = isNumbered ? numbersInside(ascii) : [];
  const proofOf = (part: string, i: number) => (numbers.length > 0 && ONLY_DIGITS.test(part) ? NOTHING : i + 1);
  parts.forEach((part, i) => wordOrCode(part, forms, parts.length === 1 ? sink : new PartOf(sink, proofOf(part, i))));
  const whole = parts.join("");
  if (parts.length > 1) word(whole, forms, sink);
  if (!isNumbered) return;
  const how = { forms, sink, proof: WHOLE };
  if (ascii !== text) otherwise(asciiDigits(whole).toLowerCase(), whole, how);
  // The digits of a version prove nothing one by one, the version does.
  numbers.forEach(({ number, isWhole }, i) =>
    otherwise(number, number, { ...how, proof: isWhole ? parts.length + i + 1 : NOTHING }),
  );
  for (const same of sameNumber(ascii)) otherwise(same, whole.toLowerCase(), how);
}

/**
 * Marks, in a chunk, another way to write the whole of a word or number. It is a term of its own, or those who write it
 * that way would not be first, and in a language where most words have accents those without would become common.
 */
const OTHERWISE = "~";

function otherwise(
  spelling: string,
  of: string,
  { forms, sink, proof }: { forms: Forms; sink: TermSink; proof: Proof },
): void {
  const cut = spelling.slice(0, MAX_WORD_LENGTH);
  sink.spelling(OTHERWISE + cut, proof, of);
  // A query also meets those who write it so.
  if (forms === "all") sink.spelling(cut, proof, of);
}

function hasDigit(text: string): boolean {
  return ASCII_DIGIT.test(text) || (NON_ASCII.test(text) && DIGIT.test(text));
}

/** A part of a compound, with what it is made of itself. */
function wordOrCode(text: string, forms: Forms, sink: TermSink): void {
  word(text, forms, sink);
  const isNumbered = hasDigit(text);
  const code = isNumbered ? CODE_NUMBER.exec(text)?.[1] : undefined;
  if (code !== undefined) sink.term(code, "all", NOTHING);
  const humps = text.split(CAMEL_JOINT);
  if (humps.length > 1) humps.forEach((hump, i) => word(hump, forms, new PartOf(sink, i + 1)));
  const segments = isNumbered ? segmentsOf(asciiDigits(text.slice(0, MAX_WORD_LENGTH))) : null;
  segments?.forEach((_, i) => cut(segments, i, { whole: text.toLowerCase(), forms, sink }));
}

/** One of the pieces between letters and digits, and, of three and more, two side by side. */
function cut(
  segments: readonly string[],
  i: number,
  { whole, forms, sink }: { whole: string; forms: Forms; sink: TermSink },
): void {
  const lower = segments[i]?.toLowerCase() ?? "";
  const stem = forms !== "other" && ASCII_LETTERS.test(lower) ? stemmed(lower) : lower;
  sink.spelling(stem, i + 1, whole);
  if (forms === "all" && stem !== lower) sink.spelling(lower, i + 1, whole);
  const next = segments[i + 1];
  if (segments.length > 2 && next !== undefined) sink.spelling(lower + next.toLowerCase(), NOTHING, whole);
}

function word(text: string, forms: Forms, sink: TermSink): void {
  const lower = text.toLowerCase().slice(0, MAX_WORD_LENGTH);
  if (ASCII_LETTERS.test(lower)) {
    const stem = forms === "other" ? lower : stemmed(lower);
    if (forms !== "other") sink.term(stem, stem === lower ? "all" : "english", WHOLE);
    if (forms === "english") return;
    if (forms === "other" || stem !== lower) sink.term(lower, "other", WHOLE);
    if (forms === "all") sink.spelling(OTHERWISE + lower, WHOLE, lower);
    prefix(lower, "other", sink);
    return;
  }
  sink.term(lower, "all", WHOLE);
  if (!NON_ASCII.test(lower)) {
    // ASCII with digits: no form but its own.
    if (forms === "all") sink.spelling(OTHERWISE + lower, WHOLE, lower);
    return;
  }
  accented(lower, forms, sink);
}

function accented(lower: string, forms: Forms, sink: TermSink): void {
  const folded = fold(lower);
  const isAscii = ASCII_LETTERS.test(folded);
  const stem = isAscii && forms !== "other" ? stemmed(folded) : null;
  if (stem !== null) sink.term(stem, "english", WHOLE);
  const written = transcribed(lower);
  if (forms === "all") {
    sink.spelling(OTHERWISE + folded, WHOLE, lower);
    // Texts that were written without accents.
    for (const plain of new Set([folded, written ?? folded])) if (plain !== lower) bare(plain, lower, sink);
  } else {
    if (folded !== lower && !(forms === "english" && isAscii)) sink.spelling(OTHERWISE + folded, WHOLE, lower);
    if (written !== null && written !== folded) sink.spelling(OTHERWISE + written, WHOLE, lower);
  }
  prefix(folded, "all", sink);
  const first = written === null || forms === "english" ? null : prefixOf(written);
  if (first !== null && first !== prefixOf(folded)) sink.spelling(first, NOTHING, lower);
}

function bare(plain: string, lower: string, sink: TermSink): void {
  sink.spelling(plain, WHOLE, lower);
  const stem = ASCII_LETTERS.test(plain) ? stemmed(plain) : plain;
  if (stem !== plain) sink.spelling(stem, WHOLE, lower);
}

/** The first letters of a longer word, to meet its other endings. */
function prefix(folded: string, among: Among, sink: TermSink): void {
  const first = prefixOf(folded);
  if (first !== null) sink.term(first, among, NOTHING);
}

function prefixOf(folded: string): string | null {
  if (!NON_ASCII.test(folded)) return folded.length > PREFIX_LENGTH ? `p:${folded.slice(0, PREFIX_LENGTH)}` : null;
  const letters = [...folded];
  // Here й is и, as in version 1.
  const first = () => letters.slice(0, PREFIX_LENGTH).join("").replaceAll("\u0439", "\u0438");
  return letters.length > PREFIX_LENGTH ? `p:${first()}` : null;
}

/** A run with characters of scripts that are not cut by spaces: their n-grams, and the words between them. */
function unspaced(run: string, forms: Forms, sink: TermSink): void {
  let part = 0;
  const next = () => ++part;
  for (const [piece] of run.matchAll(SAME_KIND)) {
    if (/^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005]/u.test(piece)) {
      const characters = [...piece];
      const alone = characters.length === 1 ? next() : NOTHING;
      for (const character of characters) sink.term(character, "all", alone);
      ngrams(characters, 2, (pair) => sink.term(pair, "all", next()));
    } else if (/^[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u.test(piece)) {
      const clusters = piece.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
      if (clusters.length === 1) sink.term(piece, "all", next());
      ngrams(clusters, 2, (pair) => sink.term(pair, "all", next()));
      ngrams(clusters, 3, (three) => sink.term(three, "all", NOTHING));
    } else {
      eachCompound(piece, (between) => spaced(between, forms, new PartOf(sink, next())));
      for (const [korean] of piece.matchAll(/\p{sc=Hang}{3,}/gu))
        ngrams([...korean], 2, (pair) => sink.term(pair, "all", NOTHING));
    }
    for (const [digits] of piece.matchAll(/(?![0-9])\p{Nd}+/gu))
      otherwise(asciiDigits(digits), digits, { forms, sink, proof: NOTHING });
  }
}

const SAME_KIND =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005]+|[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]+|[^\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]+/gu;

function ngrams(items: readonly string[], size: number, visit: (gram: string) => void): void {
  for (let i = 0; i + size <= items.length; i++) visit(items.slice(i, i + size).join(""));
}

const MOST_STEMS = 50_000;
const stemmed = remembered(MOST_STEMS, stemEnglish);
