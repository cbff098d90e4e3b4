/**
 * cl100k_base tokens: the unit in which chunk sizes and usage are counted, whatever model embeds.
 *
 * The rank table comes from gpt-tokenizer; the loop is ours because its merge is quadratic in the
 * length of a word and a worker must survive a megabyte without a space. Text is consumed in
 * segments, so every function here is linear in the length of its input. A run of more than
 * MAX_PIECE units that the splitter takes for one word is cut before merging: only there can the
 * count differ from the reference encoder.
 */
import ranks from "gpt-tokenizer/bpeRanks/cl100k_base";

const SPLIT =
  /'(?:[sS]|[dD]|[mM]|[tT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+$|\s*[\r\n]|\s+(?!\S)|\s/uy;

const SEGMENT = 8192;
const MAX_PIECE = 2000;
const CUT_PIECE = 128;
const CACHE_ENTRIES = 50_000;
/** Parts of overlong words are counted again and again, so they are kept as well. */
const CACHE_KEY_LENGTH = CUT_PIECE;
const SPECIAL_TOKENS: Record<number, string> = {
  100257: "<|endoftext|>",
  100258: "<|fim_prefix|>",
  100259: "<|fim_middle|>",
  100260: "<|fim_suffix|>",
  100276: "<|endofprompt|>",
};

/** Thrown by decodeTokens for an id that cl100k_base does not have. */
export class UnknownTokenError extends Error {
  readonly token: number;
  constructor(token: number) {
    super(`Token ${token} is not in cl100k_base.`);
    this.name = "UnknownTokenError";
    this.token = token;
  }
}

/** Number of cl100k_base tokens; special tokens in the text count as ordinary text. */
export function countTokens(text: string): number {
  const cursor = new PieceCursor(text, 0);
  let total = 0;
  while (cursor.next()) total += cursor.tokens;
  return total;
}

/** Token ids of a text; special tokens in it are encoded as ordinary text. */
export function encodeTokens(text: string): number[] {
  const cursor = new PieceCursor(text, 0);
  const out: number[] = [];
  while (cursor.next()) {
    for (const id of mergePiece(text.slice(cursor.start, cursor.end))) out.push(id);
  }
  return out;
}

/**
 * Text of token ids. Bytes that do not form UTF-8 become U+FFFD, as a cut through a character does.
 * @throws UnknownTokenError
 */
export function decodeTokens(ids: number[]): string {
  const { bytesOf } = tables();
  let binary = "";
  for (const id of ids) {
    const special = SPECIAL_TOKENS[id];
    const bytes = special ?? bytesOf[id];
    if (bytes === undefined) throw new UnknownTokenError(id);
    binary += bytes;
  }
  return Buffer.from(binary, "latin1").toString("utf8");
}

/** Walks the pieces (words as the tokenizer sees them) of a text from an offset, with their token counts. */
export class PieceCursor {
  /** Offsets of the current piece in UTF-16 units; end exclusive. */
  start: number;
  end: number;
  tokens = 0;
  /** Whether the current piece is a part of an overlong word. */
  isPart = false;
  readonly #text: string;
  #segment = "";
  #segmentStart = 0;
  #cutUntil = 0;

  constructor(text: string, from: number) {
    this.#text = text;
    this.start = from;
    this.end = from;
    this.#segmentStart = from;
    this.#segment = text.slice(from, segmentEnd(text, from));
    this.#cutUntil = from;
  }

  next(): boolean {
    const text = this.#text;
    const start = this.end;
    if (start >= text.length) return false;
    this.start = start;
    const end = start < this.#cutUntil ? this.#cutEnd(start) : this.#matchEnd(start);
    this.end = end;
    this.isPart = start < this.#cutUntil;
    this.tokens = countPiece(text.slice(start, end));
    return true;
  }

  #matchEnd(start: number): number {
    let end = this.#match(start);
    const limit = this.#segmentStart + this.#segment.length;
    // A match that touches the end of its segment might go on: look again with a fresh segment.
    if (end >= limit - 2 && limit < this.#text.length && start > this.#segmentStart) {
      this.#segmentStart = start;
      this.#segment = this.#text.slice(start, segmentEnd(this.#text, start));
      end = this.#match(start);
    }
    if (end - start <= MAX_PIECE) return end;
    this.#cutUntil = end;
    return this.#cutEnd(start);
  }

  #match(start: number): number {
    if (start >= this.#segmentStart + this.#segment.length) {
      this.#segmentStart = start;
      this.#segment = this.#text.slice(start, segmentEnd(this.#text, start));
    }
    SPLIT.lastIndex = start - this.#segmentStart;
    const found = SPLIT.exec(this.#segment);
    return found === null ? start + 1 : start + Math.max(1, found[0].length);
  }

  #cutEnd(start: number): number {
    const end = Math.min(start + CUT_PIECE, this.#cutUntil);
    return isLowSurrogate(this.#text.charCodeAt(end)) && end < this.#cutUntil ? end - 1 : end;
  }
}

