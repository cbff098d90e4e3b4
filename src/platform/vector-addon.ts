/**
 * The functions of the addon in src/index/native. Each checks what it is given and throws a TypeError rather than read or
 * write outside of it. Arrays may lie in memory of the process or in a mapped file; nothing is kept after the call.
 *
 * Functions that end in `Later` check at once too, and then promise what threads of the pool work out. Until the promise
 * is settled the arrays stay in memory, and nobody may write to what they held when the call was made: to the rows of a
 * part up to its `count`, to the postings that lists have, to owners, sets and queries.
 */
export interface VectorAddon {
  /** Instruction sets that this processor runs, the best first. */
  levels(): string[];
  /** For tests: the level that every scan of the process uses from here on. */
  useLevel(level: string): void;
  /** out[i] = dot(row i, query) * scale of row i * step, for the first `count` rows of `stride` bytes. */
  scan(
    codes: Int8Array,
    scales: Float32Array,
    stride: number,
    count: number,
    query: Int16Array,
    step: number,
    out: Float32Array,
  ): void;
  /** The same for the listed rows, in their order. */
  gather(
    codes: Int8Array,
    scales: Float32Array,
    stride: number,
    slots: Int32Array,
    query: Int16Array,
    step: number,
    out: Float32Array,
  ): void;
  gatherLater(...asked: Parameters<VectorAddon["gather"]>): Promise<void>;
  /** Makes the sketches of `count` rows from `first` on (sketch.h). */
  sketch(
    codes: Int8Array,
    scales: Float32Array,
    stride: number,
    dimensions: number,
    first: number,
    count: number,
    words: Uint32Array,
    factors: Float32Array,
    errors: Float32Array,
  ): void;
  /**
   * Fills `slots` and `scores` with the best slots that score above `bottom`, best first, of equal ones the earlier; answers
   * how many there are. With `owners` and `allowed`, only slots whose owner's bit is set count. A `unit` of no
   * components leaves sketches alone.
   */
  best(
    parts: readonly NativePart[],
    unit: Float32Array,
    query: Int16Array,
    step: number,
    owners: Int32Array | null,
    allowed: Int32Array | null,
    bottom: number,
    slots: Int32Array,
    scores: Float32Array,
  ): number;
  /** Cut in pieces where several threads have nothing to do; the answer is the same. */
  bestLater(...asked: Parameters<VectorAddon["best"]>): Promise<number>;

  /** How many threads work out what is promised, of all that this process promises (at first none: who asks waits). */
  poolThreads(threads: number): void;
  /** For tests: what a thread of the pool throws becomes an Error of the promise. */
  poolFail(): Promise<never>;

  /**
   * BM25 over postings (see postings.ts for how they lie in `slabs`). `lists` has three numbers a term: the address of
   * its first block, how many postings it has, and whether they are ascending; chunk ordinals are below `count`, and
   * `norms` is fixed, per length, average length. Fills `ids` and `scores` with the best chunks, best first, of equal
   * ones the lower; answers how many there are. With `allowed`, only chunks whose bit is set count. Fills `alsoScores` with
   * the scores of the chunks of `also`, whatever is allowed, as `keywordScores` does: together they cost one look at the
   * lists.
   */
  keywordBest(
    slabs: readonly Int32Array[],
    lists: Int32Array,
    weights: Float64Array,
    lengths: Float32Array,
    count: number,
    norms: Float64Array,
    allowed: Int32Array | null,
    ids: Int32Array,
    scores: Float32Array,
    also: Int32Array,
    alsoScores: Float32Array,
  ): number;
  keywordBestLater(...asked: Parameters<VectorAddon["keywordBest"]>): Promise<number>;
  /** The scores of the given chunks, in their order; 0 for one that has none of the terms. */
  keywordScores(
    slabs: readonly Int32Array[],
    lists: Int32Array,
    weights: Float64Array,
    lengths: Float32Array,
    count: number,
    norms: Float64Array,
    ids: Int32Array,
    scores: Float32Array,
  ): void;

  graphCreate(dimensions: number, capacity: number, m: number, efConstruction: number): NativeGraph;
  graphCount(graph: NativeGraph): number;
  /** Makes room for this many vectors in all. */
  graphReserve(graph: NativeGraph, capacity: number): void;
  /** Adds vectors under the next labels, in order, by so many threads; there must be room for them. */
  graphAdd(graph: NativeGraph, vectors: Float32Array, threads: number): void;
  /**
   * Fills `labels` and `similarities` with the nearest, best first, looking at `ef` candidates; answers how many there are.
   * With `owners` (by label) and `allowed`, only labels whose owner's bit is set are found.
   */
  graphSearch(
    graph: NativeGraph,
    query: Float32Array,
    ef: number,
    owners: Int32Array | null,
    allowed: Int32Array | null,
    labels: Int32Array,
    similarities: Float32Array,
  ): number;
  graphSearchLater(...asked: Parameters<VectorAddon["graphSearch"]>): Promise<number>;
  /** Throws what the disk says. */
  graphSave(graph: NativeGraph, path: string): void;
  /** Gives the memory back, once no search is under way; the graph is of no use afterwards. */
  graphRelease(graph: NativeGraph): void;
  /** Reads in another thread. Rejects unless the file holds `count` vectors of `dimensions` and nothing impossible. */
  graphRead(path: string, dimensions: number, count: number): Promise<NativeGraph>;

  /**
   * Maps a file of this length, private and copy on write: what is written to it stays in memory. Where the file loses pages
   * later, zeros take their place. Throws what the system says.
   */
  mapFile(path: string, bytes: number): ArrayBuffer;
  /** Whether all that was read from a mapping so far is what was in the file when it was mapped (mapping.h). */
  isIntact(mapping: ArrayBuffer): boolean;
  /** Whether a stretch of the file is in the page cache: then looking at it waits for no disk. */
  isResident(mapping: ArrayBuffer, from: number, bytes: number): boolean;
  /** Has another thread read a stretch of the file, so that looking at it waits for no disk. Resolves also where it cannot. */
  populate(mapping: ArrayBuffer, from: number, bytes: number): Promise<void>;
}

declare const native: unique symbol;
/** A handle. What it stands for belongs to one thread at a time. */
export type NativeGraph = { readonly [native]: "graph" };

/** A stretch of the slots, from `base` on. The first `sketched` of them, whole blocks of 16, have sketches. */
export interface NativePart {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  readonly words: Uint32Array;
  readonly factors: Float32Array;
  readonly errors: Float32Array;
  readonly count: number;
  readonly sketched: number;
  readonly base: number;
}
