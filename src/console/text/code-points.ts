/** Code units between two places that are kept. */
const STEP = 4096;

/**
 * A text that is cut by code points, as offsets on the wire count, although JavaScript counts code units. Finding a place
 * reads at most a few thousand characters, however long the text is.
 */
export class CodePoints {
  readonly text: string;
  readonly length: number;
  /** How many code points come before each multiple of STEP; null where both counts are the same. */
  readonly #before: Uint32Array | null;

  constructor(text: string) {
    this.text = text;
    if (!/[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text)) {
      this.#before = null;
      this.length = text.length;
      return;
    }
    this.#before = new Uint32Array(Math.floor(text.length / STEP) + 1);
    let count = 0;
    for (let unit = 0; unit < text.length; unit++) {
      if (unit % STEP === 0) this.#before[unit / STEP] = count;
      if (!isSecond(text, unit)) count++;
    }
    this.length = count;
  }

  slice(start: number, end: number): string {
    return this.text.slice(this.unitOf(start), this.unitOf(end));
  }

  /** The code unit at which a code point begins. */
  unitOf(point: number): number {
    if (point <= 0) return 0;
    if (point >= this.length) return this.text.length;
    if (this.#before === null) return point;
    let [low, high] = [0, this.#before.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#before[middle] ?? 0) <= point) low = middle;
      else high = middle - 1;
    }
    let unit = low * STEP;
    // A place between the halves of a pair belongs to the pair before it.
    if (isSecond(this.text, unit)) unit++;
    for (let count = this.#before[low] ?? 0; count < point; count++) unit += isFirst(this.text, unit) ? 2 : 1;
    return unit;
  }

  /** The code point that a code unit is of. */
  pointOf(unit: number): number {
    if (this.#before === null) return Math.min(unit, this.length);
    const block = Math.min(Math.floor(unit / STEP), this.#before.length - 1);
    let count = this.#before[block] ?? 0;
    for (let at = block * STEP; at < unit && at < this.text.length; at++) if (!isSecond(this.text, at)) count++;
    return count;
  }
}

function isFirst(text: string, unit: number): boolean {
  const code = text.charCodeAt(unit);
  if (code < 0xd800 || code > 0xdbff) return false;
  const next = text.charCodeAt(unit + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}

function isSecond(text: string, unit: number): boolean {
  return unit > 0 && isFirst(text, unit - 1);
}
