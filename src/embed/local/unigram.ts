/**
 * The unigram model of a tokenizer (SentencePiece's, as multilingual encoders have it) over a {@link PieceTrie}: the same
 * cuts as the library's, whose nodes and vocabulary are objects, in a twentieth of its memory. Sums are made in its order
 * and compared as it compares them, so that cuts of the same score are told apart as there.
 */
import { Model } from "@huggingface/tokenizers";
import type { JsonObject } from "./json-files.ts";
import { numberOf, objectOf, stringOf } from "./json-files.ts";
import { ENDER, INNER, NO_PIECE, PieceTrie, type UnigramPieces } from "./piece-trie.ts";

/** What a character that is no piece costs beside the rarest piece. */
const UNKNOWN_PENALTY = 10;
const MARKS = ["▁", "Ġ"];
const ENDERS = /^[▁Ġ]?[.!?。！？]$/;

/** The pieces of a tokenizer.json; null where its model is another, or has what the arrays cannot say. */
export function unigramPieces(json: JsonObject): UnigramPieces | null {
  const model = objectOf(json["model"]);
  const vocabulary = model?.["vocab"];
  const unknown = numberOf(model?.["unk_id"]);
  if (model?.["type"] !== "Unigram" || !Array.isArray(vocabulary) || unknown === null) return null;
  const pieces: string[] = [];
  const scores = new Float64Array(vocabulary.length);
  let least = Infinity;
  for (const entry of vocabulary as unknown[]) {
    const [piece, score] = Array.isArray(entry) ? [stringOf(entry[0]), numberOf(entry[1])] : [null, null];
    if (piece === null || piece === "" || score === null || !piece.isWellFormed()) return null;
    least = Math.min(least, score);
    scores[pieces.length] = score;
    pieces.push(piece);
  }
  if (!Number.isInteger(unknown) || pieces[unknown] === undefined || new Set(pieces).size < pieces.length) return null;
  const added = addedTokens(json, pieces);
  if (added === null) return null;
  scores[unknown] = least - UNKNOWN_PENALTY;
  return { trie: PieceTrie.of(pieces), scores, flags: flagsOf(pieces, added) };
}

/** Their texts; null where one is a piece by another id. */
function addedTokens(json: JsonObject, pieces: readonly string[]): Set<string> | null {
  const added = new Set<string>();
  const places = new Map<string, number>();
  for (const entry of Array.isArray(json["added_tokens"]) ? json["added_tokens"] : []) {
    const content = stringOf(objectOf(entry)?.["content"]);
    const id = numberOf(objectOf(entry)?.["id"]);
    if (content === null || id === null) return null;
    added.add(content);
    places.set(content, id);
  }
  const isMoved = pieces.some((piece, id) => added.has(piece) && places.get(piece) !== id);
  return isMoved ? null : added;
}

function flagsOf(pieces: readonly string[], added: ReadonlySet<string>): Uint8Array {
  const own = (piece: string) => !added.has(piece);
  const marks = MARKS.filter((mark) => pieces.some((piece) => own(piece) && piece.startsWith(mark)));
  return Uint8Array.from(pieces, (piece) => {
    if (!own(piece)) return 0;
    const isInner = marks.length > 0 && !marks.some((mark) => piece.startsWith(mark));
    return (isInner ? INNER : 0) | (ENDERS.test(piece) ? ENDER : 0);
  });
}

/** What the library takes for its vocabulary: looked up, never listed. */
class PieceIds extends Map<string, number> {
  readonly #trie: PieceTrie;

  constructor(trie: PieceTrie) {
    super();
    this.#trie = trie;
  }

  override get(piece: string): number | undefined {
    return this.#trie.idOf(piece);
  }
}

/** In the place of the library's model, which cuts what its other steps have made of a text. */
export class UnigramModel extends Model {
  readonly #pieces: UnigramPieces;
  readonly #unknownScore: number;
  readonly #lattice = new Lattice();

  constructor(pieces: UnigramPieces, unknownId: number) {
    super({ type: "Unigram", vocab: [], unk_id: unknownId } as never);
    this.#pieces = pieces;
    this.#unknownScore = pieces.scores[unknownId] as number;
    this.unk_token_id = unknownId;
    this.tokens_to_ids = new PieceIds(pieces.trie);
    this.fuse_unk = true;
  }

