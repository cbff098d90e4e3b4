/**
 * Text -> terms of the keyword index. The same rules run in the parse workers for chunks and on the main thread for
 * queries; a change that alters any term must raise ANALYZER_VERSION. Each version only adds terms to those of the one
 * before, so that today's queries are right for older chunks until these are analysed again (jobs/reanalyze.ts).
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
 * - Since version 2, other spellings: words without accents and transcribed (term-fold.ts), numbers in the other ways to
 *   write them and out of their compounds (term-numbers.ts), signs and emoji. They weigh less in a query than the
 *   spelling that was asked for, unless no chunk has that.
 * - Since version 2, the later parts of words that are compounds without joints (term-tails.ts), for questions whose
 *   word stands nowhere by itself, or seldom.
 * - Since version 2, the name of the file, in a vocabulary of its own: a name must not make a word of the texts common.
 * - Since version 3, a few more other spellings (term-fold.ts, term-numbers.ts).
 */
import type { QueryTerm } from "./query-term.ts";
import { languageOf } from "./language.ts";
import { englishLexicon, type Lexicon } from "./lexicon.ts";
import { nameTerms } from "./term-names.ts";
import { ANALYZER_VERSION, packTerms, type TermsToPack, unpackTerms } from "./term-blob.ts";
import { askedTails, tailTerms } from "./term-tails.ts";
import { type Among, type Forms, NOTHING, type Proof, plainText, type TermSink, walkTerms } from "./term-walk.ts";
import { NON_ASCII } from "./words.ts";

/** How much more a word of a heading over the chunk, or of the document's title, counts. */
export const HEADING_WEIGHT = 1;
export const TITLE_WEIGHT = 1;

/**
 * Of a longer question the rest changes nothing that matters, and it is taken apart while requests wait. Counted in
 * compatibility forms too, of which one character can be eighteen.
 */
const MAX_QUERY_LENGTH = 8192;

/**
 * What a spelling that was not asked for counts in a query, where some chunk has the one that was: enough to be found,
 * too little to be put before. Where none has, it counts in its place; of a word asked for with accents less, for
 * without them it may be another.
 */
const SPELLING = { share: 0.02, alone: 1, aloneAccented: 0.3 } as const;
/** What a word counts that a file is called by. */
const NAME = { share: 0.5, alone: 0.5 } as const;
/** What a word counts that is a part of a longer one. */
const TAIL = { share: 0.1, alone: 0.5 } as const;

export type ChunkText = {
  readonly text: string;
  readonly heading: readonly string[];
  readonly title: string;
  /** What the file is called, if that tells anything. */
  readonly filename?: string | undefined;
};

/**
 * Terms of one window (see passages.ts): about eighty English words, or as much in another language. Other words come in
 * two forms, characters alone and in pairs, and clusters of letters and marks in pairs and triples.
 */
const WINDOW_TERMS = { english: 80, other: 140, characters: 270, clusters: 640 } as const;

/** The terms of one chunk, packed for storage and for `KeywordIndex.add`. */
export function encodeTerms(chunk: ChunkText): Uint8Array {
  return packTerms(analysed(chunk));
}

/** Terms of an older version brought to this one: what they had, which may be of a title not known here, and what is new. */
export function upgradeTerms(older: Uint8Array, chunk: ChunkText): Uint8Array {
  const before = unpackTerms(older);
  if (before.version === ANALYZER_VERSION) return older;
  const { weights, ...rest } = analysed(chunk);
  const both = new Map(weights);
  before.hashes.forEach((hash, i) => both.set(hash, Math.max(both.get(hash) ?? 0, before.frequencies[i] ?? 0)));
  return packTerms({ ...rest, weights: both, length: before.length });
}

function analysed(chunk: ChunkText): TermsToPack {
  const { isEnglish, isCompounding } = languageOf(chunk.text);
  const forms = isEnglish ? "english" : "other";
  const weights = new Map<number, number>();
  const sequence: number[] = [];
  let length = 0;
  const sink = (weight: number): TermSink => ({
    unit() {},
    term(term) {
      const hash = hashTerm(term);
      if (weight === 0) sequence.push(hash);
      add(weights, hash, weight || 1);
      length += weight || 1;
    },
    // They do not make the text longer.
    spelling: (term) => add(weights, hashTerm(term), weight || 1),
  });
  walkTerms(chunk.text, forms, sink(0));
  for (const heading of chunk.heading) walkTerms(heading, forms, sink(HEADING_WEIGHT));
  walkTerms(chunk.title, forms, sink(TITLE_WEIGHT));
  if (isCompounding) {
    for (const text of [chunk.text, ...chunk.heading, chunk.title])
      for (const tail of tailTerms(text)) add(weights, hashTerm(tail), 1);
    weights.set(COMPOUNDING_CHUNK, 1);
  }
  weights.set(forms === "english" ? ENGLISH_CHUNK : OTHER_CHUNK, 1);
  weights.set(SPELLED_CHUNK, 1);
  return {
    weights,
    length,
    sequence,
    windows: Math.round(sequence.length / windowTerms(chunk.text, forms)),
    names: nameHashes(chunk.filename ?? "").filter((hash) => !weights.has(hash)),
  };
}

/** The chunks of a file come one after the other. */
let named = { filename: "", hashes: [] as number[] };

function nameHashes(filename: string): number[] {
  if (named.filename !== filename)
    named = { filename, hashes: [...new Set(nameTerms(filename).map((term) => hashTerm(term)))] };
  return named.hashes;
}

function add(weights: Map<number, number>, hash: number, weight: number): void {
  weights.set(hash, (weights.get(hash) ?? 0) + weight);
}

/**
 * The terms of a question, every word in all its forms. A word asked twice counts twice. How rare a form is is
 * judged among the chunks that can have it: an English word in one of a few German chunks is not a rare word.
 */
