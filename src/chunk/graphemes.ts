/** Cutting text without splitting what a reader sees as one character. */

const LOOK_BACK = 256;
const LOOK_AHEAD = 64;
const FLAG_LOOK_BACK = 8192;
let segmenter: Intl.Segmenter | null = null;

/**
 * Largest grapheme boundary <= offset that lies after `floor`. Where a single grapheme fills that
 * whole range, a code point boundary.
 */
export function graphemeFloor(text: string, offset: number, floor: number): number {
  if (isCertain(text, offset)) return offset;
  let best = -1;
  for (const boundary of boundariesAround(text, offset)) {
    if (boundary > offset) break;
    best = boundary;
  }
  if (best > floor) return best;
  const point = isLow(text, offset) ? offset - 1 : offset;
  return point > floor ? point : Math.min(text.length, offset + 1);
}

/** Smallest grapheme boundary >= offset. */
export function graphemeCeil(text: string, offset: number): number {
  if (isCertain(text, offset)) return offset;
  for (const boundary of boundariesAround(text, offset)) {
    if (boundary >= offset) return boundary;
  }
  return isLow(text, offset) ? offset + 1 : offset;
}

function* boundariesAround(text: string, offset: number): Generator<number> {
  const from = safeStart(text, offset);
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  for (const { index } of segmenter.segment(text.slice(from, offset + LOOK_AHEAD))) yield from + index;
}

/** Both neighbours stand alone whatever surrounds them: ASCII, or a CJK ideograph or kana. */
function isCertain(text: string, offset: number): boolean {
  if (offset <= 0 || offset >= text.length) return true;
  return standsAlone(text.charCodeAt(offset - 1)) && standsAlone(text.charCodeAt(offset));
}

function standsAlone(unit: number): boolean {
  if (unit < 0x80) return unit !== 0x0d;
  return (unit >= 0x3041 && unit <= 0x3096) || (unit >= 0x4e00 && unit <= 0x9fff);
}

/** A grapheme boundary before the offset from which segmentation gives the same result as from the text's start. */
function safeStart(text: string, offset: number): number {
  const lowest = Math.max(0, offset - LOOK_BACK);
  for (let i = offset - 1; i > lowest; i--) {
    if (standsAlone(text.charCodeAt(i))) return i;
  }
  const start = isLow(text, lowest) ? lowest + 1 : lowest;
  return start - (flagsBefore(text, start) % 2) * 2;
}

/** Regional indicators that end at an offset: they pair up from the first one. */
function flagsBefore(text: string, offset: number): number {
  let at = offset;
  while (at >= 2 && offset - at < FLAG_LOOK_BACK) {
    const point = text.codePointAt(at - 2) ?? 0;
    if (point < 0x1f1e6 || point > 0x1f1ff) break;
    at -= 2;
  }
  return (offset - at) / 2;
}

function isLow(text: string, offset: number): boolean {
  const unit = text.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
