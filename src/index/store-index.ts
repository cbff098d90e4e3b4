/**
 * The search index of one generation of one store: BM25, vectors and attributes over the same chunks, in memory.
 *
 * - Everything here can be rebuilt from SQLite; nothing here is the truth.
 * - All methods but `ask` are synchronous, and a write is searchable when its call returns. `ask` has threads look at the
 *   vectors and words of a large store, and answers from what was there when it began and is there still (views.ts).
 * - Writes are idempotent: adding a file that is there replaces it, removing one that is not does nothing. That is
 *   what makes "load from SQLite while writes go on, then repeat those writes" right (see registry.ts).
 * - Large files go in by pieces (`addFile` with the first chunks, `addChunks` with more), so that no call is long:
 *   about 15 microseconds a chunk.
 * - Chunk ids must never be used again for another chunk within a generation.
 */
import type { AttributeIndex } from "./attributes.ts";
import type { Evidence } from "./coverage.ts";
import type { ExactIndex } from "./exact.ts";
import { type FetchVectors, type VectorHit } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { Attributes, Filter } from "./filter.ts";
import { FilterCache, type Matching } from "./filter-cache.ts";
import { GraphCover } from "./graph-cover.ts";
import { GRAPH_FROM_VECTORS, type GraphRule, type GraphWork, type IndexKind } from "./graph-work.ts";
import { planGraphWork, wantsGraph } from "./graph-work.ts";
import type { SectionReader, SectionWriter } from "./image-sections.ts";
import type { KeywordIndex } from "./keyword.ts";
import type { KeywordPass, WholeStatistics } from "./keyword.ts";
import type { QueryTerm } from "./query-term.ts";
import { type IndexCandidate, type LegHit, legOf, type ShownLegs, shownLegs } from "./legs.ts";
import { type OpenGraph, releaseGraph } from "./open-graph.ts";
import { searchThreads } from "./native-scan.ts";
import type { FetchTerms } from "./passages.ts";
import type { OwnAttributes } from "./own-attributes.ts";
import { runLater, runNow, type Steps } from "./steps.ts";
import { emptyParts, imageParts, type StoreIndexParts } from "./store-parts.ts";
import { TopK } from "./top-k.ts";
import { unpackTerms } from "./term-blob.ts";
import { unitVectors } from "./vector-input.ts";
import { LIST_SHARE, type Nearest, nearest, NO_HITS } from "./vector-leg.ts";
import type { View, Views } from "./views.ts";

export type IndexedChunk = {
  /** SQLite row id. */
  readonly chunkId: number;
  /** From `encodeTerms`. */
  readonly terms: Uint8Array;
  /** Windows × dimensions, flattened. Need not be normalised. */
  readonly vectors: Float32Array;
  /** How many of the windows before these, in the file's chunks before it, are its too (default: none). */
  readonly shared?: number | undefined;
  /** Of its own, where it has some: they hide the file's of the same names. */
  readonly attributes?: Attributes | null | undefined;
};

export type IndexedFile = {
  /** SQLite row id of the file in this store. */
  readonly fileKey: number;
  readonly fileId: string;
  readonly filename: string;
  readonly attributes: Attributes;
  readonly chunks: readonly IndexedChunk[];
};

export type IndexSearch = {
  readonly vector: Float32Array | null;
  /** From `queryTerms`. */
  readonly terms: readonly QueryTerm[] | null;
  readonly filter: Filter | null;
  /** Candidates per leg. */
  readonly depth: number;
  /**
   * How many of the vector leg must be exact in order and score (default: depth). A graph promises that it gives so
   * many at least, and its scores are exact; from there to `depth` it gives what it met on its way.
   */
  readonly exact?: number | undefined;
  /** Whether keyword scores see where in a long chunk the words stand (default: yes). */
  readonly byWindows?: boolean | undefined;
};