export function queryTerms(text: string, lexicon: Lexicon = englishLexicon()): QueryTerm[] {
  const asked = plainText(joinedLines(text.slice(0, MAX_QUERY_LENGTH))).slice(0, MAX_QUERY_LENGTH);
  const query = new QueryBuilder(lexicon);
  walkTerms(asked, "all", query);
  if (query.units <= MOST_NAME_UNITS) {
    for (const name of nameTerms(asked)) query.name(name);
    for (const { word, tail } of askedTails(asked)) query.tail(tail, word);
  }
  return query.terms();
}

/** Nobody asks for a file with more words than its name may have. */
const MOST_NAME_UNITS = 24;

/** A word that a line's end cut in two, as it comes out of a page that was copied. */
function joinedLines(text: string): string {
  return text.includes("\n") ? text.replace(/(\p{L})[-\u2010]\s*\n\s*(?=\p{Ll})/gu, "$1-") : text;
}

interface Draft {
  readonly term: string;
  readonly hash: number;
  count: number;
  among: number;
  instead: QueryTerm["instead"];
  proves: { unit: number; part: Proof }[];
  /** Parts of the unit that is walked that it proves, once they are many. */
  many: { unit: number; parts: Set<Proof> } | undefined;
}

class QueryBuilder implements TermSink {
  readonly #lexicon: Lexicon;
  readonly #drafts = new Map<string, Draft>();
  #unit = -1;

  constructor(lexicon: Lexicon) {
    this.#lexicon = lexicon;
  }

  get units(): number {
    return this.#unit + 1;
  }

  unit(): void {
    this.#unit++;
  }

  term(term: string, among: Among, proof: Proof): void {
    const draft = this.#draft(term, AMONG[among], proof);
    draft.count++;
    // Asked for as such, whatever else it is a spelling of.
    if (draft.instead === undefined) return;
    draft.instead = undefined;
    draft.among = AMONG[among];
  }

  spelling(term: string, proof: Proof, of: string): void {
    const isNew = !this.#drafts.has(term);
    const draft = this.#draft(term, SPELLED_CHUNK, proof);
    if (!isNew) return;
    const alone = NON_ASCII.test(of) ? SPELLING.aloneAccented : SPELLING.alone;
    draft.count = 1;
    draft.instead = { of: hashTerm(of), share: SPELLING.share, alone };
  }

  name(term: string): void {
    const draft = this.#draft(term, SPELLED_CHUNK, NOTHING);
    draft.count = 1;
    draft.instead = { of: draft.instead?.of ?? draft.hash, share: NAME.share, alone: NAME.alone };
  }

  tail(term: string, of: string): void {
    const draft = this.#draft(term, COMPOUNDING_CHUNK, NOTHING);
    draft.count = 1;
    draft.instead = { of: hashTerm(of), share: TAIL.share, alone: TAIL.alone };
  }

  terms(): QueryTerm[] {
    const terms: QueryTerm[] = [];
    for (const { term, hash, count, among, instead, proves } of this.#drafts.values()) {
      const learned = this.#lexicon.get(term);
      const multiply = learned?.multiply ?? 1;
      const add = learned?.add ?? 0;
      terms.push({ hash, count, multiply, add, among, instead, isOrdinary: learned !== undefined, proves });
    }
    return terms;
  }

  #draft(term: string, among: number, part: Proof): Draft {
    let draft = this.#drafts.get(term);
    if (draft === undefined) {
      draft = { term, hash: hashTerm(term), count: 0, among, instead: undefined, proves: [], many: undefined };
      this.#drafts.set(term, draft);
    }
    if (part !== NOTHING && !isProven(draft, this.#unit, part)) draft.proves.push({ unit: this.#unit, part });
    return draft;
  }
}

/** More parts of a unit are remembered in a set. */
const FEW_PARTS = 16;

/** Units come one after the other: only the last entries can be of this one. */
function isProven(draft: Draft, unit: number, part: Proof): boolean {
  const { proves } = draft;
  if (draft.many?.unit === unit) return !isAdded(draft.many.parts, part);
  for (let i = proves.length - 1, seen = 0; proves[i]?.unit === unit; i--) {
    if (proves[i]?.part === part) return true;
    if (++seen < FEW_PARTS) continue;
    const parts = new Set(proves.filter((one) => one.unit === unit).map((one) => one.part));
    draft.many = { unit, parts };
    return !isAdded(parts, part);
  }
  return false;
}

function isAdded(parts: Set<Proof>, part: Proof): boolean {
  const before = parts.size;
  return parts.add(part).size > before;
}

/** The terms themselves, in order, for tests and for showing what a text was taken for. */
export function termsOf(text: string, forms: Forms = languageOf(text).isEnglish ? "english" : "other"): string[] {
  const terms: string[] = [];
  walkTerms(text, forms, { unit() {}, term: (term) => terms.push(term), spelling() {} });
  return terms;
}

/** The other spellings under which a text is found. */
export function spellingsOf(text: string, forms: Forms = languageOf(text).isEnglish ? "english" : "other"): string[] {
  const spellings: string[] = [];
  walkTerms(text, forms, { unit() {}, term() {}, spelling: (term) => spellings.push(term) });
  return spellings;
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
/** And this one, since version 2: only these chunks have other spellings and the names of their files. */
const SPELLED_CHUNK = hashTerm("\u0000spelled");
/** And this one, where words have parts. */
const COMPOUNDING_CHUNK = hashTerm("\u0000compounding");
const AMONG: Readonly<Record<Among, number>> = {
  all: 0,
  english: ENGLISH_CHUNK,
  other: OTHER_CHUNK,
  spelled: SPELLED_CHUNK,
};
