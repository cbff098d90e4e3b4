import { Bitset } from "./bitset.ts";
import { BM25_K1, inverseDocumentFrequency, normsAt } from "./bm25.ts";
import { type Evidence, evidenceOf } from "./coverage.ts";
import { ImageError, memoryOf, type SectionReader, type SectionWriter, withRoom } from "./image-sections.ts";
import type { KeywordScorer, ScoredPass } from "./keyword-scores.ts";
import { keywordScorer } from "./native-postings.ts";
import type { QueryTerm } from "./query-term.ts";
import { FEW_CHUNKS, shareFound } from "./share-found.ts";
import { MAX_ORDINAL, Postings } from "./postings.ts";
import type { Step } from "./steps.ts";
import { ANALYZER_VERSION, unpackTerms } from "./term-blob.ts";
import { TermTable } from "./term-table.ts";
import { Views } from "./views.ts";

/**
 * A passage put as a question counts by its heaviest terms: its lightest are the longest postings, and on the
 * development sets, with an answer put as the question for the others, they cost 0.007 nDCG@10 as well.
 */
const MOST_TERMS = 64;

const NO_CHUNKS = new Int32Array(0);

/** Looking a chunk up in a list costs as much as to look at so many postings: as native/postings-best.cc has it. */
const LOOK_UP = 48;
/** Of fewer postings it does not matter how many of them are looked at. */
const MANY_POSTINGS = 4096;

type WeightedTerm = { readonly hash: number; readonly term: number; readonly idf: number };

/** A term of a question as the index knows it: -1 and 0 where no chunk has it. */
type KnownTerm = { readonly wanted: QueryTerm; readonly term: number; readonly df: number; readonly among: number };

/** What is known of all chunks, where those in an index are only some of them: found by whoever has all. */
export interface WholeStatistics {
  readonly files: number;
  readonly chunks: number;
  /** In terms. */
  readonly averageLength: number;
  /** How many chunks have the term; null for one that nobody asks for. */
  count(hash: number): number | null;
}

/** One finished keyword pass. Valid until the next pass over, or write to, the same index. */
export type KeywordPass = {
  /** Best chunks first; only chunks with a score above zero. */
  readonly top: { readonly ids: Int32Array; readonly scores: Float64Array };
  /** Scores of the chunks that were asked about along with it, in their order; 0 where no term matches. */
  readonly also: Float32Array;
  /** BM25 score of any chunk of this pass, 0 where no term matches. For more than one, `scoresOf` is faster. */
  readonly scoreOf: (ordinal: number) => number;
  readonly scoresOf: (ordinals: readonly number[]) => Float32Array;
  /** No chunk can score more: every known term saturated. For normalising scores into [0, 1]. */
  readonly maxPossible: number;
  /** The same with the terms that no chunk contains: what a chunk that has everything asked for would score. */
  readonly attainable: number;
  /** Query terms that at least one chunk contains, and the sum of their weights. */
  readonly knownTerms: number;
  readonly idfSum: number;
  /** Mean document length of all chunks, in terms. */
  readonly averageLength: number;
  /** All terms asked for, and how many chunks have them. */
  readonly asked: readonly KnownTerm[];
  /** The terms that counted, with their weights. */
  readonly weights: readonly { readonly hash: number; readonly idf: number }[];
};

/**
 * BM25 over chunk ordinals, kept in typed arrays. Document frequencies are exact at all times: a term is purged of removed
 * chunks the next time it is asked for, or by `sweep`, whichever comes first.
 */
export class KeywordIndex {
  #terms = new TermTable();
  #postings: Postings;
  #lengths = new Float32Array(64); // by ordinal
  #versions = new Uint8Array(64); // of the analyzer, by ordinal
  readonly #scorer: KeywordScorer;
  readonly #whole: WholeStatistics | null;
  #marks = new Int32Array(64); // zeros between searches
  readonly #removed = new Bitset();
  #removedCount = 0;
  #removedInSweep: number[] = []; // removed before the running sweep began: free when it ends
  #removedSince: number[] = [];
  #epoch = 0;
  #sweepAt = -1;
  #sweepEpoch = 0;
  #chunks = 0;
  #totalLength = 0;
  #ordinalLimit = 0;

  /**
   * `views`: of who reads the postings while chunks come and go; nobody where left out. `whole`: scores are those that the
   * chunks have among all of these.
   */
  constructor(
    scorer: KeywordScorer = keywordScorer(),
    views: Pick<Views, "afterwards"> = new Views(),
    whole: WholeStatistics | null = null,
  ) {
    this.#scorer = scorer;
    this.#whole = whole;
    this.#postings = new Postings(views);
  }

  get chunkCount(): number {
    return this.#chunks;
  }

