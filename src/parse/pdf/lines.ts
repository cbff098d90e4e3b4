import { isRightToLeft, logicalText, runsRightToLeft } from "./direction.ts";
import { withoutOverprint } from "./overprint.ts";
import type { Glyph, Line, Segment, TextItem } from "./painted.ts";
import { scriptGlue, scriptOf } from "./scripts.ts";
import { joinSpacedLetters, spacingAfter } from "./tracking.ts";

/**
 * Text items of one PDF page -> lines in reading order. A PDF says where glyphs go, not in which
 * order people read them; the order in which it paints is right for most files and is kept unless
 * it plainly runs across columns or back and forth.
 */

/** A gap of more than this many ems between runs on one baseline separates columns or cells. */
const CELL_GAP = 1.4;
const WORD_GAP = 0.16;
/** A script stands closer than this to what it belongs to. */
const SCRIPT_GAP = 0.25;

/** In reading order. `isVertical` says whether a font's glyphs run downwards. */
export function linesOfPage(items: TextItem[], isVertical: (fontName: string) => boolean): Line[] {
  const byAngle = new Map<number, Segment[]>();
  for (const segment of segmentsOf(items, isVertical)) {
    const group = byAngle.get(segment.angle);
    if (group === undefined) byAngle.set(segment.angle, [segment]);
    else group.push(segment);
  }
  return [...byAngle.values()].flatMap((group) => joinRows(inReadingOrder(group)));
}

function segmentsOf(items: TextItem[], isVertical: (fontName: string) => boolean): Segment[] {
  const out: Segment[] = [];
  let current: Segment | null = null;
  for (const next of withoutOverprint(runsOf(items, isVertical), WORD_GAP)) {
    const gap = current === null ? 0 : next.x0 - current.x1;
    if (current !== null && continues(current, next, gap)) {
      append(current, next, gap);
    } else {
      current = next;
      out.push(next);
    }
  }
  for (const segment of out) {
    if (segment.vertical) continue;
    if (isRightToLeft(segment.text)) segment.text = logicalText(segment.runs, WORD_GAP * segment.size);
    else if (segment.glyphs !== null) segment.text = joinSpacedLetters(segment.text, segment.glyphs, segment.size);
  }
  return out;
}

/** Items with something in them; what is white between them is kept as space before and after. */
function runsOf(items: TextItem[], isVertical: (fontName: string) => boolean): Segment[] {
  const out: Segment[] = [];
  let spaceBefore = false;
  for (const item of items) {
    if (item.str.trim() === "") {
      if (item.str === "") continue;
      spaceBefore = true;
      const { x0, x1 } = place(item, false);
      out.at(-1)?.runs.push({ text: " ", x0, x1 });
      continue;
    }
    const run = place(item, isVertical(item.fontName));
    if (spaceBefore) run.text = ` ${run.text}`;
    spaceBefore = item.str.endsWith(" ");
    out.push(run);
  }
  return out;
}

function append(line: Segment, next: Segment, gap: number): void {
  if (next.text.length > line.text.length) line.font = next.font;
  line.text = joined(line, next, gap);
  line.x1 = Math.max(line.x1, next.x1);
  line.x0 = Math.min(line.x0, next.x0);
  line.size = Math.max(line.size, next.size);
  line.runs.push(...next.runs);
  if (next.glyphs === null) line.glyphs = null;
  else line.glyphs?.push(...next.glyphs);
  line.last = next.last;
}

function joined(line: Segment, next: Segment, gap: number): string {
  const text = next.text.trimStart();
  const script = scriptOf(line.last, next);
  if (script !== null && next.glyphs !== null && !isRightToLeft(next.text)) {
    const size = Math.max(line.last.size, next.size);
    const isApart = next.glyphs[0]?.spaced === true || gap > (script === "returned" ? WORD_GAP : SCRIPT_GAP) * size;
    return line.text.trimEnd() + (isApart ? " " : scriptGlue(script, line.text, text)) + text;
  }
  const isApart = next.text.startsWith(" ") || gap > WORD_GAP * next.size;
  return line.text + (isApart && !line.text.endsWith(" ") ? " " : "") + text;
}

