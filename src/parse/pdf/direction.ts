/**
 * The order in which a line's runs are read, from where they stand on the page. Within a run pdf.js has put the letters
 * in order; the runs of right-to-left text may have been painted in either direction, some programs paint every letter
 * as a run of its own.
 */
export interface Run {
  text: string;
  x0: number;
  x1: number;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
const RIGHT_TO_LEFT_LETTERS = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/g;
const LEFT_TO_RIGHT_LETTERS = /[A-Za-z\u00c0-\u058f\u0900-\u1fff]/g;
const NUMBER_OR_LETTER = /[\p{L}\p{N}]/u;

export function isRightToLeft(text: string): boolean {
  return RIGHT_TO_LEFT.test(text);
}

/** Whether a text is read from the right as a whole. */
export function runsRightToLeft(text: string): boolean {
  if (!isRightToLeft(text)) return false;
  const count = (letters: RegExp) => text.match(letters)?.length ?? 0;
  return count(RIGHT_TO_LEFT_LETTERS) >= count(LEFT_TO_RIGHT_LETTERS);
}

type Direction = "right" | "left" | null;

/** Runs of one line in any order -> its text. Runs further apart than `wordGap` are words. */
export function logicalText(runs: readonly Run[], wordGap: number): string {
  const visual = runs.toSorted((a, b) => a.x0 - b.x0 || a.x1 - b.x1);
  const parts: Run[] = [];
  for (const run of visual) {
    const before = parts.at(-1);
    const isApart = before !== undefined && run.x0 - before.x1 > wordGap;
    if (isApart && !before.text.endsWith(" ") && !run.text.startsWith(" "))
      parts.push({ text: " ", x0: before.x1, x1: run.x0 });
    parts.push(run);
  }
  const base: Direction = runsRightToLeft(parts.map((part) => part.text).join("")) ? "right" : "left";
  const directions = resolve(parts.map(directionOf), base);
  const order = base === "right" ? parts.map((_, i) => parts.length - 1 - i) : parts.map((_, i) => i);
  // Stretches against the line's direction are read the other way.
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    if (directions[order[from] ?? 0] !== base) {
      while (to < order.length && directions[order[to] ?? 0] !== base) to++;
      order.splice(from, to - from, ...order.slice(from, to).reverse());
    }
    from = to;
  }
  return order
    .map((i) => parts[i]?.text ?? "")
    .join("")
    .replace(/ {2,}/g, " ");
}

function directionOf({ text }: Run): Direction {
  if (isRightToLeft(text)) return "right";
  return NUMBER_OR_LETTER.test(text) ? "left" : null;
}

/** Spaces and marks go with what stands on both of their sides, else with the line. */
function resolve(directions: readonly Direction[], base: Direction): Direction[] {
  return directions.map((direction, i) => {
    if (direction !== null) return direction;
    const before = directions.slice(0, i).findLast((other) => other !== null);
    const after = directions.slice(i + 1).find((other) => other !== null);
    return before === after && before !== undefined ? before : base;
  });
}