  /** Of the store, of which the index may have only some. */
  get allChunks(): number {
    return this.#whole?.chunks ?? this.#chunks;
  }

  /** Removed chunks whose ordinals cannot be used again yet. */
  get removedCount(): number {
    return this.#removedCount;
  }

  get byteLength(): number {
    return (
      this.#terms.byteLength +
      this.#postings.byteLength +
      memoryOf(this.#lengths, this.#versions, this.#marks) +
      this.#scorer.byteLength +
      this.#removed.byteLength
    );
  }

  /** Whether every chunk has the terms of this version of the analyzer. */
  get isCurrent(): boolean {
    return this.#versions.subarray(0, this.#ordinalLimit).every((version) => version === ANALYZER_VERSION);
  }

  /** Only of an index that nothing was ever removed from. */
  writeTo(image: SectionWriter): void {
    if (this.#epoch > 0) throw new ImageError("an index that something was removed from is not written");
    image.value("chunks", this.#chunks);
    image.value("totalLength", this.#totalLength);
    image.value("ordinalLimit", this.#ordinalLimit);
    const room = withRoom(this.#ordinalLimit);
    image.array("lengths", this.#lengths.subarray(0, this.#ordinalLimit), room);
    image.array("versions", this.#versions.subarray(0, this.#ordinalLimit), room);
    this.#terms.writeTo(image.part("table"));
    this.#postings.writeTo(image.part("postings"));
  }

  static from(image: SectionReader, views: Pick<Views, "afterwards">): KeywordIndex {
    const index = new KeywordIndex(keywordScorer(), views);
    index.#chunks = image.number("chunks");
    index.#totalLength = image.number("totalLength");
    index.#ordinalLimit = image.number("ordinalLimit");
    index.#lengths = image.array("lengths", "f32");
    index.#versions = image.array("versions", "u8");
    index.#marks = new Int32Array(index.#lengths.length);
    index.#terms = TermTable.from(image.part("table"));
    index.#postings = Postings.from(image.part("postings"), views);
    return index;
  }

  /** Adds a chunk under an ordinal that is new, or that `sweep` gave back. Throws TermBlobError on a foreign blob. */
  add(ordinal: number, terms: Uint8Array): void {
    const { version, length, hashes, frequencies } = unpackTerms(terms);
    if (ordinal > MAX_ORDINAL) throw new RangeError(`a keyword index holds at most ${MAX_ORDINAL + 1} chunks`);
    if (ordinal >= this.#lengths.length) this.#growChunks(ordinal + 1);
    if (ordinal >= this.#ordinalLimit) this.#ordinalLimit = ordinal + 1;
    this.#lengths[ordinal] = length;
    this.#versions[ordinal] = version;
    this.#totalLength += length;
    this.#chunks++;
    this.#measure();
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i]!;
      if (this.#whole !== null && this.#whole.count(hash) === null) continue;
      this.#postings.append(this.#terms.findOrAdd(hash), ordinal, frequencies[i]!, hash, this.#epoch);
    }
  }

  /**
   * Gives a chunk the terms that a newer analyzer found more in it. Does nothing where it has them already, so that it may
   * be said twice.
   */
  extend(ordinal: number, before: Uint8Array, after: Uint8Array): void {
    const { version, hashes, frequencies } = unpackTerms(after);
    if (this.#removed.has(ordinal) || (this.#versions[ordinal] ?? version) >= version) return;
    const known = new Set(unpackTerms(before).hashes);
    this.#measure();
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i]!;
      if (known.has(hash)) continue;
      const term = this.#terms.findOrAdd(hash);
      this.#postings.append(term, ordinal, frequencies[i]!, hash, this.#epoch);
    }
    this.#versions[ordinal] = version;
  }

  /** Removes a chunk. It is in no later result; its ordinal becomes free when a sweep has passed. */
  remove(ordinal: number): void {
    if (this.#removed.has(ordinal)) return;
    this.#removed.add(ordinal);
    this.#removedCount++;
    this.#removedSince.push(ordinal);
    this.#totalLength -= this.#lengths[ordinal]!;
    this.#chunks--;
    this.#epoch++;
  }

  /**
   * Cleans up behind removals, a bounded step at a time: looks at no more than about `budget` postings.
   * Answers the ordinals that became free (empty until a whole round is done).
   */
  sweep(budget: number): readonly number[] {
    if (this.#sweepAt < 0) {
      if (this.#removedSince.length === 0) return [];
      this.#removedInSweep = this.#removedSince;
      this.#removedSince = [];
      this.#sweepAt = 0;
      this.#sweepEpoch = this.#epoch;
    }
    this.#measure();
    for (let left = budget; left > 0; left -= 8) {
      if (this.#sweepAt >= this.#terms.idLimit) return this.#finishSweep();
      const term = this.#sweepAt++;
      if (this.#postings.count(term) > 0 && this.#postings.epoch(term) < this.#sweepEpoch) left -= this.#purge(term);
    }
    return [];
  }

  /**
   * Scores all chunks for the query and selects the k best, among `allowed` ordinals if given; `also` are chunks whose
   * scores are wanted whatever they are. Synchronous.
   */
  search(query: readonly QueryTerm[], k: number, allowed: Bitset | null = null, also = NO_CHUNKS): KeywordPass {
    const step = this.step(query, k, allowed, also);
    step.now();
    return step.pass;
  }

  /**
   * The same as a step of a search. What it is asked of is the index as it is at the call, for as long as a view is open
   * that was open then.
   */
  step(query: readonly QueryTerm[], k: number, allowed: Bitset | null, also: Int32Array): KeywordStep {
    this.#measure();
    const asked = this.#lookUp(query);
    let { weighted, missing } = this.#weigh(asked, true);
    // A question of nothing but words that learned weights silence ("how to") is asked as it stands.
    if (weighted.length === 0) ({ weighted, missing } = this.#weigh(asked, false));
    let idfSum = 0;
    for (const { idf } of weighted) idfSum += idf;
    const average = this.#averageLength || 1;
    const { posted, looked } = this.#lookedAt(weighted, allowed);
    const ask = {
      postings: this.#postings,
      terms: weighted,
      posted,
      looked,
      lengths: this.#lengths,
      count: this.#ordinalLimit,
    };
    const given = [{ ...ask, average, norms: normsAt(average) }, k, allowed, also] as const;
    const known = {
      maxPossible: idfSum * (BM25_K1 + 1),
      attainable: (idfSum + missing) * (BM25_K1 + 1),
      knownTerms: weighted.length,
      idfSum,
      averageLength: this.#averageLength,
      asked,
      weights: weighted,
    };
    return new KeywordStep({ scorer: this.#scorer, given, known, postings: looked });
  }

  /** See ScoreAsk. */
  #lookedAt(terms: readonly WeightedTerm[], allowed: Bitset | null): { posted: number; looked: number } {
    let posted = 0;
    for (const { term } of terms) posted += this.#postings.count(term);
    if (allowed === null || posted < MANY_POSTINGS) return { posted, looked: posted };
    const most = allowed.count() * LOOK_UP;
    let looked = 0;
    for (const { term } of terms) looked += Math.min(most, this.#postings.count(term));
    return { posted, looked };
  }

  /** See shareFound; null in a store of more chunks. Synchronous, in the turn of its `step`. */
  shareFound({ asked }: Pick<KeywordPass, "asked">, allowed: Bitset | null): number | null {
    if (this.allChunks >= FEW_CHUNKS) return null;
    const lengths = this.#lengths.subarray(0, this.#ordinalLimit);
    const given = { postings: this.#postings, lengths, average: this.#averageLength || 1, allowed };
    return shareFound(this.#weigh(asked, true, FEW_CHUNKS), given);
  }

  /**
   * How much of what is rare in a question chunks have, or those allowed. Synchronous, in the turn of its `step`; of chunks
   * that are there only.
   */
  evidence(
    { asked }: Pick<KeywordPass, "asked">,
    files: { count: number; of(ordinal: number): number },
    allowed: Bitset | null = null,
  ): Evidence {
    return evidenceOf(asked, {
      allowed,
      chunks: this.allChunks,
      files: this.#whole?.files ?? files.count,
      fileOf: (ordinal) => files.of(ordinal),
      marks: this.#marks,
      rarity: inverseDocumentFrequency,
      facts: ({ wanted, term, df, among }) => {
        if (df === 0 && among === 0) return null;
        const rarity = inverseDocumentFrequency(df, Math.max(df, among));
        return {
          count: df,
          isPartial: df > this.#postings.count(term),
          weight: Math.max(0, rarity + wanted.add) * wanted.multiply,
          forEachChunk: (visit, step) => this.#postings.forEach(term, visit, step),
        };
      },
    });
  }

  #lookUp(query: readonly QueryTerm[]): KnownTerm[] {
    const kinds = new Map<number, number>([[0, this.allChunks]]);
    return query.map((wanted) => {
      const term = this.#fresh(wanted.hash);
      let among = kinds.get(wanted.among);
      if (among === undefined) {
        among = this.#countOf(wanted.among, this.#fresh(wanted.among));
        kinds.set(wanted.among, among);
      }
      return { wanted, term, df: this.#countOf(wanted.hash, term), among };
    });
  }

  /** The query's terms that some chunk has and that weigh anything, and the weight of those that no chunk has. */
  #weigh(asked: readonly KnownTerm[], learned: boolean, least = 0): { weighted: WeightedTerm[]; missing: number } {
    const weighted: WeightedTerm[] = [];
    const missing = new Map<number, number>();
    for (const { wanted, term, df, among } of asked) {
      if (df === 0 && wanted.instead !== undefined) continue;
      // A form that no chunk here could have is not missed.
      if (df === 0 && among === 0) continue;
      const rarity = inverseDocumentFrequency(df, Math.max(df, among, least));
      const idf = wanted.count * (learned ? Math.max(0, rarity + wanted.add) * wanted.multiply : rarity);
      if (df === 0) missing.set(wanted.hash, idf);
      else if (idf > 0) weighted.push({ hash: wanted.hash, term, idf: idf * this.#shareOf(wanted) });
    }
    // Nor is one that is there in another spelling.
    if (missing.size > 0)
      for (const { wanted, df } of asked) if (wanted.instead !== undefined && df > 0) missing.delete(wanted.instead.of);
    let missed = 0;
    for (const idf of missing.values()) missed += idf;
    return { weighted: weighted.length > MOST_TERMS ? heaviest(weighted, MOST_TERMS) : weighted, missing: missed };
  }

  #shareOf({ instead }: QueryTerm): number {
    if (instead === undefined) return 1;
    return this.#countOf(instead.of, this.#fresh(instead.of)) === 0 ? instead.alone : instead.share;
  }

  /** How many chunks have a term. */
  #countOf(hash: number, term: number): number {
    return this.#whole === null ? this.#postings.count(term) : (this.#whole.count(hash) ?? 0);
  }

  /** The id of a term whose postings are all of chunks that are there; -1 if no chunk has it. */
  #fresh(hash: number): number {
    const term = this.#terms.find(hash);
    if (term < 0 || this.#postings.epoch(term) === this.#epoch) return term;
    this.#purge(term);
    return this.#postings.count(term) === 0 ? -1 : term;
  }

  #purge(term: number): number {
    const looked = this.#postings.purge(term, this.#removed, this.#epoch);
    if (this.#postings.count(term) === 0) this.#terms.remove(this.#postings.hash(term));
    return looked;
  }

  #finishSweep(): readonly number[] {
    const freed = this.#removedInSweep;
    for (const ordinal of freed) this.#removed.delete(ordinal);
    this.#removedCount -= freed.length;
    this.#removedInSweep = [];
    this.#sweepAt = -1;
    return freed;
  }

  get #averageLength(): number {
    if (this.#whole !== null) return this.#whole.averageLength;
    return this.#chunks === 0 ? 0 : this.#totalLength / this.#chunks;
  }

  #measure(): void {
    this.#postings.measure(this.#lengths, this.#averageLength);
  }

  #growChunks(chunks: number): void {
    const size = Math.max(chunks, this.#lengths.length * 2);
    const lengths = new Float32Array(size);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const versions = new Uint8Array(size);
    versions.set(this.#versions);
    this.#versions = versions;
    this.#marks = new Int32Array(size);
  }
}

interface Stepping {
  scorer: KeywordScorer;
  given: Readonly<Parameters<KeywordScorer["pass"]>>;
  known: Omit<KeywordPass, "top" | "also" | "scoreOf" | "scoresOf">;
  /** How many are to be looked at, at most. */
  postings: number;
}

export class KeywordStep implements Step {
  /** All terms asked for. */
  readonly asked: KeywordPass["asked"];
  /** How many postings are to be looked at, at most. */
  readonly postings: number;
  readonly #stepping: Stepping;
  #pass: KeywordPass | null = null;

  constructor(stepping: Stepping) {
    this.asked = stepping.known.asked;
    this.postings = stepping.postings;
    this.#stepping = stepping;
  }

  /** Once it is done. */
  get pass(): KeywordPass {
    if (this.#pass === null) throw new Error("the step is not done");
    return this.#pass;
  }

  now(): void {
    const { scorer, given } = this.#stepping;
    this.#take(scorer.pass(...given));
  }

  later(): Promise<void> | null {
    const { scorer, given } = this.#stepping;
    return scorer.later(...given)?.then((scored) => this.#take(scored)) ?? null;
  }

  #take({ best, also, scoresOf }: ScoredPass): void {
    const scoreOf = (ordinal: number): number => scoresOf([ordinal])[0]!;
    this.#pass = { ...this.#stepping.known, top: best, also, scoreOf, scoresOf };
  }
}

/** In the order that they came in, so that sums of scores never vary. */
function heaviest(weighted: readonly WeightedTerm[], most: number): WeightedTerm[] {
  const kept = new Set(weighted.toSorted((a, b) => b.idf - a.idf).slice(0, most));
  return weighted.filter((one) => kept.has(one));
}
