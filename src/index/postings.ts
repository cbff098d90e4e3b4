import type { Bitset } from "./bitset.ts";
import { normsAt } from "./bm25.ts";
import { memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";
import type { Views } from "./views.ts";

/**
 * The posting lists of all terms in one growing arena of pages.
 *
 * A posting is one 32-bit number: chunk ordinal << 8 | weighted term frequency. A term's list is a chain of blocks of
 * doubling size (4 … 2048 numbers, the first of which is the address of the next block), so that adding never copies
 * a list and growth never copies the arena. Blocks given back are used again.
 *
 * A list is in ascending order of ordinals but where ordinals were used again or a chunk was given terms later: then it
 * is a few ascending runs one after the other, until it is purged. Nothing of a list is changed in place: postings are
 * added behind it, and a purge makes another one, so that a thread may read what a list had meanwhile. The blocks of the old
 * list are used again when no view is open (views.ts).
 *
 * Blocks of the largest size begin with the bounds of their stretches of 64 postings, each written when the stretch is
 * full. They let native/postings-best.cc leave stretches out that cannot have one of the best (Ding & Suel 2011, "Faster
 * Top-k Document Retrieval Using Block-Max Indexes"):
 *
 *   0        address of the next block
 *   1        average length of chunks when the block was begun, as the bits of a 32-bit float
 *   2 … 32   by stretch: last ordinal << 8 | largest frequency, or 0 in the lower bits where it is not ascending
 *   33 … 63  by stretch: the least norm / frequency of its postings by that average, as the bits of a 32-bit float
 */
export const MAX_ORDINAL = 0xffffff;

const PAGE_SHIFT = 15;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;
const SMALLEST_BLOCK = 4;
const LARGEST_BLOCK = 2048;
const STRETCH = 64;
const AVERAGE = 1;
const LASTS = 2;
const BOUNDS = 33;
/** A new slab has this share of the pages that there are, up to so many (16 MiB): few slabs, and little left unused. */
const SLAB_SHARE = 1 / 8;
const MOST_SLAB_PAGES = 128;

/** What is known of a term, side by side so that one posting touches one cache line: eight numbers a term. */
const HEAD = 0; // address of the first block; addresses are offsets into the arena + 1, 0 = none
const TAIL = 1;
const TAIL_USED = 2; // numbers used in the tail block, its link included
const TAIL_SIZE = 3;
const COUNT = 4;
const HASH = 5;
const EPOCH = 6; // removals up to this epoch are purged
const LAST = 7; // the last ordinal; -1 where the list is not ascending
const TERM_SHIFT = 3;
const TERMS_PER_PAGE_SHIFT = PAGE_SHIFT - TERM_SHIFT;

export class Postings {
  readonly #pages: Int32Array[] = [];
  /** What the pages lie in, in their order: each is some whole pages. */
  readonly #slabs: Int32Array[] = [];
  readonly #termPages: Int32Array[] = [];
  #arenaEnd = 0;
  readonly #freeBlocks: number[][] = []; // by log2 of the block size
  /** Pages that came from an image, and what of them counts as memory. */
  #mapped = { pages: 0, bytes: 0 };
  /** When nobody reads any more what is not to be found any more. */
  readonly #afterwards: Views["afterwards"];
  /** By ordinal, of all chunks that are there, and their average: what the bounds of stretches are made with. */
  #lengths = new Float32Array(0);
  #average = 1;

  constructor(views: Pick<Views, "afterwards">) {
    this.#afterwards = (action, bytes) => views.afterwards(action, bytes);
  }

  get byteLength(): number {
    const own = this.#pages.length + this.#termPages.length - this.#mapped.pages;
    return own * (4 << PAGE_SHIFT) + this.#mapped.bytes;
  }

  /** Only of postings of which none was ever dropped. */
  writeTo(image: SectionWriter): void {
    image.value("arenaEnd", this.#arenaEnd);
    image.array("pages", this.#pages.slice(0, (this.#arenaEnd + PAGE_MASK) >>> PAGE_SHIFT));
    image.array("terms", this.#termPages);
  }

  static from(image: SectionReader, views: Pick<Views, "afterwards">): Postings {
    const postings = new Postings(views);
    postings.#arenaEnd = image.number("arenaEnd");
    const [pages, terms] = [image.array("pages", "i32"), image.array("terms", "i32")];
    for (const page of pagesOf(pages)) postings.#pages.push(page);
    postings.#slabs.push(pages);
    for (const page of pagesOf(terms)) postings.#termPages.push(page);
    postings.#mapped = {
      pages: postings.#pages.length + postings.#termPages.length,
      bytes: memoryOf(pages, terms),
    };
    return postings;
  }

  /** Number of postings of a term (0 for -1), those of removed chunks included until the term is purged. */
  count(term: number): number {
    const page = term < 0 ? undefined : this.#termPages[term >>> TERMS_PER_PAGE_SHIFT];
    return page === undefined ? 0 : page[termOffset(term) + COUNT]!;
  }

  hash(term: number): number {
    return this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]![termOffset(term) + HASH]!;
  }

  epoch(term: number): number {
    return this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]![termOffset(term) + EPOCH]!;
  }

  /** The lengths of all chunks by ordinal, and their average: to be said before postings are added or purged. */
  measure(lengths: Float32Array<ArrayBuffer>, average: number): void {
    this.#lengths = lengths;
    this.#average = average > 0 ? average : 1;
  }

  /** Where the lists lie, for native code: see `VectorAddon`. To be asked for again after every write. */
  get slabs(): readonly Int32Array[] {
    return this.#slabs;
  }

  /** What native code must know of a term's list: address of its first block, postings, and whether it is ascending. */
  listOf(term: number): readonly [head: number, count: number, isAscending: number] {
    const page = this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]!;
    const own = termOffset(term);
    return [page[own + HEAD]!, page[own + COUNT]!, page[own + LAST]! < 0 ? 0 : 1];
  }

  /** Adds one posting; a term without postings takes the given hash and epoch. */
  append(term: number, ordinal: number, frequency: number, hash: number, epoch: number): void {
    const termPage = term >>> TERMS_PER_PAGE_SHIFT;
    while (termPage >= this.#termPages.length) this.#termPages.push(new Int32Array(PAGE_MASK + 1));
    const state = this.#termPages[termPage]!;
    const own = termOffset(term);
    if (state[own + COUNT] === 0) {
      state[own + HASH] = hash;
      state[own + EPOCH] = epoch;
    }
    this.#push(state, own, (ordinal << 8) | frequency);
  }

  #push(state: Int32Array, own: number, posting: number): void {
    const ordinal = posting >>> 8;
    const last = state[own + LAST]!;
    if (state[own + COUNT] === 0) state[own + LAST] = ordinal;
    else if (last >= 0) state[own + LAST] = ordinal > last ? ordinal : -1;
    if (state[own + TAIL_USED] === state[own + TAIL_SIZE]) this.#appendBlock(state, own);
    const used = state[own + TAIL_USED]!;
    const at = state[own + TAIL]! - 1 + used;
    this.#pages[at >>> PAGE_SHIFT]![at & PAGE_MASK] = posting;
    state[own + TAIL_USED] = used + 1;
    state[own + COUNT]!++;
    if (used % STRETCH === STRETCH - 1 && state[own + TAIL_SIZE] === LARGEST_BLOCK) this.#seal(at - used, used);
  }

  /** Writes the bounds of the stretch that ends with the number `last` of the block at this offset. */
  #seal(block: number, last: number): void {
    const page = this.#pages[block >>> PAGE_SHIFT]!;
    const start = block & PAGE_MASK;
    const lengths = this.#lengths;
    const { fixed, perLength } = normsAt(floatOf(page[start + AVERAGE]!));
    let before = -1;
    let isAscending = true;
    let most = 0;
    let least = Infinity;
    for (let i = start + last + 1 - STRETCH; i <= start + last; i++) {
      const posting = page[i]!;
      const ordinal = posting >>> 8;
      const frequency = posting & 255;
      if (ordinal <= before) isAscending = false;
      before = ordinal;
      if (frequency > most) most = frequency;
      const share = (fixed + perLength * lengths[ordinal]!) / frequency;
      if (share < least) least = share;
    }
    const stretch = Math.floor(last / STRETCH) - 1;
    page[start + LASTS + stretch] = (before << 8) | (isAscending ? most : 0);
    page[start + BOUNDS + stretch] = bitsOf(least);
  }

  /**
   * Adds weight * frequency / (frequency + norms[ordinal]) to scores[ordinal] for every posting of the term:
   * the saturated part of BM25.
   */
  accumulate(term: number, weight: number, norms: Float32Array, scores: Float32Array): void {
    let left = this.count(term);
    let block = left === 0 ? 0 : this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]![termOffset(term) + HEAD]!;
    let size = SMALLEST_BLOCK;
    while (left > 0) {
      const page = this.#pages[(block - 1) >>> PAGE_SHIFT]!;
      const start = (block - 1) & PAGE_MASK;
      const first = firstIn(size);
      const take = Math.min(size - first, left);
      const end = start + first + take;
      for (let i = start + first; i < end; i++) {
        const posting = page[i]!;
        const ordinal = posting >>> 8;
        const frequency = posting & 255;
        scores[ordinal] = scores[ordinal]! + (weight * frequency) / (frequency + norms[ordinal]!);
      }
      left -= take;
      block = page[start]!;
      size = nextSize(size);
    }
  }

  /**
   * Visits the chunks of a term, those that are removed included until it is purged, until `visit` answers false; of a
   * longer list about every `step`th.
   */
  forEach(term: number, visit: (ordinal: number) => boolean, step = 1): void {
    let left = this.count(term);
    let block = left === 0 ? 0 : this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]![termOffset(term) + HEAD]!;
    for (let size = SMALLEST_BLOCK; left > 0; size = nextSize(size)) {
      const page = this.#pages[(block - 1) >>> PAGE_SHIFT]!;
      const start = (block - 1) & PAGE_MASK;
      const first = firstIn(size);
      const take = Math.min(size - first, left);
      for (let i = start + first; i < start + first + take; i += step) if (!visit(page[i]! >>> 8)) return;
      left -= take;
      block = page[start]!;
    }
  }

  /**
   * Drops the postings of the given chunks and gives blocks back; what is left is ascending again. Answers how many
   * postings were looked at.
   */
  purge(term: number, removed: Bitset, epoch: number): number {
    const state = this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]!;
    const own = termOffset(term);
    state[own + EPOCH] = epoch;
    const total = state[own + COUNT]!;
    if (total === 0) return 0;
    const dead = removed.words;
    const isDead = (ordinal: number): boolean =>
      ordinal >>> 5 < dead.length && ((dead[ordinal >>> 5]! >>> (ordinal & 31)) & 1) === 1;
    let isWhole = state[own + LAST]! >= 0;
    if (isWhole) this.forEach(term, (ordinal) => (isWhole = !isDead(ordinal)));
    if (isWhole) return total;
    const kept = new Int32Array(total);
    let count = 0;
    this.#forEachPosting(term, (posting) => {
      if (!isDead(posting >>> 8)) kept[count++] = posting;
    });
    const before = state[own + HEAD]!;
    state.fill(0, own, own + HASH);
    for (const posting of ascending(kept.subarray(0, count))) this.#push(state, own, posting);
    this.#afterwards(() => this.#release(before, SMALLEST_BLOCK), total * Int32Array.BYTES_PER_ELEMENT);
    return total;
  }

  #forEachPosting(term: number, visit: (posting: number) => void): void {
    let left = this.count(term);
    let block = left === 0 ? 0 : this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]![termOffset(term) + HEAD]!;
    for (let size = SMALLEST_BLOCK; left > 0; size = nextSize(size)) {
      const page = this.#pages[(block - 1) >>> PAGE_SHIFT]!;
      const start = (block - 1) & PAGE_MASK;
      const first = firstIn(size);
      const take = Math.min(size - first, left);
      for (let i = start + first; i < start + first + take; i++) visit(page[i]!);
      left -= take;
      block = page[start]!;
    }
  }

  /** Gives back a chain of blocks, the first of which has the given size. */
  #release(first: number, firstSize: number): void {
    let size = firstSize;
    for (let block = first; block !== 0; size = nextSize(size)) {
      const next = this.#link(block);
      (this.#freeBlocks[Math.log2(size)] ??= []).push(block);
      block = next;
    }
  }

  #appendBlock(state: Int32Array, own: number): void {
    const empty = state[own + HEAD] === 0;
    const size = empty ? SMALLEST_BLOCK : nextSize(state[own + TAIL_SIZE]!);
    const block = this.#allocate(size);
    this.#setLink(block, 0);
    if (empty) state[own + HEAD] = block;
    else this.#setLink(state[own + TAIL]!, block);
    state[own + TAIL] = block;
    state[own + TAIL_SIZE] = size;
    state[own + TAIL_USED] = firstIn(size);
    if (size < LARGEST_BLOCK) return;
    this.#pages[(block - 1) >>> PAGE_SHIFT]![((block - 1) & PAGE_MASK) + AVERAGE] = bitsOf(this.#average);
  }

  #allocate(size: number): number {
    const free = this.#freeBlocks[Math.log2(size)]?.pop();
    if (free !== undefined) return free;
    const left = PAGE_MASK + 1 - (this.#arenaEnd & PAGE_MASK);
    // Blocks never straddle pages; the rest of a page is at most half a large block and is left unused.
    if ((this.#arenaEnd & PAGE_MASK) !== 0 && left < size) this.#arenaEnd += left;
    if (this.#arenaEnd >>> PAGE_SHIFT === this.#pages.length) this.#addSlab();
    const block = this.#arenaEnd + 1;
    this.#arenaEnd += size;
    return block;
  }

  #addSlab(): void {
    const pages = Math.min(MOST_SLAB_PAGES, Math.max(1, Math.floor(this.#pages.length * SLAB_SHARE)));
    const slab = new Int32Array(pages << PAGE_SHIFT);
    this.#slabs.push(slab);
    for (const page of pagesOf(slab)) this.#pages.push(page);
  }

  #link(block: number): number {
    return this.#pages[(block - 1) >>> PAGE_SHIFT]![(block - 1) & PAGE_MASK]!;
  }

  #setLink(block: number, next: number): void {
    this.#pages[(block - 1) >>> PAGE_SHIFT]![(block - 1) & PAGE_MASK] = next;
  }
}

function pagesOf(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer>[] {
  const pages: Int32Array<ArrayBuffer>[] = [];
  for (let from = 0; from < words.length; from += PAGE_MASK + 1) pages.push(words.subarray(from, from + PAGE_MASK + 1));
  return pages;
}

function termOffset(term: number): number {
  return (term << TERM_SHIFT) & PAGE_MASK;
}

function nextSize(size: number): number {
  return size < LARGEST_BLOCK ? size * 2 : size;
}

/** Where the postings of a block of this size begin. */
function firstIn(size: number): number {
  return size === LARGEST_BLOCK ? STRETCH : 1;
}

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0]!;
}

function floatOf(value: number): number {
  bits[0] = value;
  return float[0]!;
}

/** Postings that are some ascending runs one after the other, in one: by merging neighbours until one is left. */
function ascending(postings: Int32Array): Int32Array {
  let from = postings;
  let starts = [0];
  for (let i = 1; i < from.length; i++) if (from[i]! >>> 8 < from[i - 1]! >>> 8) starts.push(i);
  let to = starts.length > 1 ? new Int32Array(from.length) : from;
  while (starts.length > 1) {
    const merged: number[] = [];
    for (let run = 0; run < starts.length; run += 2) {
      const start = starts[run]!;
      const middle = starts[run + 1] ?? from.length;
      const end = starts[run + 2] ?? from.length;
      merged.push(start);
      for (let a = start, b = middle, i = start; i < end; i++) {
        const isFirst = b === end || (a < middle && from[a]! >>> 8 <= from[b]! >>> 8);
        to[i] = isFirst ? from[a++]! : from[b++]!;
      }
    }
    starts = merged;
    [from, to] = [to, from];
  }
  return from;
}
