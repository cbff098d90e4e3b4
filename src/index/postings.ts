import type { Bitset } from "./bitset.ts";
import { memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";

/**
 * The posting lists of all terms in one growing arena of pages.
 *
 * A posting is one 32-bit number: chunk ordinal << 8 | weighted term frequency. A term's list is a chain of blocks of
 * doubling size (4 … 2048 numbers, the first of which is the address of the next block), so that adding never copies
 * a list and growth never copies the arena. Postings are in no order. Blocks given back are used again.
 */
export const MAX_ORDINAL = 0xffffff;

const PAGE_SHIFT = 15;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;
const SMALLEST_BLOCK = 4;
const LARGEST_BLOCK = 2048;

/** What is known of a term, side by side so that one posting touches one cache line: eight numbers a term. */
const HEAD = 0; // address of the first block; addresses are offsets into the arena + 1, 0 = none
const TAIL = 1;
const TAIL_USED = 2; // numbers used in the tail block, its link included
const TAIL_SIZE = 3;
const COUNT = 4;
const HASH = 5;
const EPOCH = 6; // removals up to this epoch are purged
const TERM_SHIFT = 3;
const TERMS_PER_PAGE_SHIFT = PAGE_SHIFT - TERM_SHIFT;

export class Postings {
  readonly #pages: Int32Array[] = [];
  readonly #termPages: Int32Array[] = [];
  #arenaEnd = 0;
  readonly #freeBlocks: number[][] = []; // by log2 of the block size
  /** Pages that came from an image, and what of them counts as memory. */
  #mapped = { pages: 0, bytes: 0 };

  get byteLength(): number {
    const own = this.#pages.length + this.#termPages.length - this.#mapped.pages;
    return own * (4 << PAGE_SHIFT) + this.#mapped.bytes;
  }

  /** Only of postings of which none was ever dropped. */
  writeTo(image: SectionWriter): void {
    image.value("arenaEnd", this.#arenaEnd);
    image.array("pages", this.#pages);
    image.array("terms", this.#termPages);
  }

  static from(image: SectionReader): Postings {
    const postings = new Postings();
    postings.#arenaEnd = image.number("arenaEnd");
    const [pages, terms] = [image.array("pages", "i32"), image.array("terms", "i32")];
    for (const page of pagesOf(pages)) postings.#pages.push(page);
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
    if (state[own + TAIL_USED] === state[own + TAIL_SIZE]) this.#appendBlock(state, own);
    const at = state[own + TAIL]! - 1 + state[own + TAIL_USED]!++;
    this.#pages[at >>> PAGE_SHIFT]![at & PAGE_MASK] = (ordinal << 8) | frequency;
    state[own + COUNT]!++;
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
      const take = Math.min(size - 1, left);
      const end = start + 1 + take;
      for (let i = start + 1; i < end; i++) {
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
      const take = Math.min(size - 1, left);
      for (let i = start + 1; i <= start + take; i += step) if (!visit(page[i]! >>> 8)) return;
      left -= take;
      block = page[start]!;
    }
  }

  /** Drops the postings of the given chunks and gives blocks back; answers how many postings were looked at. */
  purge(term: number, removed: Bitset, epoch: number): number {
    const state = this.#termPages[term >>> TERMS_PER_PAGE_SHIFT]!;
    const own = termOffset(term);
    state[own + EPOCH] = epoch;
    const total = state[own + COUNT]!;
    if (total === 0) return 0;
    const dead = removed.words;
    let block = state[own + HEAD]!;
    let size = SMALLEST_BLOCK;
    // The write position is always at or behind the read position.
    let toBlock = block;
    let toUsed = 1;
    let toSize = SMALLEST_BLOCK;
    let kept = 0;
    for (let left = total; left > 0;) {
      const page = this.#pages[(block - 1) >>> PAGE_SHIFT]!;
      const start = (block - 1) & PAGE_MASK;
      const take = Math.min(size - 1, left);
      for (let i = start + 1; i <= start + take; i++) {
        const posting = page[i]!;
        const ordinal = posting >>> 8;
        if (ordinal >>> 5 < dead.length && ((dead[ordinal >>> 5]! >>> (ordinal & 31)) & 1) === 1) continue;
        if (toUsed === toSize) {
          toBlock = this.#link(toBlock);
          toUsed = 1;
          toSize = nextSize(toSize);
        }
        const to = toBlock - 1 + toUsed++;
        this.#pages[to >>> PAGE_SHIFT]![to & PAGE_MASK] = posting;
        kept++;
      }
      left -= take;
      block = page[start]!;
      size = nextSize(size);
    }
    if (kept === 0) {
      this.#release(state[own + HEAD]!, SMALLEST_BLOCK);
      state.fill(0, own, own + HASH);
    } else {
      this.#release(this.#link(toBlock), nextSize(toSize));
      this.#setLink(toBlock, 0);
      state[own + TAIL] = toBlock;
      state[own + TAIL_USED] = toUsed;
      state[own + TAIL_SIZE] = toSize;
      state[own + COUNT] = kept;
    }
    return total;
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
    state[own + TAIL_USED] = 1;
  }

  #allocate(size: number): number {
    const free = this.#freeBlocks[Math.log2(size)]?.pop();
    if (free !== undefined) return free;
    const left = PAGE_MASK + 1 - (this.#arenaEnd & PAGE_MASK);
    // Blocks never straddle pages; the rest of a page is at most half a large block and is left unused.
    if ((this.#arenaEnd & PAGE_MASK) !== 0 && left < size) this.#arenaEnd += left;
    if (this.#arenaEnd >>> PAGE_SHIFT === this.#pages.length) this.#pages.push(new Int32Array(PAGE_MASK + 1));
    const block = this.#arenaEnd + 1;
    this.#arenaEnd += size;
    return block;
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
