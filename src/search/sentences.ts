/** A piece of a text: UTF-16 units, the end exclusive. */
export interface Span {
  start: number;
  end: number;
}

/** Characters of one sentence at most; a longer one (a list without stops, a table in one line) is cut at a space. */
const LONGEST = 600;

/**
 * The sentences of a text, in order, without the white space around them. A line of a table, of code or of a list is a
 * sentence of its own; the lines of running text are joined. Linear in the length of the text.
 */
export function sentencesOf(text: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  const take = (end: number) => {
    for (const span of shortened(text, trimmed(text, start, end))) spans.push(span);
    start = end;
  };
  for (const found of text.matchAll(STOP)) {
    const end = found.index + found[0].length;
    if (found[0][0] === "\n" ? endsLine(text, start, found.index, end) : endsSentence(text, found.index, end))
      take(end);
  }
  take(text.length);
  return spans;
}

const STOP = /[.!?…]+["'”’»)\]]*|[。！？]+[」』”’）]*|\n[^\S\n]*\n?/gu;
/** What a line begins with that stands for itself: lists, tables, headings, quotations, indented code. */
const LINE_START = /^(?:[-*+•|#>]|\d{1,3}[.)]\s|\t| {2})/;
const TABLE_LINE = /\t| \| |^\||\|$/;
const CODE_END = /[;{}]$/;
const CLOSED_BY_ITSELF = /[。！？]/u;
/** A stop after these ends no sentence. */
const ABBREVIATIONS = new Set(
  (
    "mr mrs ms dr prof sr jr st no nos vs etc e.g i.e approx fig figs eq sec cf al inc ltd co dept vol pp p " +
    "z.b bzw ca nr abs art str usw d.h u.a ggf evtl mme mlle m sra av núm pág p.ej ee.uu"
  ).split(" "),
);
/** Characters before a stop that are looked at. */
const LOOK_BACK = 24;

function endsSentence(text: string, at: number, end: number): boolean {
  if (CLOSED_BY_ITSELF.test(text[at] ?? "")) return true;
  const next = text[end];
  if (next === undefined) return true;
  if (!/\s/.test(next)) return false;
  if (text[at] !== ".") return true;
  const word = /[\p{L}\p{N}.]*$/u.exec(text.slice(Math.max(0, at - LOOK_BACK), at))?.[0].toLowerCase() ?? "";
  if (ABBREVIATIONS.has(word) || /^\p{L}$/u.test(word)) return false;
  // "in the 3. quarter" goes on, "in 2024. The" does not.
  const following = /^\s+["'“„«(]*(\S)/u.exec(text.slice(end, end + LOOK_BACK))?.[1];
  return following === undefined || !/\p{Ll}/u.test(following);
}

function endsLine(text: string, start: number, at: number, end: number): boolean {
  if (text.slice(at + 1, end).includes("\n")) return true;
  const line = text.slice(Math.max(start, text.lastIndexOf("\n", at - 1) + 1, at - LONGEST), at).trimEnd();
  const next = text.slice(end, end + LOOK_BACK);
  return (
    LINE_START.test(text.slice(at + 1, end + 3)) ||
    LINE_START.test(next) ||
    LINE_START.test(line) ||
    TABLE_LINE.test(line) ||
    CODE_END.test(line)
  );
}

function trimmed(text: string, start: number, end: number): Span {
  let [from, to] = [start, end];
  while (from < to && /\s/.test(text[from] ?? "")) from++;
  while (to > from && /\s/.test(text[to - 1] ?? "")) to--;
  return { start: from, end: to };
}

function shortened(text: string, { start, end }: Span): Span[] {
  const parts: Span[] = [];
  let from = start;
  while (end - from > LONGEST) {
    const space = text.slice(from, from + LONGEST + 1).lastIndexOf(" ");
    let to = from + (space > LONGEST / 2 ? space : LONGEST);
    if (/[\uDC00-\uDFFF]/.test(text[to] ?? "")) to -= 1;
    parts.push(trimmed(text, from, to));
    from = to;
  }
  const last = trimmed(text, from, end);
  if (last.end > last.start) parts.push(last);
  return parts;
}
