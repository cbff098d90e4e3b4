/** Glyphs above or below the line: H₂O, m², 10⁵, a footnote's mark. */
interface Placed {
  y: number;
  size: number;
}

/** A script is smaller than this part of what it stands at, and this many ems off its line. */
const SMALLER = 0.86;
const OFF_LINE = 0.05;

export type Script = "raised" | "lowered" | "returned" | null;

/** How `next` stands to what was painted before it. */
export function scriptOf(before: Placed, next: Placed): Script {
  const shift = next.y - before.y;
  if (Math.abs(shift) < OFF_LINE * Math.max(before.size, next.size)) return null;
  if (next.size < SMALLER * before.size) return shift > 0 ? "raised" : "lowered";
  if (before.size < SMALLER * next.size) return "returned";
  // From the lower to the upper index of one letter, or back.
  return Math.abs(shift) > 0.4 * next.size ? (shift > 0 ? "raised" : "lowered") : null;
}

/**
 * What parts a script from the text before it: nothing, as in CO2 and m2, but where the digits would run into a
 * number (10^5) or into a word that they only mark (a footnote).
 */
export function scriptGlue(script: Script, before: string, next: string): string {
  if (script !== "raised" || !/^[-\u2212+]?\d/.test(next)) return "";
  if (/\d$/.test(before)) return "^";
  return /[\p{Ll}\p{Lo}\p{M}]{3}$/u.test(before) || /[.,;:!?)\]"”’]$/.test(before) ? " " : "";
}
