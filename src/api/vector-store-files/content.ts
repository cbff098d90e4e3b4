import { unitsOf } from "../../platform/code-points.ts";

/** A piece of a text: code points `start_cp` to `end_cp` (exclusive) of the whole. */
export interface Piece {
  text: string;
  start_cp: number;
  end_cp: number;
}

/**
 * The text that overlapping chunks were cut from, beginning at code point `from`; offsets of chunks count its code
 * points. Chunks hold no white space at their ends, so a gap between two is filled with line ends.
 */
export function joinChunks(pieces: Iterable<Piece>, from = 0): string {
  const parts: string[] = [];
  let reached = from;
  for (const { text, start_cp: start, end_cp: end } of pieces) {
    if (end <= reached) continue;
    if (start > reached) parts.push("\n".repeat(start - reached));
    parts.push(start < reached ? text.slice(unitsOf(text, reached - start)) : text);
    reached = end;
  }
  return parts.join("");
}
