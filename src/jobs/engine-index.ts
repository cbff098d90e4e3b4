/**
 * One generation that is searched in the database: the engine finds candidates there, and index/engine.ts scores them as an
 * index in memory does.
 *
 * By words candidates are those that have a rare word of the question: the rarest first, until a twentieth of the chunks
 * might have one. What a chunk has of the common words counts in its score, but does not make it a candidate; to look at
 * all that have "the" costs a second with a million chunks and changes no ranking that was measured. A question of nothing
 * but common words is asked by its rarest one.
 */
import { answerFrom, type EngineAnswer, hashesAsked, type SearchEngine, weightsOf } from "../index/engine.ts";
import type { WholeStatistics } from "../index/engine.ts";
import type { Filter } from "../index/filter.ts";
import type { ChunkPage, IndexSearch } from "../index/store-index.ts";
import { unitQuery } from "../index/vector-input.ts";
import type { EngineSearch } from "../storage/postgres/engine-search.ts";
import { type EngineState, isDropped } from "../storage/postgres/engine-tables.ts";

/**
 * So many chunks may have a rare word in any case; with so many and fewer every word makes candidates. Each costs the server
 * two to three microseconds. On 11,426 passages of a development set the ten best of all 93 questions are the same.
 */
const FEW_CHUNKS = 5000;
/** The share of the chunks that may have a rare word of a question. */
const RARE_SHARE = 0.05;

export class EngineIndex implements SearchEngine {
  readonly #search: EngineSearch;
  readonly #state: EngineState;
  readonly #nextShare: number;
  #isGone = false;

  constructor(search: EngineSearch, state: EngineState, nextShare: number) {
    this.#search = search;
    this.#state = state;
    this.#nextShare = nextShare;
  }

  get chunkCount(): number {
    return this.#state.chunks;
  }

  /** False where its tables were dropped since. */
  get isIntact(): boolean {
    return !this.#isGone;
  }

  async ask(request: IndexSearch): Promise<EngineAnswer> {
    return await this.#watched(async () => {
      const { vector, filter, depth } = request;
      const { dimensions, index_mode: mode } = this.#state;
      const near = vector === null ? null : unitQuery(vector, dimensions);
      // Neither leg needs the other.
      const [nearest, { whole, best }] = await Promise.all([
        near === null ? null : this.#search.nearest({ vector: near, depth, filter, byGraph: mode !== "exact" }),
        this.#byWords(request),
      ]);
      const ids = new Set(nearest?.ids);
      for (const id of best) ids.add(id);
      const hits = await this.#search.read([...ids]);
      const found = hits.map(({ storeFile, ...hit }) => ({ ...hit, fileKey: storeFile }));
      const used = nearest?.used ?? "none";
      return answerFrom(found, request, { dimensions, nextShare: this.#nextShare, whole, used });
    });
  }

  async chunksKept(filter: Filter, page: ChunkPage): Promise<number[]> {
    return await this.#watched(() => this.#search.keptIds(filter, page));
  }

  /** What is known of all chunks, and the ids of those that are best by words. */
  async #byWords(request: IndexSearch): Promise<{ whole: WholeStatistics; best: readonly number[] }> {
    const { terms, filter, depth } = request;
    const whole = await this.#wholeOf(request);
    if (terms === null) return { whole, best: [] };
    const weighted = weightsOf(terms, whole);
    const hashes = weighted.map(({ hash }) => hash);
    const rare = rareOf(hashes, whole);
    if (rare.length === 0) return { whole, best: [] };
    const weights = weighted.map(({ idf }) => idf);
    return { whole, best: await this.#search.byWords({ rare, hashes, weights, depth, filter }) };
  }

  async #wholeOf({ terms }: IndexSearch): Promise<WholeStatistics> {
    const { files, chunks, terms: length } = this.#state;
    const asked = terms === null ? [] : hashesAsked(terms);
    const counts = asked.length === 0 ? new Map<number, number>() : await this.#search.counts(asked);
    const known = new Map(asked.map((hash) => [hash, counts.get(hash) ?? 0]));
    const averageLength = chunks === 0 ? 0 : length / chunks;
    return { files, chunks, averageLength, count: (hash) => known.get(hash) ?? null };
  }

  async #watched<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (isDropped(error)) this.#isGone = true;
      throw error;
    }
  }
}

/** The terms by which chunks are candidates. */
function rareOf(hashes: readonly number[], whole: WholeStatistics): number[] {
  if (whole.chunks <= FEW_CHUNKS) return [...hashes];
  const most = Math.max(FEW_CHUNKS, whole.chunks * RARE_SHARE);
  const count = (hash: number): number => whole.count(hash) ?? 0;
  const rare: number[] = [];
  let left = most;
  for (const hash of hashes.toSorted((a, b) => count(a) - count(b))) {
    left -= count(hash);
    if (left < 0 && rare.length > 0) break;
    rare.push(hash);
  }
  return rare;
}
