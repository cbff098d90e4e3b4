/** Keyword scores by native code where the addon can be loaded; elsewhere plain loops give the same. */
import { vectorAddon } from "../platform/native.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import type { Bitset } from "./bitset.ts";
import { BM25_K1 } from "./bm25.ts";
import { type KeywordScorer, PlainScorer, type ScoreAsk, type ScoredPass } from "./keyword-scores.ts";

/** One for each index: a pass of the plain one is good until its next. */
export function keywordScorer(): KeywordScorer {
  const addon = vectorAddon();
  return addon === null ? new PlainScorer() : new QuickerScorer(new NativeScorer(addon));
}

/** With so many terms there is nothing to leave out, and in so few chunks loops are done sooner (`BENCH=kernels`). */
const MANY_TERMS = 16;
const MANY_CHUNKS = 150_000;

class QuickerScorer implements KeywordScorer {
  readonly #native: KeywordScorer;
  readonly #plain = new PlainScorer();

  constructor(native: KeywordScorer) {
    this.#native = native;
  }

  get byteLength(): number {
    return this.#plain.byteLength;
  }

  pass(ask: ScoreAsk, k: number, allowed: Bitset | null): ScoredPass {
    const isPlain = ask.terms.length > MANY_TERMS && ask.count < MANY_CHUNKS;
    return (isPlain ? this.#plain : this.#native).pass(ask, k, allowed);
  }
}

export class NativeScorer implements KeywordScorer {
  readonly byteLength = 0;
  readonly #addon: VectorAddon;

  constructor(addon: VectorAddon) {
    this.#addon = addon;
  }

  pass({ postings, terms, lengths, count, average, norms }: ScoreAsk, k: number, allowed: Bitset | null): ScoredPass {
    const lists = new Int32Array(terms.length * 3);
    const weights = new Float64Array(terms.length);
    terms.forEach(({ term, idf }, i) => {
      lists.set(postings.listOf(term), i * 3);
      weights[i] = idf * (BM25_K1 + 1);
    });
    const given = Float64Array.of(norms.fixed, norms.perLength, average);
    const words = allowed?.words ?? null;
    const ids = new Int32Array(Math.min(k, count));
    const scores = new Float32Array(ids.length);
    const { slabs } = postings;
    const found =
      terms.length === 0
        ? 0
        : this.#addon.keywordBest(slabs, lists, weights, lengths, count, given, words, ids, scores);
    const best = { ids: ids.subarray(0, found), scores: Float64Array.from(scores.subarray(0, found)) };
    const known = new Map<number, number>();
    best.ids.forEach((id, i) => known.set(id, best.scores[i]!));
    const scoresOf = (ordinals: readonly number[]): Float32Array => {
      const unknown = Int32Array.from(ordinals.filter((ordinal) => !known.has(ordinal)));
      if (terms.length > 0 && unknown.length > 0) {
        const out = new Float32Array(unknown.length);
        this.#addon.keywordScores(postings.slabs, lists, weights, lengths, count, given, unknown, out);
        unknown.forEach((id, i) => known.set(id, out[i]!));
      }
      return Float32Array.from(ordinals, (ordinal) => known.get(ordinal) ?? 0);
    };
    return { best, scoresOf };
  }
}
