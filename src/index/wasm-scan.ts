import type { BestAsk, ScanKernels, ScanPart, ScanQuery, ScoredSlots } from "./scan.ts";
import { createScanKernel, type ScanKernel } from "./scan-kernel.ts";
import { likelyFloor, TopK } from "./top-k.ts";

const WASM_PAGE_BYTES = 65_536;
/** Vectors are copied in by so many bytes at a time, which stay in the processor's cache. */
const PIECE_BYTES = 256 * 1024;

/** The scan in WebAssembly: vectors are copied into its memory piece by piece. */
export class WasmScan implements ScanKernels {
  readonly sketches = false;
  readonly later = null;
  #memory: WebAssembly.Memory | null = null;
  #kernel: ScanKernel | null = null;

  scan(part: ScanPart, query: ScanQuery, out: Float32Array): void {
    const { codes, scales, count } = part;
    const stride = query.values.length;
    const most = rowsOfPiece(stride);
    for (let first = 0; first < count; first += most) {
      const rows = Math.min(most, count - first);
      const piece = this.#piece(query);
      piece.codes.set(codes.subarray(first * stride, (first + rows) * stride));
      piece.scales.set(scales.subarray(first, first + rows));
      out.set(this.#scored(query, rows), first);
    }
  }

  gather({ codes, scales }: ScanPart, listed: Int32Array, query: ScanQuery, out: Float32Array): void {
    const stride = query.values.length;
    const most = rowsOfPiece(stride);
    for (let first = 0; first < listed.length; first += most) {
      const rows = listed.subarray(first, first + most);
      const piece = this.#piece(query);
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]!;
        piece.codes.set(codes.subarray(row * stride, (row + 1) * stride), i * stride);
        piece.scales[i] = scales[row]!;
      }
      out.set(this.#scored(query, rows.length), first);
    }
  }

  best(parts: readonly ScanPart[], query: ScanQuery, { limit, bottom, filter }: BestAsk): ScoredSlots {
    const scored = parts.map((part) => {
      const scores = new Float32Array(part.count);
      this.scan(part, query, scores);
      return { scores, count: part.count, base: part.base };
    });
    const isKept = (slot: number): boolean => filter === null || filter.allowed.has(filter.owners[slot]!);
    const offered = (from: number): TopK => {
      const top = new TopK(limit);
      for (const { scores, count, base } of scored) {
        for (let i = 0; i < count; i++) {
          const score = scores[i]!;
          if (score > from && score >= top.floor && isKept(base + i)) top.offer(score, base + i);
        }
      }
      return top;
    };
    const likely = filter === null ? Math.max(bottom, likelyFloor(scored, limit)) : bottom;
    let top = offered(likely);
    if (top.size < limit && likely > bottom) top = offered(bottom);
    const { ids, scores } = top.sorted();
    return { slots: ids, scores: Float32Array.from(scores) };
  }

  sketch(): void {
    throw new Error("this kernel looks at every vector");
  }

  #piece(query: ScanQuery): { codes: Int8Array; scales: Float32Array } {
    const stride = query.values.length;
    const most = rowsOfPiece(stride);
    const pages = Math.ceil((stride * 2 + most * (stride + 8)) / WASM_PAGE_BYTES);
    if (this.#memory === null || this.#memory.buffer.byteLength < pages * WASM_PAGE_BYTES) {
      this.#memory = new WebAssembly.Memory({ initial: pages });
      this.#kernel = createScanKernel(this.#memory);
    }
    const { buffer } = this.#memory;
    new Int16Array(buffer, 0, stride).set(query.values);
    return {
      scales: new Float32Array(buffer, stride * 2, most),
      codes: new Int8Array(buffer, stride * 2 + most * 8, most * stride),
    };
  }

  /** Scores of the first rows of the piece; valid until the next one. */
  #scored({ values, step }: ScanQuery, rows: number): Float32Array {
    const stride = values.length;
    const most = rowsOfPiece(stride);
    const [scales, out] = [stride * 2, stride * 2 + most * 4];
    this.#kernel!.scan(out + most * 4, scales, (rows + 3) & ~3, stride, 0, stride * 2, out, step);
    return new Float32Array(this.#memory!.buffer, out, rows);
  }
}

/** Whole fours, which is what the kernel takes. */
function rowsOfPiece(stride: number): number {
  return Math.max(4, Math.floor(PIECE_BYTES / stride / 4) * 4);
}
