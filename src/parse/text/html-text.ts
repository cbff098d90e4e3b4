/** Anything but white space and characters without width, with which mail fills its previews. */
export const SHOWN = /[^\s\u00ad\u034f\u061c\u200b-\u200f\u2060\ufeff]/;

/** A block's text without what does not show: runs of blanks, blanks around line ends, soft hyphens. */
export function tidy(text: string): string {
  return text
    .replaceAll("\u00ad", "")
    .replace(/[ \t\u00a0]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
