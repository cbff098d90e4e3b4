/**
 * The scan by native code where the addon can be loaded; elsewhere a WebAssembly kernel does it, which scores every
 * vector and gives the same answers.
 */
import { vectorAddon } from "../platform/native.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import {
  type BestAsk,
  type ScanKernels,
  type ScanPart,
  type ScanQuery,
  type ScoredSlots,
  STRIDE_UNIT,
} from "./scan.ts";
import { WasmScan } from "./wasm-scan.ts";

let chosen: ScanKernels | undefined;

export function scanKernels(): ScanKernels {
  if (chosen !== undefined) return chosen;
  const addon = vectorAddon();
  return (chosen = addon === null ? new WasmScan() : new NativeScan(addon));
}

/** Exported for its tests. */
export class NativeScan implements ScanKernels {
  readonly sketches = true;
  readonly #addon: VectorAddon;

  constructor(addon: VectorAddon) {
    this.#addon = addon;
  }

  scan({ codes, scales, count }: ScanPart, { values, step }: ScanQuery, out: Float32Array): void {
    this.#addon.scan(codes, scales, values.length, count, values, step, out);
  }

  gather({ codes, scales }: ScanPart, rows: Int32Array, { values, step }: ScanQuery, out: Float32Array): void {
    this.#addon.gather(codes, scales, values.length, rows, values, step, out);
  }

  best(parts: readonly ScanPart[], { unit, values, step }: ScanQuery, { limit, bottom, filter }: BestAsk): ScoredSlots {
    const slots = new Int32Array(limit);
    const scores = new Float32Array(limit);
    const [owners, allowed] = filter === null ? [null, null] : [filter.owners, filter.allowed.words];
    const sketched = parts.some((part) => part.sketched > 0) ? unit : NO_UNIT;
    const count = this.#addon.best(parts, sketched, values, step, owners, allowed, bottom, slots, scores);
    return { slots: slots.subarray(0, count), scores: scores.subarray(0, count) };
  }

  sketch({ codes, scales, words, factors, errors }: ScanPart, dimensions: number, first: number, count: number): void {
    const stride = Math.ceil(dimensions / STRIDE_UNIT) * STRIDE_UNIT;
    this.#addon.sketch(codes, scales, stride, dimensions, first, count, words, factors, errors);
  }
}

const NO_UNIT = new Float32Array(0);