function place(item: TextItem, vertical: boolean): Segment {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = item.transform;
  const degrees = vertical ? 0 : (Math.atan2(b, a) * 180) / Math.PI;
  const angle = (Math.round(degrees / 15) * 15 + 360) % 360;
  const radians = (angle * Math.PI) / 180;
  const cos = Math.cos(radians);
  const sin = Math.sin(radians);
  const x = e * cos + f * sin;
  const y = f * cos - e * sin;
  const size = Math.hypot(c, d) || item.height || Math.hypot(a, b) || 1;
  const width = vertical ? size : item.width;
  const text = item.str.replace(SPACES, " ");
  return {
    text,
    runs: [{ text, x0: x, x1: x + width }],
    x0: x,
    x1: x + width,
    y,
    size,
    font: item.fontName,
    angle,
    vertical,
    glyphs: vertical ? null : glyphsOf(item, x),
    last: { y, size },
  };
}

function glyphsOf({ glyphs, edges = [], spaced = [] }: TextItem, x: number): Glyph[] | null {
  if (glyphs === undefined || glyphs === null || glyphs.length === 0) return null;
  return Array.from({ length: glyphs.length }, (_, i) => ({
    text: (glyphs[i] ?? "").replace(SPACES, " "),
    x0: x + (edges[2 * i] ?? 0),
    x1: x + (edges[2 * i + 1] ?? 0),
    spaced: spaced[i] === 1,
  }));
}

/** No-break spaces and the typographer's. */
const SPACES = /[\u00a0\u2000-\u200a\u202f]/g;

function continues(line: Segment, next: Segment, gap: number): boolean {
  if (line.vertical || next.vertical || line.angle !== next.angle) return false;
  const size = Math.max(line.size, next.size);
  // Superscripts and subscripts sit up to half an em off the baseline.
  const shift = Math.abs(line.y - next.y);
  if (shift > (Math.min(line.size, next.size) < 0.8 * size ? 0.6 : 0.35) * size) return false;
  if (gap < 0) {
    // Right-to-left runs come before what was painted last; an overprint is the same text again.
    return next.x1 <= line.x0 + size * 0.3
      ? line.x0 - next.x1 < CELL_GAP * size && isRightToLeft(next.text)
      : gap > -0.8 * size;
  }
  // A space between letter-spaced words is wider by their spacing, twice.
  const isSpace = next.glyphs?.[0]?.spaced === true;
  return gap < CELL_GAP * size + (isSpace && line.glyphs !== null ? spacingAfter(line.glyphs, line.size) : 0);
}

/** Segments of one direction in the order of reading. */
function inReadingOrder(segments: Segment[]): Segment[] {
  if (segments.length < 6 || segments.some((segment) => segment.vertical)) return segments;
  if (crossesColumns(segments)) return splitColumns(segments, 0);
  return isScrambled(segments) ? splitColumns(segments, 0) : segments;
}

/** Prose of two columns painted row by row: many baselines hold two long runs with a gap between. */
function crossesColumns(segments: Segment[]): boolean {
  let pairs = 0;
  let long = 0;
  for (let i = 0; i + 1 < segments.length; i++) {
    const left = segments[i]!;
    const right = segments[i + 1]!;
    if (left.text.length < 20) continue;
    long++;
    const sameRow = Math.abs(left.y - right.y) < 0.3 * left.size && right.x0 > left.x1;
    if (sameRow && right.text.length >= 20) pairs++;
  }
  return pairs >= 4 && pairs >= long * 0.25;
}

/** The painting order jumps upwards within a column again and again. */
function isScrambled(segments: Segment[]): boolean {
  let jumps = 0;
  for (let i = 0; i + 1 < segments.length; i++) {
    const above = segments[i]!;
    const below = segments[i + 1]!;
    const overlap = Math.min(above.x1, below.x1) - Math.max(above.x0, below.x0);
    if (overlap > 0 && below.y > above.y + above.size) jumps++;
  }
  return jumps >= 3 && jumps > segments.length * 0.12;
}

