import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";
import { decodeJsonEscapes } from "./escapes.ts";

/**
 * JSON and JSON lines keep their text but for the escapes in strings, which hide words; where a record begins, a break
 * is noted. One pass over the characters with a depth counter: neither depth nor size of the document can hurt, and
 * what is not quite JSON is still text.
 */
export function parseJson(text: string, out: DocumentBuilder): void {
  const first = /\S/.exec(text)?.index ?? 0;
  const marks = writeRecords(text, recordStarts(text, first), out);
  if (marks.length > 1) out.regionAt(marks[0]!, out.length, null);
}

export function parseJsonLines(text: string, out: DocumentBuilder): void {
  const starts: number[] = [];
  for (let at = 0; at < text.length;) {
    starts.push(at);
    const end = text.indexOf("\n", at);
    at = end < 0 ? text.length : end + 1;
  }
  const marks = writeRecords(text, starts, out);
  out.regionAt(marks[0] ?? 0, out.length, null);
}

/** Writes the text with its escapes decoded and a break at each record; answers where the records came to lie. */
function writeRecords(text: string, starts: readonly number[], out: DocumentBuilder): number[] {
  const parts = [decodeJsonEscapes(text.slice(0, starts[0] ?? text.length))];
  const marks: number[] = [];
  let length = parts[0]!.length;
  starts.forEach((from, i) => {
    marks.push(length);
    const part = decodeJsonEscapes(text.slice(from, starts[i + 1] ?? text.length));
    parts.push(part);
    length += part.length;
  });
  const start = out.raw(parts.join(""));
  for (const at of marks) out.breakAt(start + at, BREAK.row);
  return marks.map((at) => start + at);
}

/**
 * Where the records of a document begin: the members of its top array, or of the arrays and objects
 * directly below its top object.
 */
function recordStarts(text: string, first: number): number[] {
  const deepest = text[first] === "[" ? 1 : 2;
  const starts: number[] = [];
  let depth = 0;
  let expectsMember = false;
  for (let i = first; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x20 || (unit >= 9 && unit <= 13)) continue;
    if (expectsMember && unit !== CLOSE_BRACKET && unit !== CLOSE_BRACE) {
      starts.push(i);
      expectsMember = false;
    }
    if (unit === QUOTE) {
      i = stringEnd(text, i);
    } else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      depth++;
      expectsMember = depth <= deepest;
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) {
      depth--;
      expectsMember = false;
    } else if (unit === COMMA) {
      expectsMember = depth > 0 && depth <= deepest;
    }
  }
  return starts;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function stringEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  return end;
}

/** Whether a text of unknown name is a JSON document: it begins like one, and its brackets close. */
export function looksLikeJson(text: string): boolean {
  const head = text.trimStart().slice(0, 2000);
  if (!/^(?:\{\s*(?:"|\})|\[\s*(?:[[{"\d\-tfn]|\]))/.test(head)) return false;
  return /[\]}]\s*$/.test(text.slice(-200));
}

export function looksLikeJsonLines(text: string): boolean {
  const lines = text
    .slice(0, 200_000)
    .split("\n")
    .slice(0, 20)
    .filter((line) => line.trim() !== "");
  if (lines.length < 2) return false;
  const whole = text.length > 200_000 ? lines.slice(0, -1) : lines;
  return whole.every((line) => {
    if (!/^\s*[{[]/.test(line)) return false;
    try {
      JSON.parse(line);
      return true;
    } catch {
      return false;
    }
  });
}