export type IndexAnswer = {
  /** Best first. */
  readonly vector: readonly LegHit[];
  readonly keyword: readonly LegHit[];
  /** Every chunk of either leg, each with both scores; the vector leg's first, in its order. */
  readonly candidates: readonly IndexCandidate[];
  /** No chunk of this store can have a higher BM25 score for these terms; 0 without terms. */
  readonly maxKeywordScore: number;
  /** What a chunk with every word of the question would score: the same, and the words that no chunk has. */
  readonly attainableKeywordScore: number;
  /** Of a store of few chunks, how much of the question the best one has; null of a larger one, and without terms: see share-found.ts. */
  readonly small: { readonly chunks: number; readonly found: number } | null;
  readonly knownTerms: number;
  readonly idfSum: number;
  /** What the filter keeps (everything, without one). */
  readonly matched: { readonly files: number; readonly chunks: number };
  readonly used: "exact" | "hnsw" | "none";
};

export type StoreIndexOptions = {
  readonly dimensions: number;
  /** What a chunk's next best windows take of the best one's score, see ExactIndex (default: nothing). */
  readonly nextShare?: number | undefined;
  /** Reads the full-precision vectors that chunks came with, by id, in the order asked; null for a chunk that is gone. */
  readonly fetchVectors: (chunkIds: readonly number[]) => readonly (Float32Array | null)[];
  /**
   * Reads term blobs by chunk id, in the order asked; with it, keyword scores see where in a chunk the words stand
   * (passages.ts). Called with at most fifty ids a search.
   */
  readonly fetchTerms?: ((chunkIds: readonly number[]) => readonly (Uint8Array | null)[]) | undefined;
  /** Whether an HNSW graph is used: by size (default), never, or from the first vector on. */
  readonly kind?: IndexKind | undefined;
  /** Vectors from which "by size" means yes (default: 100,000). */
  readonly graphFrom?: number | undefined;
  /** Vectors from which `ask` leaves the search to threads, where there are any. */
  readonly threadsFrom?: number | undefined;
  /** Of all chunks, where only some of them are put in here: those that an engine found for one question (engine.ts). */
  readonly whole?: WholeStatistics | undefined;
};

/** A part of the chunks in order of their ids: those between two, exclusive, from one end on. */
export type ChunkPage = {
  readonly above: number;
  readonly below: number;
  readonly direction: "ASC" | "DESC";
  readonly limit: number;
};

export type StoreIndexStats = {
  readonly files: number;
  readonly chunks: number;
  readonly vectors: number;
  readonly bytes: number;
  /** What a search without a filter uses now. */
  readonly used: "exact" | "hnsw";
  /** Vectors that the attached graph covers, and those that are scanned beside it. */
  readonly covered: number;
  readonly tail: number;
};

/** Values of vectors: with fewer a search is over before a thread would have begun, and others wait half a millisecond. */
const LEAST_FOR_THREADS = 50_000 * 256;
/** Postings of a question's words: with fewer they are looked through before a thread would have begun. */
const LEAST_POSTINGS_FOR_THREADS = 20_000;
/** Keyword postings cleaned up along with each write while there is something to clean. */
const SWEEP_BUDGET = 20_000;

type Words = { readonly pass: KeywordPass; readonly evidence: Evidence; readonly small: IndexAnswer["small"] };
type Legs = ShownLegs & { readonly vector: Float32Array | null; readonly evidence: Evidence | null };

export class StoreIndex {
  readonly dimensions: number;
  readonly #fetch: FetchVectors;
  readonly #fetchTerms: FetchTerms | null;
  readonly #files: FileTable;
  readonly #fileCounts: { readonly count: number; of(chunk: number): number };
  readonly #attributes: AttributeIndex;
  readonly #own: OwnAttributes;
  readonly #keywords: KeywordIndex;
  readonly #vectors: ExactIndex;
  readonly #image: Pick<SectionReader, "isIntact"> | undefined;
  readonly #filters: FilterCache;
  readonly #views: Views;
  readonly #threadsFrom: number;
  readonly #postingsFrom: number;
  #cover: GraphCover | null = null;
  #graphRule: GraphRule;
  #version = 0;
  #changes = 0;
  #isClosed = false;
  #isGraphExpected = false;
  /** Asked for with each search: counted once for each version. */
  #bytes = { version: -1, of: 0 };

