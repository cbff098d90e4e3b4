import type { Glyph } from "./painted.ts";

/**
 * Letter-spaced text: C H A P T E R  O N E is two words. Told by the gaps between its glyphs, which are all alike and
 * wider than those of ordinary text, where the gaps within words are next to nothing; or, where every glyph has been
 * given as much room as any other, by what lies between their beginnings.
 */

/** Ems; narrower gaps are nobody's spaces, wider ones part words whatever is around them. */
const LEAST_GAP = 0.1;
const MOST_GAP = 0.85;
const WORD_GAP = 2.4;
/** Kerning makes gaps differ by so much. */
const TOLERANCE = 0.08;
/** Gaps that show that letters are spaced. */
const LEAST_GAPS = 3;
const LEAST_LETTERS = 0.6;

/** `text` with the words of letter-spaced stretches joined; `size` is the line's. */
export function joinSpacedLetters(text: string, glyphs: readonly Glyph[], size: number): string {
  if (glyphs.length <= LEAST_GAPS || !text.includes(" ")) return text;
  const apart = separations(text, glyphs);
  if (apart === null) return text;
  const gaps = glyphs.map((glyph, i) => (i === 0 ? 0 : (glyph.x0 - glyphs[i - 1]!.x1) / size));
  let changed = false;
  for (let from = 0; from < glyphs.length;) {
    let to = from + 1;
    while (to < glyphs.length && gaps[to]! >= LEAST_GAP && gaps[to]! <= WORD_GAP) to++;
    const track = trackOf(glyphs.slice(from, to), gaps.slice(from + 1, to));
    // A word before or after it that is not letter-spaced has to be further away than its letters are.
    const isClear = (inner: number, outer: number) =>
      isWordGap(glyphs[inner]!, gaps[inner]!, track ?? 0) || isEven(glyphs, [inner, outer], size);
    if (track !== null && (from === 0 || isClear(from + 1, from)) && (to === glyphs.length || isClear(to - 1, to))) {
      for (let i = from + 1; i < to; i++) apart[i] = isWordGap(glyphs[i]!, gaps[i]!, track);
      changed = true;
    }
    from = to;
  }
  for (let i = 1; i < glyphs.length; i++) {
    if (apart[i] !== true || !keepsPitch(glyphs, apart, { at: i, size })) continue;
    apart[i] = false;
    changed = true;
  }
  if (!changed) return text;
  return glyphs.map((glyph, i) => (i > 0 && apart[i] === true ? " " : "") + glyph.text).join("");
}

/** How much wider than others a gap between words may be that follows these glyphs, in the glyphs' unit. */
export function spacingAfter(glyphs: readonly Glyph[], size: number): number {
  const [before, last] = glyphs.slice(-2);
  if (before === undefined || last === undefined || last.spaced) return 0;
  const gap = last.x0 - before.x1;
  return gap >= LEAST_GAP * size && gap <= MOST_GAP * size ? 2 * gap : 0;
}

/** The gap within the words of a stretch of glyphs; null where it is not letter-spaced. */
function trackOf(glyphs: readonly Glyph[], gaps: readonly number[]): number | null {
  if (gaps.length < LEAST_GAPS) return null;
  const within = gaps.filter((gap, i) => glyphs[i + 1]!.spaced === false && gap <= MOST_GAP).toSorted((a, b) => a - b);
  if (within.length < LEAST_GAPS) return null;
  const track = within[(within.length - 1) >> 1]!;
  const letters = glyphs.filter((glyph) => /^\p{L}/u.test(glyph.text));
  if (letters.length < LEAST_LETTERS * glyphs.length || isAlphabet(letters)) return null;
  if (glyphs.some((glyph) => /^\p{S}/u.test(glyph.text))) return null;
  const alike = (gap: number) => Math.abs(gap - track) <= Math.max(TOLERANCE, track / 4);
  const regular = gaps.filter((gap, i) => alike(gap) && !glyphs[i + 1]!.spaced).length;
  const fits = gaps.every((gap, i) => alike(gap) || isWordGap(glyphs[i + 1]!, gap, track));
  return fits && regular >= LEAST_GAPS && regular >= gaps.length / 2 ? track : null;
}

/** Pairs on either side that are looked at, how many have to be there, and how many must not follow from their widths. */
const PAIRS = 4;
const LEAST_PAIRS = 3;
const LEAST_UNEVEN = 2;
/** Ems. */
const PITCH_TOLERANCE = 0.04;

/** Whether a letter follows the one before it at the distance of all its neighbours, wide and narrow ones alike. */
function keepsPitch(
  glyphs: readonly Glyph[],
  apart: readonly boolean[],
  { at, size }: { at: number; size: number },
): boolean {
  const [before, glyph] = [glyphs[at - 1]!, glyphs[at]!];
  if (glyph.spaced || !/\p{L}$/u.test(before.text) || !/^\p{L}/u.test(glyph.text)) return false;
  const pitch = glyph.x0 - before.x0;
  const tolerance = PITCH_TOLERANCE * size;
  let pairs = 0;
  let uneven = 0;
  for (let i = Math.max(1, at - PAIRS); i <= Math.min(glyphs.length - 1, at + PAIRS); i++) {
    if (i === at || glyphs[i]!.spaced) continue;
    if (Math.abs(glyphs[i]!.x0 - glyphs[i - 1]!.x0 - pitch) > tolerance) {
      if (apart[i] === false) return false;
      continue;
    }
    if (apart[i] === false) pairs += 1;
    if (Math.abs(glyphs[i]!.x0 - glyphs[i - 1]!.x1) >= tolerance) uneven += 1;
  }
  return pairs >= LEAST_PAIRS && uneven >= LEAST_UNEVEN;
}

/** Whether two glyphs stand equally far from those before them. */
function isEven(glyphs: readonly Glyph[], [one, other]: [number, number], size: number): boolean {
  const step = (i: number) => glyphs[i]!.x0 - glyphs[i - 1]!.x0;
  return Math.abs(step(one) - step(other)) <= PITCH_TOLERANCE * size;
}

function isWordGap(glyph: Glyph, gap: number, track: number): boolean {
  return glyph.spaced || gap > 1.5 * track + LEAST_GAP;
}

/** A B C D: names of columns, answers or panels. */
function isAlphabet(letters: readonly Glyph[]): boolean {
  return letters.every(({ text }, i) => i === 0 || text.codePointAt(0) === letters[i - 1]!.text.codePointAt(0)! + 1);
}

/** Whether each glyph is parted from the one before it in the text; null where they do not belong together. */
function separations(text: string, glyphs: readonly Glyph[]): boolean[] | null {
  const out: boolean[] = [];
  let at = 0;
  for (const glyph of glyphs) {
    const before = at;
    while (text[at] === " ") at++;
    out.push(at > before);
    if (!text.startsWith(glyph.text, at)) return null;
    at += glyph.text.length;
  }
  return text.slice(at).trim() === "" ? out : null;
}
