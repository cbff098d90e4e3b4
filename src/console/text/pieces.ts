import type { CodePoints } from "./code-points.ts";

/** Code points from `start` on, up to but without `end`. */
export interface Range {
  start: number;
  end: number;
}

/** A stretch of text over which nothing changes. */
export interface Piece extends Range {
  text: string;
  /** Indexes of the ranges that cover it: two or more are an overlap. */
  covers: number[];
  isMarked: boolean;
}

/** A window of the text, cut wherever one of the ranges or marks begins or ends. Ranges are in the order of their starts. */
export function piecesOf(
  text: CodePoints,
  window: Range,
  { ranges, marks }: { ranges: readonly Range[]; marks: readonly Range[] },
): Piece[] {
  const end = Math.min(window.end, text.length);
  const start = Math.min(Math.max(0, window.start), end);
  const cuts = new Set([start, end]);
  const inside = ranges.flatMap((range, index) => (range.end > start && range.start < end ? [{ range, index }] : []));
  for (const { start: from, end: to } of [...inside.map(({ range }) => range), ...marks])
    for (const place of [from, to]) if (place > start && place < end) cuts.add(place);
  const places = [...cuts].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  let open: typeof inside = [];
  let next = 0;
  for (let i = 0; i + 1 < places.length; i++) {
    const piece = { start: places[i] ?? 0, end: places[i + 1] ?? 0 };
    for (let one = inside[next]; one !== undefined && one.range.start <= piece.start; one = inside[++next])
      open.push(one);
    open = open.filter(({ range }) => range.end > piece.start);
    pieces.push({
      ...piece,
      text: text.slice(piece.start, piece.end),
      covers: open.map(({ index }) => index),
      isMarked: marks.some((mark) => mark.start < piece.end && mark.end > piece.start),
    });
  }
  return pieces;
}

/** The window of so many code points in which a place is seen with what is around it. */
export function windowAround(place: number, length: number, size: number): Range {
  const start = Math.max(0, Math.min(place - Math.floor(size / 4), length - size));
  return { start, end: Math.min(length, start + size) };
}
