import { type ScanPart, type ScanKernels, STRIDE_UNIT } from "./scan.ts";

/** Segments are no larger than this, so that growing (a copy) never takes long. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
const SMALLEST_CAPACITY = 32;
/** Slots whose sketches lie together (native/sketch.h). */
const BLOCK = 16;
/** The error of a sketch falls with the dimensions: with fewer, sketches would rule out too little. */
const LEAST_SKETCHED_DIMENSIONS = 96;

/** Bytes of a vector in a segment: its components, its scale, and its sketch. */
export function bytesPerSlot(dimensions: number): number {
  return strideOf(dimensions) + 4 + columnsOf(dimensions) * 4 + 4;
}

export function strideOf(dimensions: number): number {
  return Math.ceil(dimensions / STRIDE_UNIT) * STRIDE_UNIT;
}

/** Words of a sketch: two bits a component. */
function columnsOf(dimensions: number): number {
  return dimensions < LEAST_SKETCHED_DIMENSIONS ? 0 : Math.ceil(dimensions / 16);
}

/** How many vectors a full segment holds. */
export function segmentCapacity(dimensions: number): number {
  return Math.max(1024, Math.floor(SEGMENT_BYTES / bytesPerSlot(dimensions) / 32) * 32);
}

/**
 * Up to `segmentCapacity` vectors of 8-bit components in plain arrays, with sketches of two bits a component where the
 * scan looks at those first. Component i of slot s is `codes[s * stride + i] * scales[s]`. The arrays are the segment's
 * own; whoever reads them must ask again after a write.
 */
export class ScanSegment {
  readonly stride: number;
  readonly #dimensions: number;
  readonly #columns: number;
  readonly #kernels: ScanKernels;
  #capacity = 0;
  #codes = new Int8Array(0);
  #words = new Uint32Array(0);
  #factors = new Float32Array(0);
  #errors = new Float32Array(0);
  /** Per slot; read-only outside. */
  scales = new Float32Array(0);

  constructor(dimensions: number, kernels: ScanKernels) {
    this.stride = strideOf(dimensions);
    this.#dimensions = dimensions;
    this.#columns = kernels.sketches ? columnsOf(dimensions) : 0;
    this.#kernels = kernels;
  }

  get byteLength(): number {
    const arrays = [this.#codes, this.scales, this.#words, this.#factors, this.#errors];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** What a scan reads: the first `count` slots, which are those from `base` on for its caller. */
  part(count: number, base: number): ScanPart {
    return {
      codes: this.#codes,
      scales: this.scales,
      words: this.#words,
      factors: this.#factors,
      errors: this.#errors,
      count,
      // Every written slot has one; a block is looked at whole.
      sketched: this.#columns === 0 ? 0 : count - (count % BLOCK),
      base,
    };
  }

  /** Stores unit vectors from `slot` on, rounded to 8 bits by their largest components; answers the largest scale. */
  write(slot: number, vectors: Float32Array): number {
    const dimensions = this.#dimensions;
    const count = vectors.length / dimensions;
    if (slot + count > this.#capacity) this.#grow(slot + count);
    let most = 0;
    for (let i = 0; i < count; i++) most = Math.max(most, this.#round(slot + i, vectors, i * dimensions));
    if (this.#columns > 0) this.#kernels.sketch(this.part(slot + count, 0), dimensions, slot, count);
    return most;
  }

  copyFrom(source: ScanSegment, from: number, to: number): void {
    const start = from * this.stride;
    this.#codes.set(source.#codes.subarray(start, start + this.stride), to * this.stride);
    this.scales[to] = source.scales[from]!;
    if (this.#columns === 0) return;
    const [fromBlock, toBlock] = [Math.floor(from / BLOCK), Math.floor(to / BLOCK)];
    const blockWords = this.#columns * BLOCK;
    for (let column = 0; column < this.#columns; column++) {
      const word = source.#words[fromBlock * blockWords + column * BLOCK + (from % BLOCK)]!;
      this.#words[toBlock * blockWords + column * BLOCK + (to % BLOCK)] = word;
    }
    this.#factors[to] = source.#factors[from]!;
    this.#errors[toBlock] = Math.max(this.#errors[toBlock]!, source.#errors[fromBlock]!);
  }

  /** Answers the vector's scale. */
  #round(slot: number, vectors: Float32Array, offset: number): number {
    const end = offset + this.#dimensions;
    let largest = 0;
    for (let i = offset; i < end; i++) largest = Math.max(largest, Math.abs(vectors[i]!));
    const scale = Math.fround(largest / 127);
    const inverse = scale > 0 ? 1 / scale : 0;
    const start = slot * this.stride - offset;
    // `| 0` cuts towards zero; adding half away from zero first rounds to nearest.
    for (let i = offset; i < end; i++) {
      const value = vectors[i]! * inverse;
      this.#codes[start + i] = (value + (value < 0 ? -0.5 : 0.5)) | 0;
    }
    this.scales[slot] = scale;
    return scale;
  }

  /** Moves into larger arrays. Slots behind the last used one have scale 0. */
  #grow(slots: number): void {
    const doubled = Math.min(this.#capacity * 2, segmentCapacity(this.#dimensions));
    const capacity = Math.ceil(Math.max(slots, doubled, SMALLEST_CAPACITY) / BLOCK) * BLOCK;
    const [codes, scales] = [new Int8Array(capacity * this.stride), new Float32Array(capacity)];
    codes.set(this.#codes);
    scales.set(this.scales);
    this.#codes = codes;
    this.scales = scales;
    this.#capacity = capacity;
    if (this.#columns === 0) return;
    const [words, factors] = [new Uint32Array(capacity * this.#columns), new Float32Array(capacity)];
    const errors = new Float32Array(capacity / BLOCK);
    words.set(this.#words);
    factors.set(this.#factors);
    errors.set(this.#errors);
    this.#words = words;
    this.#factors = factors;
    this.#errors = errors;
  }
}
