import { CutFinder } from "./cuts.ts";
import type { Heading, ParsedDocument } from "../parse/document.ts";
import { graphemeFloor } from "./graphemes.ts";
import { countTokens, PieceCursor } from "./tokens.ts";

/**
 * Text -> chunks. Invariants, for every document and strategy:
 * - a chunk holds at most maxTokens cl100k_base tokens and consecutive ones share at most overlapTokens;
 * - every character that is not white space is in a chunk; chunk.text is text[start, end) in code points;
 * - the same document and strategy always give the same chunks;
 * - the work is linear in the text, whatever it consists of.
 */

export interface Chunk {
  index: number;
  text: string;
  /** cl100k_base tokens of `text`. */
  tokens: number;
  /** Unicode code points into the document's text, end exclusive. */
  start: number;
  end: number;
  /** 1-based page of the first and last character; null where the format has no pages. */
  page: number | null;
  pageEnd: number | null;
  /** 1-based line of the document's text of the first and last character; null where it has pages. */
  line: number | null;
  lineEnd: number | null;
  /** Headings in force at its start, outermost first; below a table's header row, that row too. */
  heading: string[];
}

export interface ChunkStrategy {
  maxTokens: number;
  overlapTokens: number;
}

export function chunkDocument(doc: ParsedDocument, strategy: ChunkStrategy): Chunk[] {
  const { text } = doc;
  const finder = new CutFinder(doc);
  const place = new PlaceTracker(doc);
  const chunks: Chunk[] = [];
  let start = skipSpace(text, 0);
  let previousEnd = 0;
  let measure: Measure | null = null;
  while (start < text.length) {
    finder.advance(start);
    measure = new Measure(text, start, strategy.maxTokens, measure);
    const cut = chooseEnd(text, start, previousEnd, measure, finder, strategy);
    const sized = fit(text, start, cut, measure, strategy.maxTokens);
    if (sized.end <= previousEnd) {
      // Nothing new fits behind the overlap (one overlong word): go on without it.
      start = skipSpace(text, previousEnd);
      continue;
    }
    chunks.push(place.chunk(chunks.length, start, sized.end, sized.tokens, finder));
    if (skipSpace(text, sized.end) >= text.length) break;
    const next = chooseStart(text, start, sized, measure, finder, strategy);
    previousEnd = sized.end;
    start = skipSpace(text, next);
  }
  return chunks;
}

/** Token counts at the pieces' ends from a chunk's start up to the first piece that does not fit. */
class Measure {
  readonly ends: number[] = [];
  readonly counts: number[] = [];
  /** Whether the text ends before the limit is reached. */
  readonly complete: boolean;
  readonly nextTokens: number;
  readonly nextEnd: number;
  /** Whether parts of an overlong word were met: a shorter text may then be split differently. */
  readonly hasParts: boolean;
  readonly #start: number;

  /** `before` is the measure of the chunk before, whose pieces are taken over where they overlap. */
  constructor(text: string, start: number, maxTokens: number, before: Measure | null) {
    this.#start = start;
    let cursor = new PieceCursor(text, start);
    let total = 0;
    let nextTokens = 0;
    let nextEnd = text.length;
    let complete = true;
    let hasParts = false;
    const reusable = before === null || before.hasParts || start >= before.limit ? null : before;
    let joined = false;
    while (cursor.next()) {
      hasParts ||= cursor.isPart;
      if (total + cursor.tokens > maxTokens) {
        complete = false;
        nextTokens = cursor.tokens;
        nextEnd = cursor.end;
        break;
      }
      total += cursor.tokens;
      this.ends.push(cursor.end);
      this.counts.push(total);
      if (reusable !== null && !joined && !hasParts && cursor.end < reusable.limit) {
        const at = lowerBound(reusable.ends, cursor.end);
        if (reusable.ends[at] !== cursor.end) continue;
        joined = true;
        total = this.#takeOver(reusable, at, total, maxTokens);
        cursor = new PieceCursor(text, this.limit);
      }
    }
    this.complete = complete;
    this.hasParts = hasParts;
    this.nextTokens = nextTokens;
    this.nextEnd = nextEnd;
  }