  constructor(options: StoreIndexOptions, parts: StoreIndexParts = emptyParts(options)) {
    this.dimensions = options.dimensions;
    ({ files: this.#files, attributes: this.#attributes, own: this.#own } = parts);
    ({ keywords: this.#keywords, vectors: this.#vectors, image: this.#image } = parts);
    this.#views = parts.vectors.views;
    this.#threadsFrom = options.threadsFrom ?? Math.ceil(LEAST_FOR_THREADS / options.dimensions);
    this.#postingsFrom = Math.min(LEAST_POSTINGS_FOR_THREADS, this.#threadsFrom);
    this.#graphRule = { kind: options.kind ?? "auto", from: options.graphFrom ?? GRAPH_FROM_VECTORS };
    this.#filters = new FilterCache(this.#attributes, this.#own, [this.#files, this.#vectors]);
    const { fetchTerms } = options;
    this.#fetchTerms = fetchTerms === undefined ? null : (chunks) => fetchTerms(this.#idsOf(chunks));
    const files = this.#files;
    this.#fileCounts = {
      get count() {
        return files.fileCount;
      },
      of: (chunk) => files.fileOf(chunk),
    };
    this.#fetch = (chunks) => options.fetchVectors(this.#idsOf(chunks));
  }

  /** The index that was written to an image, as it was then. It is over the image's arrays, and changes like any other. */
  static from(options: StoreIndexOptions, image: SectionReader): StoreIndex {
    return new StoreIndex(options, imageParts(image, options));
  }

  /** Throws ImageError where something was ever removed: images are of indexes that were just read. */
  writeTo(image: SectionWriter): void {
    this.#files.writeTo(image.part("files"));
    this.#attributes.writeTo(image.part("attributes"));
    this.#own.writeTo(image.part("own"));
    this.#keywords.writeTo(image.part("keywords"));
    this.#vectors.writeTo(image.part("vectors"));
  }

  /** Whether the file that it lies on is as it was. Looked at after what was asked: where it is not, that is not to be believed. */
  get isIntact(): boolean {
    return this.#image?.isIntact ?? true;
  }

  /** Chunks that came or went, and files whose attributes changed, since it was made. */
  get changes(): number {
    return this.#changes;
  }

  /** Bytes of memory of what a search without a graph looks at. */
  get scannedBytes(): number {
    if (this.#bytes.version !== this.#version) {
      const of = this.#files.byteLength + this.#keywords.byteLength + this.#vectors.byteLength;
      this.#bytes = { version: this.#version, of };
    }
    return this.#bytes.of + this.#attributes.byteLength + this.#own.byteLength;
  }

  get chunkCount(): number {
    return this.#files.chunkCount;
  }

  /** Whether every chunk has the terms of this version of the analyzer. */
  get isCurrent(): boolean {
    return this.#keywords.isCurrent;
  }

  get stats(): StoreIndexStats {
    return {
      files: this.#files.fileCount,
      chunks: this.#files.chunkCount,
      vectors: this.#vectors.count,
      bytes: this.byteLength,
      used: this.#usableCover() === null ? "exact" : "hnsw",
      covered: this.#cover?.coveredVectors ?? 0,
      tail: this.#cover?.tailVectors ?? 0,
    };
  }

  get byteLength(): number {
    return this.scannedBytes + this.#filters.byteLength + (this.#cover?.byteLength ?? 0);
  }

  /**
   * Adds or replaces a file. Throws VectorRejectedError or TermBlobError; then nothing has changed.
   */
  addFile(file: IndexedFile): void {
    const vectors = this.#check(file.chunks);
    this.removeFile(file.fileKey);
    const ordinal = this.#files.addFile(file.fileKey);
    this.#attributes.set(ordinal, file);
    this.#addChunks(ordinal, file.chunks, vectors);
    this.#afterWrite();
  }

  /** Adds more chunks to a file; does nothing if the file is not (or no longer) there. Throws as `addFile`. */
  addChunks(fileKey: number, chunks: readonly IndexedChunk[]): void {
    const vectors = this.#check(chunks);
    const file = this.#files.find(fileKey);
    if (file < 0) return;
    this.#addChunks(file, chunks, vectors);
    this.#afterWrite();
  }

  /** Chunks of a file, by id, get the terms that a newer analyzer found more; does nothing where they are gone. */
  extendTerms(fileKey: number, chunks: ReadonlyMap<number, { before: Uint8Array; after: Uint8Array }>): void {
    const file = this.#files.find(fileKey);
    if (file < 0) return;
    this.#files.forEachChunk(file, (chunk) => {
      const terms = chunks.get(this.#files.chunkId(chunk));
      if (terms !== undefined) this.#keywords.extend(chunk, terms.before, terms.after);
    });
  }

  removeFile(fileKey: number): void {
    const file = this.#files.find(fileKey);
    if (file < 0) return;
    this.#changes += 1 + this.#files.chunksOf(file);
    this.#files.forEachChunk(file, (chunk) => {
      this.#cover?.chunkRemoved(chunk);
      this.#keywords.remove(chunk);
      this.#vectors.remove(chunk);
      this.#own.delete(chunk);
    });
    // Slots that were remembered are others when the vectors have gone.
    this.#views.afterwards(() => {
      this.#version++;
      this.#cover?.slotsMoved();
    });
    this.#attributes.delete(file);
    this.#files.removeFile(file);
    this.#afterWrite();
  }

  hasFile(fileKey: number): boolean {
    return this.#files.find(fileKey) >= 0;
  }

  /** How many chunks of a file are there; 0 where the file is not. */
  chunksOf(fileKey: number): number {
    const file = this.#files.find(fileKey);
    return file < 0 ? 0 : this.#files.chunksOf(file);
  }

  /** Replaces a file's attributes; does nothing if the file is not there. */
  setAttributes(fileKey: number, attributes: Attributes): void {
    const file = this.#files.find(fileKey);
    if (file < 0) return;
    this.#attributes.setAttributes(file, attributes);
    this.#changes++;
    this.#afterWrite();
  }

  /** Changes what `stats.used` and `graphWork` go by. */
  setKind(kind: IndexKind): void {
    this.#graphRule = { ...this.#graphRule, kind };
  }

  /**
   * Searches through this graph from now on (null: scan again); frees the one before when nobody is searching it. Chunks that it lacks are scanned,
   * chunks that are gone are left out. About 0.2 microseconds a chunk.
   */
  attachGraph(graph: OpenGraph | null): void {
    const before = this.#cover?.graph;
    if (before !== undefined) this.#views.afterwards(() => releaseGraph(before));
    this.#cover = null;
    // A graph is read while searches go on, and the index may have left memory meanwhile.
    if (graph !== null && this.#isClosed) return releaseGraph(graph);
    if (graph !== null) this.#cover = new GraphCover(graph, this.#files, this.#vectors);
  }

  /** Says whether a graph is being read, so that none is built meanwhile. */
  expectGraph(isExpected: boolean): void {
    this.#isGraphExpected = isExpected;
  }

  /** The next part file worth building, or null. Ask again after it was attached. */
  graphWork(): GraphWork | null {
    if (this.#isGraphExpected) return null;
    return planGraphWork(this.#graphRule, this.#vectors, this.#files, this.#cover, (chunks) => this.#idsOf(chunks));
  }

  /** Frees what the garbage collector does not see, when the searches under way have ended. The index must not be used afterwards. */
  close(): void {
    this.attachGraph(null);
    this.#isClosed = true;
  }

  /** Ids of chunks that a filter keeps, in order, those nearest to where the page begins. */
  chunksKept(filter: Filter, { above, below, direction, limit }: ChunkPage): number[] {
    const sign = direction === "ASC" ? -1 : 1;
    const top = new TopK(limit);
    let { floor } = top;
    this.#filters.match(filter, this.#version).chunks.forEach((chunk) => {
      const id = this.#files.chunkId(chunk);
      if (id <= above || id >= below || id * sign <= floor) return;
      top.offer(id * sign, chunk);
      floor = top.floor;
    });
    return Array.from(top.sorted().ids, (chunk) => this.#files.chunkId(chunk));
  }

  /** Throws VectorRejectedError on a query vector of another length or with NaN. */
  search(request: IndexSearch): IndexAnswer {
    return runNow(this.#searching(request, null));
  }

  /**
   * The same, where threads are to search and the store is large enough by a promise: other work of this thread goes on
   * meanwhile. The answer has only chunks that were there at the call and are there still.
   */
  ask(request: IndexSearch): IndexAnswer | Promise<IndexAnswer> {
    const isLarge = this.#vectors.count >= this.#threadsFrom;
    return isLarge && searchThreads() > 0 ? this.#askLater(request) : this.search(request);
  }

  async #askLater(request: IndexSearch): Promise<IndexAnswer> {
    if (this.#views.isCrowded) await this.#views.room();
    const view = this.#views.open();
    try {
      return await runLater(this.#searching(request, view));
    } finally {
      this.#views.close();
    }
  }

  *#searching(request: IndexSearch, view: View | null): Steps<IndexAnswer> {
    const matching = request.filter === null ? null : this.#filters.match(request.filter, this.#version);
    const matched = {
      files: matching?.fileCount ?? this.#files.fileCount,
      chunks: matching?.chunkCount ?? this.#files.chunkCount,
    };
    const { hits, used } =
      request.vector === null ? NO_HITS : yield* this.#nearest(request.vector, request, matching, view);
    const shown = this.#shown(hits, view);
    const words = request.terms === null ? null : yield* this.#words(request.terms, request, { matching, near: shown });
    // From here on nothing waits any more: what is found now is there now.
    const fetch = (request.byWindows ?? true) ? this.#fetchTerms : null;
    const isShown = this.#views.isHiding ? (owner: number) => this.#views.shows(view, owner) : null;
    const { nearest, keyword } = shownLegs(shown, words?.pass ?? null, { isShown, fetch });
    const evidence = words?.evidence ?? null;
    const candidates = this.#candidates({ vector: request.vector, nearest, keyword, evidence });
    const pass = words?.pass;
    return {
      // Most who ask look at the candidates only: a leg is put together when somebody does look at it.
      get vector() {
        return legOf(nearest, nearest, candidates);
      },
      get keyword() {
        return legOf(keyword?.hits ?? [], nearest, candidates);
      },
      candidates,
      maxKeywordScore: pass?.maxPossible ?? 0,
      attainableKeywordScore: pass?.attainable ?? 0,
      small: words?.small ?? null,
      knownTerms: pass?.knownTerms ?? 0,
      idfSum: pass?.idfSum ?? 0,
      matched,
      used,
    };
  }

  /** The best chunks by the words, and what the words say of those that are `near`. */
  *#words(
    terms: readonly QueryTerm[],
    { depth }: IndexSearch,
    { matching, near }: { matching: Matching | null; near: readonly VectorHit[] },
  ): Steps<Words> {
    const owners = new Int32Array(near.length);
    for (let i = 0; i < owners.length; i++) owners[i] = near[i]!.owner;
    const allowed = matching?.chunks ?? null;
    const step = this.#keywords.step(terms, depth, allowed, owners);
    // In the same turn: later a term's place may be another's.
    const evidence = this.#keywords.evidence(step, this.#fileCounts, allowed);
    const found = this.#keywords.shareFound(step, allowed);
    const small = found === null ? null : { chunks: this.#keywords.allChunks, found };
    if (step.postings < this.#postingsFrom) step.now();
    else yield step;
    return { pass: step.pass, evidence, small };
  }

  /** Those that the view has. */
  #shown(hits: readonly VectorHit[], view: View | null): readonly VectorHit[] {
    return this.#views.isHiding ? hits.filter(({ owner }) => this.#views.shows(view, owner)) : hits;
  }

  #nearest(vector: Float32Array, request: IndexSearch, matching: Matching | null, view: View | null): Steps<Nearest> {
    const options = { depth: request.depth, exact: request.exact ?? request.depth, fetch: this.#fetch, view };
    const parts = { vectors: this.#vectors, files: this.#files, cover: this.#usableCover() };
    return nearest(parts, vector, options, matching);
  }

  /** The graph, if it may be used and covers enough for that to pay. */
  #usableCover(): GraphCover | null {
    const cover = this.#cover;
    if (cover === null || cover.coveredVectors === 0 || !wantsGraph(this.#graphRule, this.#vectors.count, true))
      return null;
    return cover.tailVectors <= this.#vectors.count * LIST_SHARE ? cover : null;
  }

  /** Those of the vector leg first. */
  #candidates({ vector, nearest, keyword, evidence }: Legs): IndexCandidate[] {
    const proofs = evidence === null || evidence.size === 0 ? null : evidence;
    const found: IndexCandidate[] = [];
    const add = (chunk: number, vectorScore: number | null, keywordScore: number | null): void => {
      const fileKey = this.#files.fileKey(this.#files.fileOf(chunk));
      const chunkId = this.#files.chunkId(chunk);
      found.push({ chunkId, fileKey, vectorScore, keywordScore, evidence: proofs?.get(chunk) ?? 0 });
    };
    for (let i = 0; i < nearest.length; i++) add(nearest[i]!.owner, nearest[i]!.score, keyword?.near[i] ?? null);
    if (keyword === null) return found;
    const taken = new Set<number>();
    for (const { owner } of nearest) taken.add(owner);
    const others: VectorHit[] = [];
    const owners: number[] = [];
    for (const hit of keyword.hits) {
      if (taken.has(hit.owner)) continue;
      others.push(hit);
      owners.push(hit.owner);
    }
    const scores = vector === null || owners.length === 0 ? null : this.#vectors.scoresOf(vector, owners);
    for (let i = 0; i < others.length; i++) add(others[i]!.owner, scores?.[i] ?? null, others[i]!.score);
    return found;
  }

  #idsOf(chunks: readonly number[]): number[] {
    return chunks.map((chunk) => this.#files.chunkId(chunk));
  }

  /** Looks at everything that could be refused before anything is taken in. */
  #check(chunks: readonly IndexedChunk[]): Float32Array[] {
    return chunks.map((chunk) => {
      unpackTerms(chunk.terms);
      return unitVectors(chunk.vectors, this.dimensions);
    });
  }

  #addChunks(file: number, chunks: readonly IndexedChunk[], vectors: readonly Float32Array[]): void {
    chunks.forEach((chunk, i) => {
      const previous = this.#files.lastChunkOf(file);
      const ordinal = this.#files.addChunk(file, chunk.chunkId);
      this.#keywords.add(ordinal, chunk.terms);
      this.#vectors.add(ordinal, vectors[i]!, { previous, shared: chunk.shared ?? 0 });
      if (chunk.attributes != null) this.#own.set(ordinal, chunk.attributes);
      this.#cover?.chunkAdded(ordinal);
    });
    this.#changes += chunks.length;
  }

  #afterWrite(): void {
    this.#version++;
    if (this.#keywords.removedCount > 64 && this.#keywords.removedCount * 16 > this.#files.chunkCount) {
      const freed = this.#keywords.sweep(SWEEP_BUDGET);
      // An ordinal means the same for as long as a search is under way.
      this.#views.afterwards(() => this.#files.freeChunks(freed));
    }
  }
}
