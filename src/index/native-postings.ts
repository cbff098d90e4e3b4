/** Keyword scores by native code where the addon can be loaded; elsewhere plain loops give the same. */
import { vectorAddon } from "../platform/native.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import type { Bitset } from "./bitset.ts";
import { BM25_K1 } from "./bm25.ts";
import { type KeywordScorer, PlainScorer, type ScoreAsk, type ScoredPass } from "./keyword-scores.ts";
import { searchThreads } from "./native-scan.ts";

/** One for each index: a pass of the plain one is good until its next. */
export function keywordScorer(): KeywordScorer {
  const addon = vectorAddon();
  return addon === null ? new PlainScorer() : new QuickerScorer(new NativeScorer(addon));
}

/** With so many terms there is nothing to leave out, and in so few chunks loops are done sooner (`BENCH=kernels`). */
const MANY_TERMS = 16;
const MANY_CHUNKS = 150_000;
/** In so few chunks native code takes longer to be asked than loops take to add everything up, */
const FEW_CHUNKS = 4096;
/** and in so many where the lists hold so much of them that most chunks are looked at anyway. */
const SOME_CHUNKS = 32_768;
const MUCH = 1 / 8;
/** Where so few of the postings are worth a look, native code looks the chunks up; loops add everything up all the same. */
const FEW_LOOKED = 1 / 4;

class QuickerScorer implements KeywordScorer {
  readonly #native: KeywordScorer;
  readonly #plain = new PlainScorer();

  constructor(native: KeywordScorer) {
    this.#native = native;
  }

  get byteLength(): number {
    return this.#plain.byteLength;
  }

  pass(...asked: Parameters<KeywordScorer["pass"]>): ScoredPass {
    return this.#quickerOf(asked[0]).pass(...asked);
  }

  later(...asked: Parameters<KeywordScorer["later"]>): Promise<ScoredPass> | null {
    return this.#quickerOf(asked[0]).later(...asked);
  }

  #quickerOf({ terms, count, posted, looked }: ScoreAsk): KeywordScorer {
    if (count <= FEW_CHUNKS) return this.#plain;
    if (looked < posted * FEW_LOOKED) return this.#native;
    const isMuch = count <= SOME_CHUNKS && posted >= count * MUCH;
    return isMuch || (terms.length > MANY_TERMS && count < MANY_CHUNKS) ? this.#plain : this.#native;
  }
}

export class NativeScorer implements KeywordScorer {
  readonly byteLength = 0;
  readonly #addon: VectorAddon;

  constructor(addon: VectorAddon) {
    this.#addon = addon;
  }

  pass(...asked: Parameters<KeywordScorer["pass"]>): ScoredPass {
    const given = bestAsked(...asked);
    return this.#found(asked[0], given, given[1].length === 0 ? 0 : this.#addon.keywordBest(...given));
  }

  later(...asked: Parameters<KeywordScorer["later"]>): Promise<ScoredPass> | null {
    const [ask] = asked;
    return searchThreads() === 0 || ask.terms.length === 0 ? null : this.#foundLater(ask, bestAsked(...asked));
  }

  async #foundLater(ask: ScoreAsk, given: BestAsked): Promise<ScoredPass> {
    return this.#found(ask, given, await this.#addon.keywordBestLater(...given));
  }

  #found({ terms }: ScoreAsk, given: BestAsked, count: number): ScoredPass {
    const [slabs, lists, weights, lengths, limit, norms, , ids, scores, , also] = given;
    const scoresOf = (ordinals: readonly number[]): Float32Array => {
      const out = new Float32Array(ordinals.length);
      const asked = Int32Array.from(ordinals);
      if (terms.length > 0) this.#addon.keywordScores(slabs, lists, weights, lengths, limit, norms, asked, out);
      return out;
    };
    const best = { ids: ids.subarray(0, count), scores: new Float64Array(scores.subarray(0, count)) };
    return { best, also, scoresOf };
  }
}

type BestAsked = Parameters<VectorAddon["keywordBest"]>;

function bestAsked(ask: ScoreAsk, k: number, allowed: Bitset | null, also: Int32Array): BestAsked {
  const { postings, terms, lengths, count, average, norms } = ask;
  const lists = new Int32Array(terms.length * 3);
  const weights = new Float64Array(terms.length);
  for (let i = 0; i < terms.length; i++) {
    const { term, idf } = terms[i]!;
    lists.set(postings.listOf(term), i * 3);
    weights[i] = idf * (BM25_K1 + 1);
  }
  const given = Float64Array.of(norms.fixed, norms.perLength, average);
  const [ids, words] = [new Int32Array(Math.min(k, count)), allowed?.words ?? null];
  const [scores, ofAlso] = [new Float32Array(ids.length), new Float32Array(also.length)];
  return [postings.slabs, lists, weights, lengths, count, given, words, ids, scores, also, ofAlso];
}