  /** From where two measures have a piece's end in common, their pieces are the same. */
  #takeOver(before: Measure, from: number, counted: number, maxTokens: number): number {
    const shift = counted - before.counts[from]!;
    let total = counted;
    for (let i = from + 1; i < before.ends.length && before.counts[i]! + shift <= maxTokens; i++) {
      total = before.counts[i]! + shift;
      this.ends.push(before.ends[i]!);
      this.counts.push(total);
    }
    return total;
  }

  get limit(): number {
    return this.ends.at(-1) ?? this.#start;
  }

  get tokens(): number {
    return this.counts.at(-1) ?? 0;
  }

  /** Tokens up to an offset, a piece that it cuts counted in full. */
  tokensAt(offset: number): number {
    if (offset <= this.#start) return 0;
    return this.counts[lowerBound(this.ends, offset)] ?? this.tokens;
  }

  /** First piece end with at least so many tokens before it. */
  offsetOf(tokens: number): number {
    return this.ends[lowerBound(this.counts, tokens)] ?? this.limit;
  }
}

function chooseEnd(
  text: string,
  start: number,
  previousEnd: number,
  measure: Measure,
  finder: CutFinder,
  { maxTokens, overlapTokens }: ChunkStrategy,
): number {
  if (measure.complete) return text.length;
  const room = maxTokens - measure.tokens;
  if (measure.nextTokens > 16 && room > maxTokens / 8) {
    return cutInside(text, measure.limit, measure.nextEnd, room, start);
  }
  const { limit } = measure;
  if (finder.regionAround(limit) !== null) {
    const row = finder.lastRow(Math.max(start, previousEnd), limit);
    if (row >= 0) return row;
  }
  const atLeast = Math.min(maxTokens, Math.max(maxTokens / 2, overlapTokens + maxTokens / 8));
  const low = Math.max(measure.offsetOf(atLeast), skipSpace(text, previousEnd) + 1);
  if (low >= limit) return graphemeFloor(text, limit, start);
  return finder.best(low, limit, (offset) => 1 - measure.tokensAt(offset) / maxTokens, "high");
}