  encode(texts: string[]): string[] {
    return texts.flatMap((text) => this.#cut(text));
  }

  #cut(text: string): string[] {
    const { trie, scores } = this.#pieces;
    const { ids } = trie;
    const lattice = this.#lattice;
    lattice.begin(text.length);
    for (let start = 0; start < text.length;) {
      const width = isPair(text, start) ? 2 : 1;
      let hasOne = false;
      for (let node = 0, end = start; end < text.length;) {
        node = trie.child(node, text.charCodeAt(end));
        if (node === 0) break;
        end += 1;
        const id = ids[node] as number;
        if (id === NO_PIECE) continue;
        lattice.add(start, end, scores[id] as number);
        if (end - start === width) hasOne = true;
      }
      if (!hasOne) lattice.add(start, start + width, this.#unknownScore);
      start += width;
    }
    return lattice.best(text);
  }
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}

const FIRST_STRETCHES = 256;
/** What a text without a blank needed more than is given back with the next. */
const MOST_KEPT = 1 << 16;

/** Stretches of a text, each with the best way to it; those that end at a place are chained in the order they came. */
class Lattice {
  #starts = new Int32Array(FIRST_STRETCHES);
  #before = new Int32Array(FIRST_STRETCHES);
  #next = new Int32Array(FIRST_STRETCHES);
  #sums = new Float64Array(FIRST_STRETCHES);
  #count = 0;
  /** By place: first and last stretch that ends there, +1; 0: none. */
  #heads = new Int32Array(FIRST_STRETCHES);
  #tails = new Int32Array(FIRST_STRETCHES);
  #length = 0;

  begin(length: number): void {
    this.#length = length;
    this.#count = 0;
    if (this.#starts.length > MOST_KEPT) this.#size(FIRST_STRETCHES);
    if (this.#heads.length <= length || this.#heads.length > MOST_KEPT) {
      this.#heads = new Int32Array(length + FIRST_STRETCHES);
      this.#tails = new Int32Array(length + FIRST_STRETCHES);
    } else {
      this.#heads.fill(0, 0, length + 1);
      this.#tails.fill(0, 0, length + 1);
    }
    // The beginning of the text, which ends at 0.
    this.#put(0, 0, NO_PIECE, 0);
  }

  /** Stretches that begin at a place come after all that end there. */
  add(start: number, end: number, score: number): void {
    const before = this.#bestBefore(start, score);
    this.#put(start, end, before, (this.#sums[before] as number) + score);
  }

  /** The pieces of the best way through the text. */
  best(text: string): string[] {
    const pieces: string[] = [];
    let end = this.#length;
    for (let at = this.#bestBefore(end, 0); at > 0; at = this.#before[at] as number) {
      const start = this.#starts[at] as number;
      pieces.push(text.slice(start, end));
      end = start;
    }
    return pieces.reverse();
  }

  /** The first of those with the highest sum: rounding may make two of them equal that were not. */
  #bestBefore(place: number, score: number): number {
    let at = (this.#heads[place] as number) - 1;
    let best = at;
    let highest = (this.#sums[at] as number) + score;
    for (at = (this.#next[at] as number) - 1; at >= 0; at = (this.#next[at] as number) - 1) {
      const sum = (this.#sums[at] as number) + score;
      if (sum > highest) [best, highest] = [at, sum];
    }
    return best;
  }

  #put(start: number, end: number, before: number, sum: number): void {
    if (this.#count === this.#starts.length) this.#size(this.#count * 2);
    const at = this.#count++;
    this.#starts[at] = start;
    this.#before[at] = before;
    this.#sums[at] = sum;
    this.#next[at] = 0;
    const last = this.#tails[end] as number;
    if (last === 0) this.#heads[end] = at + 1;
    else this.#next[last - 1] = at + 1;
    this.#tails[end] = at + 1;
  }

  /** Makes room for so many, and keeps those that there are. */
  #size(size: number): void {
    const moved = <T extends Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from.subarray(0, this.#count));
      return to;
    };
    this.#starts = moved(this.#starts, new Int32Array(size));
    this.#before = moved(this.#before, new Int32Array(size));
    this.#next = moved(this.#next, new Int32Array(size));
    this.#sums = moved(this.#sums, new Float64Array(size));
  }
}