function segmentEnd(text: string, start: number): number {
  const end = Math.min(text.length, start + SEGMENT);
  return end < text.length && isLowSurrogate(text.charCodeAt(end)) ? end - 1 : end;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

interface Tables {
  /** Bytes of a token as a string of char codes 0–255. */
  bytesOf: (string | undefined)[];
  rankOf: Map<string, number>;
  /** Rank of the token that two adjacent tokens merge into, -1 where they do not; filled as met. */
  pairs: Map<number, number>;
  counts: Map<string, number>;
}

let loaded: Tables | null = null;

function tables(): Tables {
  if (loaded !== null) return loaded;
  const bytesOf: (string | undefined)[] = [];
  const rankOf = new Map<string, number>();
  (ranks as readonly (string | readonly number[] | undefined)[]).forEach((value, rank) => {
    if (value === undefined) return;
    const bytes = typeof value === "string" ? utf8Binary(value) : String.fromCharCode(...value);
    bytesOf[rank] = bytes;
    rankOf.set(bytes, rank);
  });
  loaded = { bytesOf, rankOf, pairs: new Map(), counts: new Map() };
  return loaded;
}

const NON_ASCII = /[^\x00-\x7f]/;

function utf8Binary(text: string): string {
  return NON_ASCII.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}

function countPiece(piece: string): number {
  const { rankOf, counts } = tables();
  const ascii = !NON_ASCII.test(piece);
  if (ascii && rankOf.has(piece)) return 1;
  const known = counts.get(piece);
  if (known !== undefined) return known;
  const count = mergePiece(piece).length;
  if (piece.length <= CACHE_KEY_LENGTH) {
    if (counts.size >= CACHE_ENTRIES) counts.clear();
    counts.set(piece, count);
  }
  return count;
}

/** Byte pair merge by lowest rank first (tiktoken's definition) over one piece. */
function mergePiece(piece: string): number[] {
  const { rankOf } = tables();
  const binary = utf8Binary(piece);
  const whole = rankOf.get(binary);
  if (whole !== undefined) return [whole];
  const parts: number[] = [];
  for (let i = 0; i < binary.length; i++) parts.push(rankOf.get(binary[i]!)!);
  return parts.length <= 24 ? mergeShort(parts) : mergeLong(parts);
}

function mergeShort(parts: number[]): number[] {
  const merged: number[] = [];
  for (let i = 0; i + 1 < parts.length; i++) merged.push(mergeOf(parts[i]!, parts[i + 1]!));
  for (;;) {
    let lowest = Infinity;
    let at = -1;
    for (let i = 0; i < merged.length; i++) {
      const rank = merged[i]!;
      if (rank >= 0 && rank < lowest) {
        lowest = rank;
        at = i;
      }
    }
    if (at < 0) return parts;
    parts[at] = lowest;
    parts.splice(at + 1, 1);
    merged.splice(at, 1);
    if (at > 0) merged[at - 1] = mergeOf(parts[at - 1]!, lowest);
    if (at < merged.length) merged[at] = mergeOf(lowest, parts[at + 1]!);
  }
}

/** The same in n log n: a list of parts, and a heap of possible merges by rank, then by place. */
function mergeLong(parts: number[]): number[] {
  const size = parts.length;
  const next = new Int32Array(size);
  const previous = new Int32Array(size);
  const heap = new MinHeap();
  const offer = (left: number): void => {
    const right = next[left]!;
    if (right >= size) return;
    const rank = mergeOf(parts[left]!, parts[right]!);
    if (rank >= 0) heap.push(rank * HEAP_PLACES + left);
  };
  for (let i = 0; i < size; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (let i = 0; i < size; i++) offer(i);
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    const left = entry % HEAP_PLACES;
    const rank = (entry - left) / HEAP_PLACES;
    if (parts[left]! < 0) continue;
    const right = next[left]!;
    // Either part may have been merged away since this entry was made.
    if (right >= size || mergeOf(parts[left]!, parts[right]!) !== rank) continue;
    parts[left] = rank;
    parts[right] = -1;
    next[left] = next[right]!;
    if (next[left]! < size) previous[next[left]!] = left;
    offer(left);
    if (previous[left]! >= 0) offer(previous[left]!);
  }
  return parts.filter((part) => part >= 0);
}

/** Above the bytes of any piece that is merged whole (MAX_PIECE units of at most 3 bytes). */
const HEAP_PLACES = 8192;

class MinHeap {
  readonly #items: number[] = [];

  push(value: number): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= value) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = value;
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

const PAIR_ENTRIES = 500_000;

function mergeOf(left: number, right: number): number {
  const { bytesOf, rankOf, pairs } = tables();
  const key = left * 131_072 + right;
  const known = pairs.get(key);
  if (known !== undefined) return known;
  const rank = rankOf.get(bytesOf[left]! + bytesOf[right]!) ?? -1;
  if (pairs.size >= PAIR_ENTRIES) pairs.clear();
  pairs.set(key, rank);
  return rank;
}
