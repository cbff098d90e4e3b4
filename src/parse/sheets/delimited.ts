import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { BREAK } from "../document.ts";

/** CSV and its kin keep their text; records become rows of one table under the first record as header. */
export function parseDelimited(text: string, delimiter: string, out: DocumentBuilder): void {
  const start = out.raw(text);
  let header = "";
  let record = 0;
  // Spreadsheet programs write a line that names the delimiter before the header.
  for (let at = /^sep=.\n/.exec(text)?.[0].length ?? 0; at < text.length; record++) {
    const end = recordEnd(text, at, delimiter);
    out.breakAt(start + at, BREAK.row);
    if (record === 0) header = oneLine(text.slice(at, Math.min(end, at + 400)));
    at = end + 1;
  }
  out.regionAt(start, start + text.length, record > 1 ? header : null);
}

const QUOTE = 0x22;
const LINE_END = 0x0a;
/** A quoted field longer than this is a stray quote, not a field. */
const MAX_FIELD = 200_000;

/** Offset of the line end that closes the record: not one inside quotes. */
function recordEnd(text: string, start: number, delimiter: string): number {
  const separator = delimiter.charCodeAt(0);
  let atFieldStart = true;
  for (let i = start; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE && atFieldStart) {
      const close = closingQuote(text, i + 1);
      if (close > 0) i = close;
      atFieldStart = false;
    } else if (unit === LINE_END) {
      return i;
    } else {
      atFieldStart = unit === separator;
    }
  }
  return text.length;
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0 && at - from < MAX_FIELD; at = text.indexOf('"', at + 1)) {
    if (text.charCodeAt(at + 1) !== QUOTE) return at;
    at++;
  }
  return -1;
}

/** Delimiter that cuts the first lines into the same number of fields, or null where none does. */
export function guessDelimiter(text: string): string | null {
  const lines = text
    .slice(0, 20_000)
    .split("\n")
    .slice(0, 12)
    .filter((line) => line.trim() !== "");
  if (lines.length < 2) return null;
  for (const delimiter of ["\t", ";", ",", "|"]) {
    const counts = lines.map((line) => unquoted(line).split(delimiter).length);
    const [first] = counts;
    if (first !== undefined && first >= 2 && counts.slice(0, -1).every((count) => count === first)) return delimiter;
  }
  return null;
}

function unquoted(line: string): string {
  return line.replace(/"(?:[^"]|"")*"/g, "x");
}
