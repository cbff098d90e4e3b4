/**
 * A fast BERT WordPiece tokenizer: the text is cut at blanks, punctuation and CJK characters, and
 * what lies between is looked up as it stands in a cache of pieces, so that normalisation and the
 * greedy search run once per distinct word. Sound because every step of BERT's normalisation stays
 * within such a stretch: the characters cut at are starters that decompose to themselves, so nothing
 * combines, reorders or changes case across them.
 */
import { bertWords, isChinese } from "./bert-text.ts";
import type { BertTextOptions } from "./bert-text.ts";
import { HASH_START, hashStep, MISSING, WordTable } from "./word-table.ts";
import { countCodePoints } from "../../platform/code-points.ts";
import { normalized } from "../../stream-safe.ts";

/** Blanks that are not control characters: those are dropped, not taken as blanks. */
const SPACE = /[\p{Zs}\p{Zl}\p{Zp}]/u;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/u;

export interface WordPieceOptions extends BertTextOptions {
  vocabulary: Map<string, number>;
  unknownId: number;
  continuing: string;
  /** Longer words (in code points) are one unknown token. */
  maxWordLength: number;
  /** Texts that stand for one token wherever they occur, such as "[SEP]". */
  added: Map<string, number>;
}

/** Appends token ids; grows by doubling so that a long text is copied only a few times. */
export class IdBuffer {
  ids = new Int32Array(1024);
  length = 0;

  push(id: number): void {
    if (this.length === this.ids.length) this.#grow();
    this.ids[this.length++] = id;
  }

  /** A copy of what was appended. */
  take(): Int32Array {
    return this.ids.slice(0, this.length);
  }

  #grow(): void {
    const wider = new Int32Array(this.ids.length * 2);
    wider.set(this.ids);
    this.ids = wider;
  }
}

const WORD = 0;
const BLANK = 1;
const MARK = 2;
/** Bounds the cache to some 10 MB a lane. */
const CACHE_ENTRIES = 100_000;
const CACHED_LENGTH = 48;

export class WordPiece {
  readonly #options: WordPieceOptions;
  readonly #added: RegExp | null;
  readonly #class: Uint8Array;
  /** UTF-16 unit of a mark -> its token id + 1; 0 where not looked up yet. */
  readonly #markIds = new Int32Array(65_536);
  readonly #longestPiece: number;
  /** Word as written -> its token id, or -1 - index into #pieces. */
  readonly #cache = new WordTable(CACHE_ENTRIES);
  #pieces: Int32Array[] = [];

  constructor(options: WordPieceOptions) {
    this.#options = options;
    this.#added = addedPattern(options.added);
    this.#class = options.chineseApart ? (classesApart ??= unitClasses(true)) : (classesPlain ??= unitClasses(false));
    let longest = 0;
    for (const piece of options.vocabulary.keys()) if (piece.length > longest) longest = piece.length;
    this.#longestPiece = longest;
  }

  /** Token ids of a text, without the special tokens around it. */
  encode(text: string): Int32Array {
    return this.encodeParts([], text).ids;
  }

  /**
   * Token ids of a text that is encoded in parts, cut at `offsets`, and where in them each part begins (parts without
   * tokens left out, 0 too).
   */
  encodeParts(offsets: readonly number[], text: string): { ids: Int32Array; sentences: number[] } {
    const out = new IdBuffer();
    const sentences: number[] = [];
    const added = this.#added !== null && text.search(this.#added) >= 0 ? this.#added : null;
    let start = 0;
    for (let part = 0; part <= offsets.length; part++) {
      const end = offsets[part] ?? text.length;
      const before = out.length;
      if (added === null) this.#encodeStretch(text, start, end, out);
      else this.#encodeWithAdded(text.slice(start, end), added, out);
      if (before > 0 && out.length > before) sentences.push(before);
      start = end;
    }
    return { ids: out.take(), sentences };
  }

