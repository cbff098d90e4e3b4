/** What is painted on a page, from single glyphs to lines. */
import type { Run } from "./direction.ts";

/** One glyph on the page, in the frame in which its text runs left to right. */
export interface Glyph {
  text: string;
  x0: number;
  x1: number;
  /** A space was painted before it. */
  spaced: boolean;
}

/** What pdf.js gives per run of glyphs. */
export interface TextItem {
  str: string;
  transform: number[];
  width: number;
  height: number;
  fontName: string;
  hasEOL: boolean;
  /** What each glyph stands for, a character each if a string; null where they are not read in painting order. */
  glyphs?: string | readonly string[] | null;
  /** Begin and end of each glyph along the line, from the item's place on. */
  edges?: ArrayLike<number>;
  /** Whether a space was painted between a glyph and the one before it. */
  spaced?: ArrayLike<number>;
}

export interface Line {
  text: string;
  /** In the frame in which the text runs left to right; y grows upwards. */
  x0: number;
  x1: number;
  y: number;
  size: number;
  font: string;
  /** Writing direction on the page in degrees, and whether glyphs run downwards. */
  angle: number;
  vertical: boolean;
  /** The next line never continues it. */
  isWhole?: boolean;
}

/** Text painted in one go, and what of it lies on one baseline with no wide gap between. */
export interface Segment extends Line {
  /** What it was joined of, in painting order. */
  runs: Run[];
  /** Glyph by glyph; null where their order is not that of the text. */
  glyphs: Glyph[] | null;
  /** Where its last run stands. */
  last: { y: number; size: number };
}
