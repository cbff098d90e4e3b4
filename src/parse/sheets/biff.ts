import { decodeAs } from "../text/encoding.ts";

/** Reads across the records of one table. */
export class SpanReader {
  readonly #bytes: Uint8Array;
  readonly #spans: [number, number][];
  #span = 0;
  #at: number;

  constructor(bytes: Uint8Array, spans: [number, number][]) {
    this.#bytes = bytes;
    this.#spans = spans;
    this.#at = spans[0]![0];
  }

  get atEnd(): boolean {
    return this.#span >= this.#spans.length - 1 && this.#at >= (this.#spans.at(-1)?.[1] ?? 0);
  }

  skip(count: number): void {
    for (let left = count; left > 0 && !this.atEnd;) {
      const step = Math.min(left, this.#left());
      this.#at += step;
      left -= step;
      if (step === 0) this.#nextSpan();
    }
  }

  uint32(): number {
    return (this.#byte() | (this.#byte() << 8) | (this.#byte() << 16) | (this.#byte() << 24)) >>> 0;
  }

  unicodeString(): string {
    let left = this.#byte() | (this.#byte() << 8);
    let flags = this.#byte();
    const runs = (flags & 8) !== 0 ? this.#byte() | (this.#byte() << 8) : 0;
    const extended = (flags & 4) !== 0 ? this.uint32() : 0;
    let text = "";
    while (left > 0 && !this.atEnd) {
      if (this.#left() === 0) {
        this.#nextSpan();
        flags = this.#byte();
      }
      const width = (flags & 1) !== 0 ? 2 : 1;
      const count = Math.min(left, Math.floor(this.#left() / width));
      if (count === 0) break;
      text += decodeAs(
        this.#bytes.subarray(this.#at, this.#at + count * width),
        width === 2 ? "utf-16le" : "iso-8859-1",
      );
      this.#at += count * width;
      left -= count;
    }
    this.skip(runs * 4 + extended);
    return text;
  }

  #left(): number {
    return this.#spans[this.#span]![1] - this.#at;
  }

  #nextSpan(): void {
    if (this.#span >= this.#spans.length - 1) return;
    this.#span++;
    this.#at = this.#spans[this.#span]![0];
  }

  #byte(): number {
    if (this.#left() === 0) this.#nextSpan();
    return this.#bytes[this.#at++] ?? 0;
  }
}

const double = new DataView(new ArrayBuffer(8));

/** Compressed number: 30 bits of integer or of the high half of a double, perhaps in hundredths. */
export function rkValue(view: DataView, at: number): number {
  const raw = view.getUint32(at, true);
  let value: number;
  if ((raw & 2) !== 0) {
    value = view.getInt32(at, true) >> 2;
  } else {
    double.setUint32(4, raw & 0xfffffffc, true);
    value = double.getFloat64(0, true);
  }
  return (raw & 1) !== 0 ? value / 100 : value;
}
