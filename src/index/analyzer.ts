/**
 * Text -> terms of the keyword index. The same rules run in the parse workers for chunks and on the main thread for
 * queries; a change that alters any term must raise ANALYZER_VERSION, and every chunk is analysed again.
 *
 * - Compatibility forms and case are folded.
 * - English words are stemmed. Words of other languages stand as they are, and those of more than five letters also
 *   by their first five without accents: a stemmer for every language. A chunk carries the forms of its own
 *   language, a query all forms of every word.
 * - A compound (`well-known`, `snake_case`, `camelCase`, `user@example.org`) counts by its parts and as a whole, and
 *   the whole is written without its joints: `wi-fi`, `WiFi` and `wifi` meet.
 * - Numbers keep their points (`1.2.3`, also as `1.2`) and lose their thousands commas; `E1234` is also `1234`.
 * - Chinese characters and kana count alone and in pairs; Thai, Lao, Khmer and Burmese in pairs and triples of
 *   characters with their marks; Korean words also by their pairs of syllables.
 * - No word is left out: common words are made light by their frequency.
 */
import type { QueryTerm } from "./keyword.ts";
import { looksEnglish } from "./language.ts";
import { englishLexicon, type Lexicon } from "./lexicon.ts";
import { stemEnglish } from "./stem.ts";
import { packTerms } from "./term-blob.ts";

/** How much more a word of a heading over the chunk, or of the document's title, counts. */
export const HEADING_WEIGHT = 1;
export const TITLE_WEIGHT = 1;

/** Longer words are cut: nobody types them, and base64 would fill the vocabulary. */
const MAX_WORD_LENGTH = 64;
const PREFIX_LENGTH = 5;

/** Of a longer question the rest changes nothing that matters, and it is taken apart while requests wait. */
const MAX_QUERY_LENGTH = 16_384;

export type ChunkText = { readonly text: string; readonly heading: readonly string[]; readonly title: string };

/** Which forms of a word are wanted: those of an English text, of another text, or all, for a query. */
type Forms = "english" | "other" | "all";
/** `among` is the marker of the chunks that can have this form at all, 0 for every chunk. */
type Emit = (term: string, among: number) => void;

/**
 * Terms of one window (see passages.ts): about eighty English words, or as much in another language. Other words come in
 * two forms, characters alone and in pairs, and clusters of letters and marks in pairs and triples.
 */
const WINDOW_TERMS = { english: 80, other: 140, characters: 270, clusters: 640 } as const;

/** The terms of one chunk, packed for storage and for `KeywordIndex.add`. */
export function encodeTerms(chunk: ChunkText): Uint8Array {
  const forms = looksEnglish(chunk.text) ? "english" : "other";
  const weights = new Map<number, number>();
  const sequence: number[] = [];
  forEachTerm(chunk.text, forms, (term) => sequence.push(hashTerm(term)));
  for (const hash of sequence) weights.set(hash, (weights.get(hash) ?? 0) + 1);
  let length = sequence.length;
  for (const heading of chunk.heading) length += addTerms(heading, forms, HEADING_WEIGHT, weights);
  length += addTerms(chunk.title, forms, TITLE_WEIGHT, weights);
  weights.set(forms === "english" ? ENGLISH_CHUNK : OTHER_CHUNK, 1);
  return packTerms({
    weights,
    length,
    sequence,
    windows: Math.round(sequence.length / windowTerms(chunk.text, forms)),
  });
}

/**
 * The terms of a question, every word in all its forms. A word asked twice counts twice. How rare a form is is
 * judged among the chunks that can have it: an English word in one of a few German chunks is not a rare word.
 */
export function queryTerms(text: string, lexicon: Lexicon = englishLexicon()): QueryTerm[] {
  const terms = new Map<string, { hash: number; count: number; among: number; multiply: number; add: number }>();
  forEachTerm(text.slice(0, MAX_QUERY_LENGTH), "all", (term, among) => {
    const known = terms.get(term);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const learned = lexicon.get(term);
    terms.set(term, {
      hash: hashTerm(term),
      count: 1,
      among,
      multiply: learned?.multiply ?? 1,
      add: learned?.add ?? 0,
    });
  });
  return [...terms.values()];
}

