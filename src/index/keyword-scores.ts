/**
 * BM25 over the postings of a question's terms: who scores best, and what single chunks score. Two ways give the same
 * numbers: native code, which leaves out what cannot be among the best, and plain loops, which are its oracle and stand
 * in where the addon is not there.
 */
import { type Bitset, lowestBit } from "./bitset.ts";
import { BM25_K1, type Norms } from "./bm25.ts";
import { memoryOf } from "./image-sections.ts";
import type { Postings } from "./postings.ts";
import { bestPositive, TopK } from "./top-k.ts";

export interface ScoreAsk {
  readonly postings: Postings;
  /** In the order in which a chunk's sum is made. */
  readonly terms: readonly { readonly term: number; readonly idf: number }[];
  /** How many postings the terms have together. */
  readonly posted: number;
  /** How many of them are worth a look, about: fewer where few chunks are allowed, which are looked up in the lists. */
  readonly looked: number;
  /** By ordinal, of the first `count`; the ordinals of all chunks are below it. */
  readonly lengths: Float32Array;
  readonly count: number;
  /** Of the chunks that are there: above zero. */
  readonly average: number;
  readonly norms: Norms;
}

/** Best first, of equal scores the lower ordinal; only scores above zero. */
export interface BestChunks {
  readonly ids: Int32Array;
  readonly scores: Float64Array;
}

export interface ScoredPass {
  readonly best: BestChunks;
  /** Of the chunks that were asked about along with it, in their order; 0 where no term matches. */
  readonly also: Float32Array;
  /** By their places; 0 where no term matches. Of the pass until the next one, or the next write to the index. */
  scoresOf(ordinals: readonly number[]): Float32Array;
}

export interface KeywordScorer {
  readonly byteLength: number;
  /**
   * The `k` best of all, or of those allowed, and the scores of `also`. Scores are sums of 32-bit floats in the order of
   * the terms.
   */
  pass(ask: ScoreAsk, k: number, allowed: Bitset | null, also: Int32Array): ScoredPass;
  /**
   * The same by a thread of the pool; null where there is none, or it has no use for one. Until then the postings that the
   * lists have must stay where they are.
   */
  later(...asked: Parameters<KeywordScorer["pass"]>): Promise<ScoredPass> | null;
}

/** Adds every posting of every term into one array of scores. */
export class PlainScorer implements KeywordScorer {
  #norms = new Float32Array(0); // by ordinal
  #scores = new Float32Array(0);

  get byteLength(): number {
    return memoryOf(this.#norms, this.#scores);
  }

  pass({ postings, terms, lengths, count, norms }: ScoreAsk, k: number, allowed: Bitset | null, also: Int32Array) {
    if (this.#scores.length < count) {
      this.#norms = new Float32Array(lengths.length);
      this.#scores = new Float32Array(lengths.length);
    }
    const ofOrdinal = this.#norms;
    const scores = this.#scores;
    scores.fill(0, 0, count);
    const { fixed, perLength } = norms;
    if (terms.length > 0) for (let i = 0; i < count; i++) ofOrdinal[i] = fixed + perLength * lengths[i]!;
    for (const { term, idf } of terms) postings.accumulate(term, idf * (BM25_K1 + 1), ofOrdinal, scores);
    const top = terms.length === 0 ? new TopK(0) : selectBest(scores, count, k, allowed);
    const scoresOf = (ordinals: ArrayLike<number>): Float32Array =>
      Float32Array.from(ordinals, (ordinal) => scores[ordinal] ?? 0);
    return { best: top.sorted(), also: scoresOf(also), scoresOf };
  }

  later(): null {
    return null;
  }
}

function selectBest(scores: Float32Array, limit: number, k: number, allowed: Bitset | null): TopK {
  if (allowed === null) return bestPositive(scores, limit, k);
  const top = new TopK(k);
  let floor = 0;
  const words = allowed.words;
  for (let w = 0; w < words.length; w++) {
    for (let word = words[w]!; word !== 0; word &= word - 1) {
      const i = (w << 5) + lowestBit(word);
      const score = i < limit ? scores[i]! : 0;
      if (score > floor) {
        top.offer(score, i);
        floor = Math.max(0, top.floor);
      }
    }
  }
  return top;
}
