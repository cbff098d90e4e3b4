import type { Glyph, Segment } from "./painted.ts";

/**
 * Text that is painted again over itself: bold made without a bold font, shadows, outlines below their filling. It is
 * read once. A repetition that a reader sees as one stands at least its own width, or a line, away from the first.
 */

interface Painted {
  text: string;
  angle: number;
  size: number;
  x: number;
  y: number;
}

/** A shadow lies at most this many ems off. */
const REACH = 0.25;
/** A glyph alone is a repetition when it covers the better part of the first one. */
const ALONE = 0.2;
const ALONE_WIDTHS = 0.45;
/** Glyphs of one run that repeat one other run are all equally far off. */
const SPREAD = 0.06;
const OF_ALL = 0.8;

/** Runs in painting order -> the same without what repeats an earlier one; `wordGap` in ems parts words. */
export function withoutOverprint(runs: readonly Segment[], wordGap: number): Segment[] {
  const seen = new SeenGlyphs();
  const rows = new PaintedRows();
  const out: Segment[] = [];
  for (const run of runs) {
    const below = rows.under(run);
    // Glyphs are looked at only where something is painted over: on most pages nowhere.
    for (const earlier of below) seen.addAll(earlier);
    const glyphs = glyphsOf(run);
    const repeats = below.length === 0 ? [] : repetitions(run, glyphs, seen);
    const kept = repeats.includes(true) ? glyphs.filter((_, i) => repeats[i] !== true) : glyphs;
    if (kept.length === 0) continue;
    const rest = kept.length === glyphs.length ? run : shortened(run, kept, wordGap * run.size);
    rows.add(rest);
    out.push(rest);
  }
  return out;
}

function glyphsOf(run: Segment): readonly Glyph[] {
  return run.glyphs ?? [{ text: run.text.trim(), x0: run.x0, x1: run.x1, spaced: false }];
}

function repetitions(run: Segment, glyphs: readonly Glyph[], seen: SeenGlyphs): boolean[] {
  const offsets = glyphs.map((glyph) => seen.nearest(painted(run, glyph)));
  const found = offsets.filter((offset) => offset !== null);
  if (found.length === 0) return [];
  const limit = SPREAD * run.size;
  const [first] = found;
  const isCopy =
    glyphs.length > 1 &&
    found.length >= OF_ALL * glyphs.length &&
    found.every(([x, y]) => Math.abs(x - first![0]) <= limit && Math.abs(y - first![1]) <= limit);
  if (isCopy) return offsets.map((offset) => offset !== null);
  return offsets.map((offset, i) => {
    if (offset === null) return false;
    const { x0, x1 } = glyphs[i]!;
    return Math.max(Math.abs(offset[0]), Math.abs(offset[1])) <= Math.min(ALONE * run.size, ALONE_WIDTHS * (x1 - x0));
  });
}

function painted({ angle, size, y }: Segment, { text, x0 }: Glyph): Painted {
  return { text, angle, size, x: x0, y };
}

function shortened(run: Segment, kept: readonly Glyph[], wordGap: number): Segment {
  const glyphs = [...kept];
  let text = "";
  glyphs.forEach((glyph, i) => {
    const before = glyphs[i - 1];
    const isApart = before !== undefined && (glyph.spaced || glyph.x0 - before.x1 > wordGap);
    text += (isApart ? " " : "") + glyph.text;
  });
  const x0 = glyphs[0]!.x0;
  const x1 = glyphs.at(-1)!.x1;
  return { ...run, text, glyphs, x0, x1, runs: [{ text, x0, x1 }] };
}

/** Painted glyphs by their place, in cells as wide as a repetition may be off. */
class SeenGlyphs {
  readonly #cells = new Map<number, Painted[]>();
  readonly #runs = new Set<Segment>();

  addAll(run: Segment): void {
    if (this.#runs.has(run)) return;
    this.#runs.add(run);
    for (const glyph of glyphsOf(run)) this.#add(painted(run, glyph));
  }

  #add(glyph: Painted): void {
    const cell = cellSize(glyph.size);
    const key = keyOf(Math.floor(glyph.x / cell), Math.floor(glyph.y / cell), cell);
    const list = this.#cells.get(key);
    if (list === undefined) this.#cells.set(key, [glyph]);
    else if (list.length < MAX_IN_CELL) list.push(glyph);
  }

  /** How far the nearest equal glyph is, or null. */
  nearest({ text, angle, size, x, y }: Painted): [number, number] | null {
    const cell = cellSize(size);
    const left = Math.round(x / cell) - 1;
    const below = Math.round(y / cell) - 1;
    let best: [number, number] | null = null;
    for (let i = 0; i < 4; i++) {
      for (const other of this.#cells.get(keyOf(left + (i & 1), below + (i >> 1), cell)) ?? []) {
        if (other.text !== text || other.angle !== angle || Math.abs(other.size - size) > 0.15 * size) continue;
        const dx = x - other.x;
        const dy = y - other.y;
        if (Math.max(Math.abs(dx), Math.abs(dy)) > REACH * size) continue;
        if (best === null || Math.hypot(dx, dy) < Math.hypot(...best)) best = [dx, dy];
      }
    }
    return best;
  }
}

/** Bounds what a page costs that paints thousands of glyphs on one spot. */
const MAX_IN_CELL = 16;

/** Twice the reach, so that the four cells around a place hold all that is within it; the same for similar sizes. */
function cellSize(size: number): number {
  return 2 * REACH * 2 ** Math.ceil(Math.log2(Math.max(size, 0.01)));
}

function keyOf(column: number, row: number, cell: number): number {
  return (column * 73_856_093) ^ (row * 19_349_663) ^ (cell * 83_492_791);
}

/** Ems by which runs overlap that are only set close. */
const KERNING = 0.05;
const MAX_IN_ROW = 256;

/** Runs by the height at which they stand. */
class PaintedRows {
  readonly #rows = new Map<number, Segment[]>();

  add(run: Segment): void {
    const row = rowOf(run);
    const list = this.#rows.get(row);
    if (list === undefined) this.#rows.set(row, [run]);
    else if (list.length < MAX_IN_ROW) list.push(run);
  }

  /** Those that a run is painted over. */
  under(run: Segment): Segment[] {
    const out: Segment[] = [];
    const row = rowOf(run);
    for (let at = row - 1; at <= row + 1; at++) {
      for (const other of this.#rows.get(at) ?? []) {
        const overlap = Math.min(run.x1, other.x1) - Math.max(run.x0, other.x0);
        const isNear = Math.abs(run.y - other.y) <= REACH * run.size && other.angle === run.angle;
        if (isNear && overlap > KERNING * run.size) out.push(other);
      }
    }
    return out;
  }
}

/** Rows are higher than a repetition may be off, and the same for similar sizes. */
function rowOf({ y, size }: Segment): number {
  return Math.floor(y / cellSize(size));
}
