import { createScanKernel, type ScanKernel, STRIDE_UNIT } from "./scan-kernel.ts";

const WASM_PAGE_BYTES = 65_536;
/** Segments are no larger than this, so that growing (a copy) never takes long. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
const SMALLEST_CAPACITY = 32;

/** Bytes of memory one vector takes in a segment: its components, its scale, a score and a place in a list. */
export function bytesPerSlot(dimensions: number): number {
  return strideOf(dimensions) + 12;
}

function strideOf(dimensions: number): number {
  return Math.ceil(dimensions / STRIDE_UNIT) * STRIDE_UNIT;
}

/** How many vectors a full segment holds. */
export function segmentCapacity(dimensions: number): number {
  return Math.max(1024, Math.floor(SEGMENT_BYTES / bytesPerSlot(dimensions) / 32) * 32);
}

/**
 * Up to `segmentCapacity` vectors of 8-bit components in one WebAssembly memory, with the room for one scan's
 * scores and one list of slots. Component i of slot s is `components[s * stride + i] * scales[s]`.
 */
export class ScanSegment {
  readonly stride: number;
  #capacity = 0;
  #kernel: ScanKernel | null = null;
  #memory: WebAssembly.Memory | null = null;
  #query = new Int16Array(0);
  #components = new Int8Array(0);
  /** Per slot; read-only outside. */
  scales = new Float32Array(0);
  /** Per slot after `scan`, per list position after `gather`. */
  scores = new Float32Array(0);
  /** The slots of the last `gather`. */
  list = new Int32Array(0);

  constructor(dimensions: number) {
    this.stride = strideOf(dimensions);
  }

  get byteLength(): number {
    return this.#memory?.buffer.byteLength ?? 0;
  }

  /** The rounded vectors of the first slots, one after another. */
  codes(count: number): Int8Array {
    return this.#components.subarray(0, count * this.stride);
  }

  /** Takes in vectors that another segment gave as `codes` and `scales`. */
  readFrom(codes: Int8Array, scales: Float32Array): void {
    this.#grow(Math.max(32, (scales.length + 31) & ~31));
    this.#components.set(codes);
    this.scales.set(scales);
  }

  /** Stores a unit vector, rounded to 8 bits by its largest component; answers its scale. */
  write(slot: number, vectors: Float32Array, offset: number, dimensions: number): number {
    if (slot >= this.#capacity) this.#grow(slot + 1);
    let largest = 0;
    for (let i = offset; i < offset + dimensions; i++) largest = Math.max(largest, Math.abs(vectors[i]!));
    const scale = Math.fround(largest / 127);
    const inverse = scale > 0 ? 1 / scale : 0;
    const start = slot * this.stride;
    // `| 0` cuts towards zero; adding half away from zero first rounds to nearest.
    for (let i = 0; i < dimensions; i++) {
      const value = vectors[offset + i]! * inverse;
      this.#components[start + i] = (value + (value < 0 ? -0.5 : 0.5)) | 0;
    }
    this.scales[slot] = scale;
    return scale;
  }

  copyFrom(source: ScanSegment, from: number, to: number): void {
    const start = from * this.stride;
    this.#components.set(source.#components.subarray(start, start + this.stride), to * this.stride);
    this.scales[to] = source.scales[from]!;
  }

  /** Scores slots 0 … count-1 into `scores`. */
  scan(query: Int16Array, factor: number, count: number): void {
    if (count > 0) this.#run(query, factor, count, false);
  }

  /** Scores the first `count` slots of `list` into `scores`, position by position. */
  gather(query: Int16Array, factor: number, count: number): void {
    if (count === 0) return;
    // The kernel takes four at a time: the last group is filled up with slot 0.
    for (let i = count; (i & 3) !== 0; i++) this.list[i] = 0;
    this.#run(query, factor, count, true);
  }

  #run(query: Int16Array, factor: number, count: number, listed: boolean): void {
    this.#query.set(query);
    const fours = (count + 3) & ~3;
    const vectors = this.#components.byteOffset;
    const queryEnd = this.stride * 2;
    const out = this.scores.byteOffset;
    const scales = this.scales.byteOffset;
    if (listed) {
      this.#kernel!.gather(vectors, scales, fours, this.stride, 0, queryEnd, out, factor, this.list.byteOffset);
    } else {
      this.#kernel!.scan(vectors, scales, fours, this.stride, 0, queryEnd, out, factor);
    }
  }

  /** Moves into a larger memory. Slots behind the last used one have scale 0. */
  #grow(slots: number): void {
    const asked = Math.max(slots, this.#capacity * 2, SMALLEST_CAPACITY);
    const head = this.stride * 2;
    const pages = Math.ceil((head + asked * (this.stride + 12)) / WASM_PAGE_BYTES);
    // Whatever the last page has left over is used; a multiple of 32 keeps every part aligned.
    const capacity = Math.floor((pages * WASM_PAGE_BYTES - head) / (this.stride + 12) / 32) * 32;
    const memory = new WebAssembly.Memory({ initial: pages });
    const { buffer } = memory;
    const scales = new Float32Array(buffer, head, capacity);
    const scores = new Float32Array(buffer, head + capacity * 4, capacity);
    const list = new Int32Array(buffer, head + capacity * 8, capacity);
    const components = new Int8Array(buffer, head + capacity * 12, capacity * this.stride);
    scales.set(this.scales);
    components.set(this.#components);
    this.#capacity = capacity;
    this.#memory = memory;
    this.#kernel = createScanKernel(memory);
    this.#query = new Int16Array(buffer, 0, this.stride);
    this.#components = components;
    this.scales = scales;
    this.scores = scores;
    this.list = list;
  }
}
