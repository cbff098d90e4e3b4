import type { ParsedDocument, Region } from "../parse/document.ts";
import { BREAK } from "../parse/document.ts";
import { graphemeCeil, graphemeFloor } from "./graphemes.ts";

/**
 * Where a chunk may end and the next one start. A candidate's worth is the weight of its kind less
 * the share of the range that it gives away, so a section boundary wins over a full chunk while a
 * mere word boundary wins only near the limit.
 */
const WEIGHTS: Record<number, number> = {
  [BREAK.section]: 0.5,
  [BREAK.unit]: 0.42,
  [BREAK.paragraph]: 0.34,
  [BREAK.row]: 0.28,
  [BREAK.line]: 0.18,
};
const SENTENCE_WEIGHT = 0.22;
const WORD_WEIGHT = 0.1;

const SENTENCE_END = /[.!?…][)\]"'”’»]*\s+|[。！？｡．][」』）”’"']*\s*|[।॥။።؟۔]\s*/g;
const LINE_END = /\n[ \t]*\n\s*|\n/g;
const SPACE = /\s+/g;

/** Searches one document's boundaries; offsets handed to it must not go backwards between chunks. */
export class CutFinder {
  readonly #doc: ParsedDocument;
  #breakAt = 0;
  #regionAt = 0;

  constructor(doc: ParsedDocument) {
    this.#doc = doc;
  }

  /** Tells that no offset before this one will be asked about any more. */
  advance(offset: number): void {
    const { offsets } = this.#doc.breaks;
    while (this.#breakAt < offsets.length && offsets[this.#breakAt]! < offset) this.#breakAt++;
    const { regions } = this.#doc;
    while (this.#regionAt < regions.length && regions[this.#regionAt]!.end <= offset) this.#regionAt++;
  }

  /** Table or record list that holds the offset in its inside (neither at its start nor at its end). */
  regionAround(offset: number): Region | null {
    const { regions } = this.#doc;
    for (let i = this.#regionAt; i < regions.length && regions[i]!.start < offset; i++) {
      if (offset < regions[i]!.end) return regions[i]!;
    }
    return null;
  }

  /** Last row boundary in (after, limit], or -1. */
  lastRow(after: number, limit: number): number {
    const { offsets } = this.#doc.breaks;
    let found = -1;
    for (let i = this.#breakAt; i < offsets.length && offsets[i]! <= limit; i++) {
      if (offsets[i]! > after) found = offsets[i]!;
    }
    return found;
  }

  /** First row boundary in [from, before), or -1. */
  firstRow(from: number, before: number): number {
    const { offsets } = this.#doc.breaks;
    for (let i = this.#breakAt; i < offsets.length && offsets[i]! < before; i++) {
      if (offsets[i]! >= from) return offsets[i]!;
    }
    return -1;
  }

  /**
   * Best place to cut in [low, high]. `cost` gives the share of the range lost by cutting at an
   * offset, 0 at the ideal end of the range; it must be monotonic.
   * `fallback` is used when nothing in the range is worth its cost.
   */
  best(low: number, high: number, cost: (offset: number) => number, fallback: "low" | "high"): number {
    let bestAt = -1;
    let bestWorth = 0;
    const offer = (offset: number, weight: number): void => {
      if (offset < low || offset > high) return;
      const worth = weight - cost(offset);
      if (worth > bestWorth || (worth === bestWorth && offset > bestAt)) {
        bestWorth = worth;
        bestAt = offset;
      }
    };
    const { offsets, ranks } = this.#doc.breaks;
    for (let i = this.#breakAt; i < offsets.length && offsets[i]! <= high; i++) {
      offer(offsets[i]!, WEIGHTS[ranks[i]!] ?? 0);
    }
    this.#offerFromText(low, high, fallback, offer);
    const { text } = this.#doc;
    if (fallback === "low") return graphemeCeil(text, bestAt >= 0 ? bestAt : low);
    return graphemeFloor(text, bestAt >= 0 ? bestAt : high, low - 1);
  }

  #offerFromText(
    low: number,
    high: number,
    ideal: "low" | "high",
    offer: (offset: number, weight: number) => void,
  ): void {
    const slice = this.#doc.text.slice(low, high);
    for (const match of slice.matchAll(LINE_END)) {
      offer(low + match.index + match[0].length, WEIGHTS[match[0].length > 1 ? BREAK.paragraph : BREAK.line]!);
    }
    for (const [pattern, weight] of [
      [SENTENCE_END, SENTENCE_WEIGHT],
      [SPACE, WORD_WEIGHT],
    ] as const) {
      const at = ideal === "high" ? lastEnd(slice, pattern) : firstEnd(slice, pattern);
      if (at >= 0) offer(low + at, weight);
    }
  }
}

function firstEnd(slice: string, pattern: RegExp): number {
  pattern.lastIndex = 0;
  const match = pattern.exec(slice);
  pattern.lastIndex = 0;
  return match === null ? -1 : match.index + match[0].length;
}

function lastEnd(slice: string, pattern: RegExp): number {
  let at = -1;
  for (const match of slice.matchAll(pattern)) at = match.index + match[0].length;
  return at;
}
