/**
 * The scan by native code where the addon can be loaded; elsewhere a WebAssembly kernel does it, which scores every
 * vector and gives the same answers.
 */
import { vectorAddon } from "../platform/native.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import {
  type BestAsk,
  type LaterKernels,
  type ScanKernels,
  type ScanPart,
  type ScanQuery,
  type ScoredSlots,
  STRIDE_UNIT,
} from "./scan.ts";
import { WasmScan } from "./wasm-scan.ts";

let chosen: ScanKernels | undefined;
let threads = 0;

/**
 * Has so many threads of this process search, beside the one that asks; 0, as at first: who asks does it. Without the
 * addon nothing changes.
 */
export function useSearchThreads(count: number): void {
  threads = count;
  vectorAddon()?.poolThreads(count);
}

export function scanKernels(): ScanKernels {
  if (chosen !== undefined) return chosen;
  const addon = vectorAddon();
  return (chosen = addon === null ? new WasmScan() : new NativeScan(addon));
}

/** How many search beside this thread. */
export function searchThreads(): number {
  return vectorAddon() === null ? 0 : threads;
}

/** Exported for its tests. */
export class NativeScan implements ScanKernels {
  readonly sketches = true;
  readonly #addon: VectorAddon;
  readonly #later: LaterKernels;

  constructor(addon: VectorAddon) {
    this.#addon = addon;
    this.#later = {
      gather: ({ codes, scales }, rows, { values, step }, out) =>
        addon.gatherLater(codes, scales, values.length, rows, values, step, out),
      best: async (parts, query, ask) => {
        const asked = bestAsked(parts, query, ask);
        return found(asked, await addon.bestLater(...asked));
      },
    };
  }

  scan({ codes, scales, count }: ScanPart, { values, step }: ScanQuery, out: Float32Array): void {
    this.#addon.scan(codes, scales, values.length, count, values, step, out);
  }

  get later(): LaterKernels | null {
    return threads === 0 ? null : this.#later;
  }

  gather({ codes, scales }: ScanPart, rows: Int32Array, { values, step }: ScanQuery, out: Float32Array): void {
    this.#addon.gather(codes, scales, values.length, rows, values, step, out);
  }

  best(parts: readonly ScanPart[], query: ScanQuery, ask: BestAsk): ScoredSlots {
    const asked = bestAsked(parts, query, ask);
    return found(asked, this.#addon.best(...asked));
  }

  sketch({ codes, scales, words, factors, errors }: ScanPart, dimensions: number, first: number, count: number): void {
    const stride = Math.ceil(dimensions / STRIDE_UNIT) * STRIDE_UNIT;
    this.#addon.sketch(codes, scales, stride, dimensions, first, count, words, factors, errors);
  }
}

type BestAsked = Parameters<VectorAddon["best"]>;

function bestAsked(parts: readonly ScanPart[], query: ScanQuery, { limit, bottom, filter }: BestAsk): BestAsked {
  const [owners, allowed] = filter === null ? [null, null] : [filter.owners, filter.allowed.words];
  const unit = parts.some((part) => part.sketched > 0) ? query.unit : NO_UNIT;
  const [slots, scores] = [new Int32Array(limit), new Float32Array(limit)];
  return [parts, unit, query.values, query.step, owners, allowed, bottom, slots, scores];
}

function found(asked: BestAsked, count: number): ScoredSlots {
  return { slots: asked[7].subarray(0, count), scores: asked[8].subarray(0, count) };
}

const NO_UNIT = new Float32Array(0);