/**
 * Recursive cut: a gutter that no segment crosses splits into columns; where there is none, segments
 * as wide as most of the block (titles, captions) split it into bands; else rows from top to bottom.
 */
function splitColumns(segments: Segment[], depth: number): Segment[] {
  if (segments.length < 4 || depth > 12) return byRows(segments);
  const gutter = findGutter(segments);
  if (gutter !== null) {
    const columns = [
      segments.filter((segment) => segment.x1 <= gutter),
      segments.filter((segment) => segment.x1 > gutter),
    ];
    if (runsRightToLeft(segments.map((segment) => segment.text).join(" "))) columns.reverse();
    return columns.flatMap((column) => splitColumns(column, depth + 1));
  }
  const x0 = Math.min(...segments.map((segment) => segment.x0));
  const x1 = Math.max(...segments.map((segment) => segment.x1));
  const rows = byRows(segments);
  const bands: Segment[][] = [[]];
  let wide = false;
  for (const segment of rows) {
    const isWide = segment.x1 - segment.x0 > 0.6 * (x1 - x0);
    if (isWide !== wide && bands.at(-1)!.length > 0) bands.push([]);
    wide = isWide;
    bands.at(-1)!.push(segment);
  }
  if (bands.length === 1) return rows;
  return bands.flatMap((band) => (band.length === segments.length ? band : splitColumns(band, depth + 1)));
}

function byRows(segments: Segment[]): Segment[] {
  return [...segments].sort((a, b) => (Math.abs(a.y - b.y) > 0.3 * a.size ? b.y - a.y : a.x0 - b.x0));
}

/** A vertical strip of white with prose of several lines on both sides; null where there is none. */
function findGutter(segments: Segment[]): number | null {
  const spans = [...segments].sort((a, b) => a.x0 - b.x0);
  const size = spans[spans.length >> 1]!.size;
  let reach = spans[0]!.x1;
  let best: number | null = null;
  let bestWidth = 0.8 * size;
  for (let i = 1; i < spans.length; i++) {
    const gap = spans[i]!.x0 - reach;
    if (gap > bestWidth && isProse(spans.slice(0, i)) && isProse(spans.slice(i))) {
      bestWidth = gap;
      best = reach;
    }
    reach = Math.max(reach, spans[i]!.x1);
  }
  return best;
}

function isProse(segments: Segment[]): boolean {
  if (segments.length < 2) return false;
  return segments.reduce((sum, segment) => sum + segment.text.length, 0) / segments.length > 12;
}

/** Joins what stands on one baseline; cells of a row are parted by a tab. */
function joinRows(segments: Segment[]): Line[] {
  const out: Line[] = [];
  for (const segment of segments) {
    const last = out.at(-1);
    const isLevel =
      last !== undefined &&
      !segment.vertical &&
      !last.vertical &&
      Math.abs(last.y - segment.y) < 0.35 * Math.max(last.size, segment.size);
    const isAfter = isLevel && segment.x0 >= last.x1 - 0.3 * segment.size;
    const isBefore = isLevel && segment.x1 <= last.x0 + 0.3 * segment.size;
    const rightToLeft = isLevel && runsRightToLeft(`${last.text} ${segment.text}`);
    if (!isAfter && !(isBefore && rightToLeft)) {
      const { runs: _, glyphs: __, last: ___, ...line } = segment;
      out.push({ ...line, text: segment.text.trim() });
      continue;
    }
    const gap = isAfter ? segment.x0 - last.x1 : last.x0 - segment.x1;
    const glue = gap > CELL_GAP * Math.min(last.size, segment.size) ? "\t" : " ";
    const [first, second] = isAfter && rightToLeft ? [segment, last] : [last, segment];
    last.text = `${first.text.trim()}${glue}${second.text.trim()}`;
    last.x0 = Math.min(last.x0, segment.x0);
    last.x1 = Math.max(last.x1, segment.x1);
    last.size = Math.max(last.size, segment.size);
  }
  return out.filter((line) => line.text !== "");
}
