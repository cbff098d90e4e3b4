/** What a scan of 8-bit vectors is asked and answers; the vectors lie in plain arrays, which may be of a mapped file. */
import type { NativePart } from "../platform/vector-addon.ts";
import type { Bitset } from "./bitset.ts";

/** Bytes a vector is padded to. */
export const STRIDE_UNIT = 64;

/** A query of unit length, and the same in steps: component i is about `values[i] * step`, zeros behind the last one. */
export interface ScanQuery {
  readonly unit: Float32Array;
  readonly values: Int16Array;
  readonly step: number;
}

export type ScanPart = NativePart;

export interface BestAsk {
  readonly limit: number;
  /** Only scores above it. */
  readonly bottom: number;
  /** Only slots whose owner is in the set. */
  readonly filter: { readonly owners: Int32Array; readonly allowed: Bitset } | null;
}

/** Side by side, best first; of equal scores the earlier slot first. */
export interface ScoredSlots {
  readonly slots: Int32Array;
  readonly scores: Float32Array;
}

export interface ScanKernels {
  /** Whether `best` is faster with sketches. */
  readonly sketches: boolean;
  /** Scores of all slots of a part. */
  scan(part: ScanPart, query: ScanQuery, out: Float32Array): void;
  /** Scores of rows of a part, in their order. */
  gather(part: ScanPart, rows: Int32Array, query: ScanQuery, out: Float32Array): void;
  /** Parts come in ascending order. */
  best(parts: readonly ScanPart[], query: ScanQuery, ask: BestAsk): ScoredSlots;
  /** The same by threads of the pool; null where there are none. */
  readonly later: LaterKernels | null;
  /** Makes the sketches of `count` rows from `first` on. */
  sketch(part: ScanPart, dimensions: number, first: number, count: number): void;
}

/** Until the answer is there, nobody may write to the rows, owners or sets that were asked about. */
export interface LaterKernels {
  gather(part: ScanPart, rows: Int32Array, query: ScanQuery, out: Float32Array): Promise<void>;
  best(parts: readonly ScanPart[], query: ScanQuery, ask: BestAsk): Promise<ScoredSlots>;
}