/** Longest prefix of a piece that fits: for words that are longer than a chunk. */
function cutInside(text: string, from: number, to: number, room: number, start: number): number {
  let low = 0;
  let high = to - from;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (countTokens(text.slice(from, from + middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return graphemeFloor(text, from + low, start);
}

/** Trims white space and makes sure of the limit; the count is that of the trimmed text. */
function fit(
  text: string,
  start: number,
  cut: number,
  measure: Measure,
  maxTokens: number,
): { end: number; tokens: number } {
  let end = trimEnd(text, start, cut);
  let tokens = recount(text, start, end, measure);
  while (tokens > maxTokens) {
    const shorter = start + Math.floor(((end - start) * maxTokens) / (tokens + 1));
    const next = graphemeFloor(text, Math.max(start + 1, Math.min(shorter, end - 1)), start);
    if (next >= end) break;
    end = trimEnd(text, start, next);
    tokens = countTokens(text.slice(start, end));
  }
  return { end, tokens };
}

function recount(text: string, start: number, end: number, measure: Measure): number {
  const at = lowerBound(measure.ends, end);
  const covered = measure.ends[at] === end ? at : at - 1;
  const from = covered < 0 ? start : measure.ends[covered]!;
  const before = covered < 0 ? 0 : measure.counts[covered]!;
  if (measure.hasParts) return countTokens(text.slice(start, end));
  return before + countTokens(text.slice(from, end));
}

function chooseStart(
  text: string,
  start: number,
  chunk: { end: number; tokens: number },
  measure: Measure,
  finder: CutFinder,
  { overlapTokens }: ChunkStrategy,
): number {
  const { end } = chunk;
  const measured = measure.tokensAt(end);
  // A text that starts inside a piece may have a token more than the pieces say, hence the retries.
  for (let overlap = overlapTokens; overlap > 0; overlap -= 1 + (overlap >> 3)) {
    const target = measured - overlap;
    const low = Math.max(measure.offsetOf(target), start + 1);
    if (low >= end) return end;
    const next = startBetween(text, low, end, target, overlap, measure, finder);
    if (next <= start || next >= end) return end;
    if (sharedTokens(text, next, end, measure, chunk.tokens) <= overlapTokens) return next;
  }
  return end;
}

function startBetween(
  text: string,
  low: number,
  end: number,
  target: number,
  overlap: number,
  measure: Measure,
  finder: CutFinder,
): number {
  if (finder.regionAround(end) !== null || finder.regionAround(low) !== null) {
    const row = finder.firstRow(low, end);
    return row >= 0 ? row : end;
  }
  const high = Math.min(Math.max(low, measure.offsetOf(target + overlap / 2)), end);
  const cost = (offset: number): number => (measure.tokensAt(offset) - target) / overlap;
  return skipSpace(text, finder.best(low, high, cost, "low"));
}

/** Tokens of text[from, end), counted only up to where the pieces fall together again. */
function sharedTokens(text: string, from: number, end: number, measure: Measure, tokens: number): number {
  if (measure.hasParts) return countTokens(text.slice(from, end));
  const cursor = new PieceCursor(text, from);
  let counted = 0;
  while (cursor.end < end && cursor.next()) {
    counted += cursor.tokens;
    const at = lowerBound(measure.ends, cursor.end);
    if (measure.ends[at] === cursor.end && cursor.end < end) return counted + tokens - measure.counts[at]!;
  }
  return counted;
}

/** Pages or lines, headings and code point offsets for chunks in ascending order of start and of end. */
class PlaceTracker {
  readonly #doc: ParsedDocument;
  readonly #starts: CodePointCounter;
  readonly #ends: CodePointCounter;
  readonly #startLines: LineCounter;
  readonly #endLines: LineCounter;
  readonly #open: Heading[] = [];
  #headingAt = 0;
  #pageAt = 0;

  constructor(doc: ParsedDocument) {
    this.#doc = doc;
    this.#starts = new CodePointCounter(doc.text);
    this.#ends = new CodePointCounter(doc.text);
    this.#startLines = new LineCounter(doc.text);
    this.#endLines = new LineCounter(doc.text);
  }

  chunk(index: number, start: number, end: number, tokens: number, finder: CutFinder): Chunk {
    const { text } = this.#doc;
    const [page, pageEnd] = this.#pagesOf(start, end);
    return {
      index,
      text: text.slice(start, end),
      tokens,
      start: this.#starts.at(start),
      end: this.#ends.at(end),
      page,
      pageEnd,
      line: page === null ? this.#startLines.at(start) : null,
      lineEnd: page === null ? this.#endLines.at(end - 1) : null,
      heading: this.#headingsAt(start, finder),
    };
  }

  #headingsAt(start: number, finder: CutFinder): string[] {
    const { headings } = this.#doc;
    for (; this.#headingAt < headings.length; this.#headingAt++) {
      const heading = headings[this.#headingAt]!;
      if (heading.start > start) break;
      while ((this.#open.at(-1)?.level ?? 0) >= heading.level) this.#open.pop();
      this.#open.push(heading);
    }
    const path = this.#open.map((heading) => heading.text);
    const header = finder.regionAround(start)?.header ?? null;
    if (header !== null) path.push(header);
    return path;
  }

  #pagesOf(start: number, end: number): [number | null, number | null] {
    const { pages } = this.#doc;
    if (pages === null || pages.length === 0) return [null, null];
    while (this.#pageAt + 1 < pages.length && pages[this.#pageAt + 1]!.start <= start) this.#pageAt++;
    let last = this.#pageAt;
    while (last + 1 < pages.length && pages[last + 1]!.start < end) last++;
    return [pages[this.#pageAt]!.number, pages[last]!.number];
  }
}

class CodePointCounter {
  readonly #text: string;
  #offset = 0;
  #points = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Code points before an offset, which must not be smaller than the one asked before. */
  at(offset: number): number {
    let pairs = 0;
    for (let i = this.#offset; i < offset; i++) {
      if ((this.#text.charCodeAt(i) & 0xfc00) === 0xdc00) pairs++;
    }
    this.#points += offset - this.#offset - pairs;
    this.#offset = offset;
    return this.#points;
  }
}

class LineCounter {
  readonly #text: string;
  #line = 1;
  #nextEnd: number;

  constructor(text: string) {
    this.#text = text;
    this.#nextEnd = text.indexOf("\n");
  }

  /** 1-based line of an offset, which must not be smaller than the one asked before. */
  at(offset: number): number {
    while (this.#nextEnd >= 0 && this.#nextEnd < offset) {
      this.#line++;
      this.#nextEnd = this.#text.indexOf("\n", this.#nextEnd + 1);
    }
    return this.#line;
  }
}

function lowerBound(ascending: number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSpace(unit: number): boolean {
  return (
    (unit >= 9 && unit <= 13) ||
    unit === 32 ||
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000 ||
    unit === 0xfeff
  );
}

const MARK = /^\p{M}/u;

function skipSpace(text: string, offset: number): number {
  let at = offset;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  // A mark after a space belongs to it.
  return at > offset && at < text.length && MARK.test(text.slice(at, at + 2)) ? at - 1 : at;
}

function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start + 1 && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}