  #encodeWithAdded(text: string, added: RegExp, out: IdBuffer): void {
    let start = 0;
    for (const match of text.matchAll(added)) {
      this.#encodeStretch(text, start, match.index, out);
      out.push(this.#options.added.get(match[0]) ?? this.#options.unknownId);
      start = match.index + match[0].length;
    }
    this.#encodeStretch(text, start, text.length, out);
  }

  #encodeStretch(text: string, from: number, to: number, out: IdBuffer): void {
    const classes = this.#class;
    let start = from;
    let hash = HASH_START;
    for (let i = from; i < to; i++) {
      const c = text.charCodeAt(i);
      const kind = classes[c];
      if (kind === WORD) {
        hash = hashStep(hash, c);
        continue;
      }
      if (start < i) this.#word(text, start, i, hash, out);
      if (kind === MARK) out.push(((this.#markIds[c] as number) || this.#markId(c)) - 1);
      start = i + 1;
      hash = HASH_START;
    }
    if (start < to) this.#word(text, start, to, hash, out);
  }

  #markId(c: number): number {
    const id = this.#options.vocabulary.get(String.fromCharCode(c)) ?? this.#options.unknownId;
    return (this.#markIds[c] = id + 1);
  }

  #word(text: string, start: number, end: number, hash: number, out: IdBuffer): void {
    const hit = this.#cache.find(text, start, end, hash);
    if (hit >= 0) out.push(hit);
    else if (hit === MISSING) this.#miss(text, start, end, hash, out);
    else {
      const pieces = this.#pieces[-1 - hit] as Int32Array;
      for (let i = 0; i < pieces.length; i++) out.push(pieces[i] as number);
    }
  }

  #miss(text: string, start: number, end: number, hash: number, out: IdBuffer): void {
    const from = out.length;
    for (const word of bertWords(text.slice(start, end), this.#options)) this.#split(word, out);
    if (end - start > CACHED_LENGTH) return;
    const single = out.length === from + 1;
    const value = single ? (out.ids[from] as number) : -1 - this.#pieces.length;
    if (!this.#cache.add(text, start, end, hash, value)) {
      // Full: begun anew, which costs little and needs no bookkeeping of what was used when.
      this.#cache.clear();
      this.#pieces = [];
    } else if (!single) this.#pieces.push(out.ids.slice(from, out.length));
  }

  /** Greedy longest match from the left; a word that does not fit is one unknown token. */
  #split(word: string, out: IdBuffer): void {
    const { vocabulary, unknownId, continuing, maxWordLength } = this.#options;
    const from = out.length;
    if (word.length > maxWordLength && countCodePoints(word) > maxWordLength) return out.push(unknownId);
    let start = 0;
    while (start < word.length) {
      let end = Math.min(word.length, start + this.#longestPiece);
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = word.slice(start, end);
        id = vocabulary.get(start === 0 ? piece : continuing + piece);
        if (id !== undefined) break;
      }
      if (id === undefined) {
        out.length = from;
        return out.push(unknownId);
      }
      out.push(id);
      start = end;
    }
  }
}

let classesApart: Uint8Array | undefined;
let classesPlain: Uint8Array | undefined;

/** What each UTF-16 unit does to the stretch it stands in. Surrogates and everything doubtful are part of a word. */
function unitClasses(chineseApart: boolean): Uint8Array {
  const classes = new Uint8Array(65_536).fill(WORD);
  for (let c = 0; c < 65_536; c++) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const char = String.fromCharCode(c);
    if (c === 9 || c === 10 || c === 13) classes[c] = BLANK;
    else if (SPACE.test(char)) classes[c] = BLANK;
    else if ((PUNCTUATION.test(char) || (chineseApart && isChinese(c))) && normalized(char, "NFD") === char) {
      classes[c] = MARK;
    }
  }
  return classes;
}

/** Leftmost, then longest, as Rust's Aho-Corasick matcher takes them. */
function addedPattern(added: Map<string, number>): RegExp | null {
  const contents = [...added.keys()].filter((content) => content !== "").sort((a, b) => b.length - a.length);
  if (contents.length === 0) return null;
  return new RegExp(contents.map((content) => content.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")).join("|"), "g");
}
