/**
 * Transcripts of a shell as documents show them, and whether a program still answers so.
 *
 *   $ lectern search handbook "refund" \      a command; a line that ends in `\` or `|` goes on
 *       --limit 1
 *   1. handbook/refunds.md  score 0.6         what it prints on standard output
 *   …                                         any number of lines, also none; inside a line: any text
 *
 * What differs from run to run need not be marked. An id stands for the id in its place, in later commands too; times,
 * durations, sizes and the commit stand for any; a number with a decimal point may be off by TOLERANCE.
 */
export interface Step {
  command: string;
  expected: string;
}

/** Scores and measures move a little when the ranking is improved. */
const TOLERANCE = 0.1;

export function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (!line.startsWith("$ ")) {
      const step = steps.at(-1);
      if (step === undefined) throw new Error(`a transcript begins with a command, not with ${line}`);
      step.expected += `${line}\n`;
      continue;
    }
    const command = [line.slice(2)];
    const heredoc = /<<'?(\w+)'?/.exec(line)?.[1];
    const goesOn = () =>
      heredoc === undefined ? /[\\|]$/.test(command.at(-1) ?? "") : command.at(-1) !== heredoc || command.length === 1;
    while (goesOn() && i + 1 < lines.length) command.push(lines[++i] ?? "");
    steps.push({ command: command.join("\n"), expected: "" });
  }
  return steps;
}

type Kind = "any" | "lines" | "id" | "decimal";
interface Piece {
  pattern: RegExp;
  /** Source of what it stands for. */
  means: string;
  kind: Kind;
}

/** What in a document's line stands for something else; the first that fits wins. */
const PIECES: readonly Piece[] = [
  { kind: "any", pattern: /sk-lec-\w+…?/y, means: String.raw`sk-lec-\w+` },
  { kind: "any", pattern: /…/y, means: ".*?" },
  { kind: "id", pattern: /\b[a-z]{2,8}[-_][A-Za-z0-9]{24}\b/y, means: String.raw`([a-z]{2,8}[-_][A-Za-z0-9]{24})` },
  { kind: "any", pattern: /\d{4}-\d\d-\d\dT[\d:.]+Z/y, means: String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z` },
  { kind: "any", pattern: /\b1\d{9}\b/y, means: String.raw`1\d{9}` },
  { kind: "any", pattern: /\b\d+:\d\d\b/y, means: String.raw`\d+:\d\d` },
  { kind: "any", pattern: /\b[\d.]+ (?:ms|s|kB|MB|GB)\b/y, means: String.raw`[\d.]+ (?:ms|s|kB|MB|GB)` },
  { kind: "any", pattern: /\b[0-9a-f]{12}\b\+?/y, means: String.raw`[0-9a-f]{12}\+?` },
  { kind: "any", pattern: /\bprocess \d+/y, means: String.raw`process \d+` },
  { kind: "decimal", pattern: /(?<![\w.])\d+\.\d+(?![\w.])/y, means: String.raw`(\d+(?:\.\d+)?)` },
];

/** Null where `actual` is what `expected` says; else what is wrong. Adds to `ids` which id stands for which. */
export function compare(expected: string, actual: string, ids: Map<string, string>): string | null {
  const shown: { kind: Kind; text: string }[] = [];
  const source = expected
    .trimEnd()
    .split("\n")
    .map((line) => (line === "…" ? "(?:.*\n)*?" : `${lineSource(line, shown)}\n`))
    .join("");
  const found = new RegExp(`^${source}$`).exec(`${trimLines(actual)}\n`);
  if (found === null) return `the document says\n${expected}\nand the program\n${actual}`;
  for (const [i, { kind, text }] of shown.entries()) {
    const value = found[i + 1] ?? "";
    if (kind === "decimal" && Math.abs(Number(value) - Number(text)) > TOLERANCE)
      return `the document says ${text} and the program ${value}, in\n${actual}`;
    if (kind !== "id") continue;
    const before = ids.get(text);
    if (before !== undefined && before !== value) return `${text} stood for ${before} before, and for ${value} now`;
    ids.set(text, value);
  }
  return null;
}

function lineSource(line: string, shown: { kind: Kind; text: string }[]): string {
  let source = "";
  const text = line.trimEnd();
  for (let at = 0; at < text.length;) {
    const piece = PIECES.find(({ pattern }) => {
      pattern.lastIndex = at;
      return pattern.test(text);
    });
    if (piece === undefined) {
      source += RegExp.escape(text[at] ?? "");
      at++;
      continue;
    }
    const end = piece.pattern.lastIndex;
    if (piece.kind === "id" || piece.kind === "decimal") shown.push({ kind: piece.kind, text: text.slice(at, end) });
    source += piece.means;
    at = end;
  }
  return source;
}

function trimLines(text: string): string {
  return text.trimEnd().replace(/[ \t]+$/gm, "");
}

/** The command with the ids of this run in the place of the document's. */
export function withIds(command: string, ids: ReadonlyMap<string, string>): string {
  return [...ids].reduce((text, [documented, actual]) => text.replaceAll(documented, actual), command);
}