/** The terms themselves, in order, for tests and for showing what a text was taken for. */
export function termsOf(text: string, forms: Forms = looksEnglish(text) ? "english" : "other"): string[] {
  const terms: string[] = [];
  forEachTerm(text, forms, (term) => terms.push(term));
  return terms;
}

function windowTerms(text: string, forms: "english" | "other"): number {
  const sample = text.slice(0, 400);
  if (forms === "english" && !NON_ASCII.test(sample)) return WINDOW_TERMS.english;
  const letters = sample.match(/\p{L}/gu)?.length ?? 0;
  const holds = (script: RegExp) => (sample.match(script)?.length ?? 0) * 2 > letters;
  if (holds(/[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]/gu)) return WINDOW_TERMS.characters;
  if (holds(/[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/gu)) return WINDOW_TERMS.clusters;
  return WINDOW_TERMS[forms];
}

/** Answers the number of terms, times their weight. */
function addTerms(text: string, forms: Forms, weight: number, into: Map<number, number>): number {
  let length = 0;
  forEachTerm(text, forms, (term) => {
    const hash = hashTerm(term);
    into.set(hash, (into.get(hash) ?? 0) + weight);
    length += weight;
  });
  return length;
}

const NON_ASCII = /[^\x00-\x7f]/;
const ASCII_LETTERS = /^[a-z]+$/;
const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]/g;
const COMPOUND =
  /[\p{L}\p{M}\p{N}]+(?:(?:[._'’\-\u2010\u2011@&]+|(?<=\p{Nd}),(?=\p{Nd}{3}(?!\p{Nd})))[\p{L}\p{M}\p{N}]+)*(?:\+\+|#(?!\p{L}))?/gu;
const JOINTS = /[^\p{L}\p{M}\p{N}]+/u;
const UNSPACED_OR_KOREAN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Hang}]/u;
const POINTED_NUMBER = /^v?(\p{Nd}+(?:\.\p{Nd}+)+)$/iu;
const CODE_NUMBER = /^\p{L}{1,8}(\p{Nd}{3,})$/u;
const CAMEL_JOINT = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
const ENGLISH_SUFFIX = /['’](?:s|S|ll|re|ve|d|m)$/;

function forEachTerm(text: string, forms: Forms, emit: Emit): void {
  const plain = NON_ASCII.test(text) ? text.replace(INVISIBLE, "").normalize("NFKC") : text;
  for (const [compound] of plain.matchAll(COMPOUND)) {
    if (NON_ASCII.test(compound) && UNSPACED_OR_KOREAN.test(compound)) unspaced(compound, forms, emit);
    else spaced(compound, forms, emit);
  }
}

function spaced(compound: string, forms: Forms, emit: Emit): void {
  const pointed = POINTED_NUMBER.exec(compound)?.[1];
  if (pointed !== undefined) {
    emit(pointed.slice(0, MAX_WORD_LENGTH), 0);
    const parts = pointed.split(".");
    if (parts.length > 2) emit(`${parts[0]}.${parts[1]}`, 0);
    return;
  }
  if (compound.endsWith("+") || compound.endsWith("#")) emit(compound.toLowerCase().slice(-MAX_WORD_LENGTH), 0);
  const plain = compound.replace(ENGLISH_SUFFIX, "").replace(/['’](?=[tT]$)/, "");
  if (plain.includes(",")) {
    spaced(plain.replaceAll(",", ""), forms, emit);
    return;
  }
  const parts = plain.split(JOINTS).filter((part) => part !== "");
  for (const part of parts) {
    word(part, forms, emit);
    const code = CODE_NUMBER.exec(part)?.[1];
    if (code !== undefined) emit(code, 0);
    const humps = part.split(CAMEL_JOINT);
    if (humps.length > 1) for (const hump of humps) word(hump, forms, emit);
  }
  if (parts.length > 1) word(parts.join(""), forms, emit);
}

function word(text: string, forms: Forms, emit: Emit): void {
  const lower = text.toLowerCase().slice(0, MAX_WORD_LENGTH);
  if (ASCII_LETTERS.test(lower)) {
    const stem = forms === "other" ? lower : stemmed(lower);
    if (forms !== "other") emit(stem, stem === lower ? 0 : ENGLISH_CHUNK);
    if (forms === "english") return;
    if (forms === "other" || stem !== lower) emit(lower, OTHER_CHUNK);
    prefix(lower, OTHER_CHUNK, emit);
    return;
  }
  emit(lower, 0);
  if (!NON_ASCII.test(lower)) return; // ASCII with digits: no form but its own
  const folded = fold(lower);
  if (forms !== "other" && ASCII_LETTERS.test(folded)) emit(stemmed(folded), ENGLISH_CHUNK);
  prefix(folded, 0, emit);
}

/** The first letters of a longer word, to meet its other endings. */
function prefix(folded: string, among: number, emit: Emit): void {
  const letters = [...folded];
  if (letters.length > PREFIX_LENGTH) emit(`p:${letters.slice(0, PREFIX_LENGTH).join("")}`, among);
}

/** A run with characters of scripts that are not cut by spaces: their n-grams, and the words between them. */
function unspaced(run: string, forms: Forms, emit: Emit): void {
  for (const [piece] of run.matchAll(SAME_KIND)) {
    if (/^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005]/u.test(piece)) {
      const characters = [...piece];
      characters.forEach((character) => emit(character, 0));
      ngrams(characters, 2, emit);
    } else if (/^[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u.test(piece)) {
      const clusters = piece.match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
      if (clusters.length === 1) emit(piece, 0);
      ngrams(clusters, 2, emit);
      ngrams(clusters, 3, emit);
    } else {
      for (const [compound] of piece.matchAll(COMPOUND)) spaced(compound, forms, emit);
      for (const [korean] of piece.matchAll(/\p{sc=Hang}{3,}/gu)) ngrams([...korean], 2, emit);
    }
  }
}

const SAME_KIND =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005]+|[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]+|[^\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\u3005\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]+/gu;

function ngrams(items: readonly string[], size: number, emit: Emit): void {
  for (let i = 0; i + size <= items.length; i++) emit(items.slice(i, i + size).join(""), 0);
}

/** Without accents, Arabic vowel signs and the letters that other keyboards lack. */
function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u0591-\u05c7]/g, "")
    .normalize("NFC")
    .replace(/[ßøæœđłıςة\u0649\u06cc\u06a9]/g, (letter) => FOLDED_LETTERS[letter] ?? letter);
}

const FOLDED_LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  ø: "o",
  æ: "ae",
  œ: "oe",
  đ: "d",
  ł: "l",
  ı: "i",
  ς: "σ",
  ة: "ه",
  "\u0649": "\u064a",
  "\u06cc": "\u064a",
  "\u06a9": "\u0643",
};

const STEM_CACHE_LIMIT = 50_000;
const stems = new Map<string, string>();

function stemmed(lower: string): string {
  const known = stems.get(lower);
  if (known !== undefined) return known;
  const stem = stemEnglish(lower);
  if (stems.size >= STEM_CACHE_LIMIT) stems.clear();
  stems.set(lower, stem);
  return stem;
}

/** FNV-1a over UTF-16 units, finished with MurmurHash3's mixer so that all bits can be used alone. */
export function hashTerm(term: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < term.length; i++) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}

/** Every chunk carries one of these as a term, so that the index knows how many there are of each kind. */
const ENGLISH_CHUNK = hashTerm("\u0000english");
const OTHER_CHUNK = hashTerm("\u0000other");
