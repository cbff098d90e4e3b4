import { isPair, NON_ASCII } from "./words.ts";

/**
 * The compounds of a text: runs of letters, marks and digits, and those that joints hold together (`well-known`,
 * `user@example.org`, `1,299`). Most are one word of ASCII with nothing at its end that could be a joint: these are found
 * by their characters, the others by a regular expression, which costs several times as much.
 */
export function eachCompound(text: string, visit: (compound: string, start: number) => void): void {
  const pattern = NON_ASCII.test(text) ? COMPOUND : ASCII_COMPOUND;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (kindOf(code) === OTHER) {
      at++;
      continue;
    }
    const end = plainEnd(text, at, code);
    if (end > at) {
      visit(text.slice(at, end), at);
      at = end;
      continue;
    }
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) {
      at += isPair(text, at) ? 2 : 1;
      continue;
    }
    visit(found, at);
    at += found.length;
  }
}

// Without lookbehind: such patterns are interpreted, ten times slower.
const COMPOUND =
  /(?:[\p{L}\p{M}\p{N}]+[._'’\-\u2010\u2011@&]+|[\p{L}\p{M}\p{N}]*\p{Nd},(?=\p{Nd}{3}(?!\p{Nd})))*[\p{L}\p{M}\p{N}]+(?:\+\+|#(?!\p{L}))?/uy;
/** The same for a text of ASCII, in half the time. */
const ASCII_COMPOUND =
  /(?:[A-Za-z0-9]+[._'\-@&]+|[A-Za-z0-9]*[0-9],(?=[0-9]{3}(?![0-9])))*[A-Za-z0-9]+(?:\+\+|#(?![A-Za-z]))?/y;

const OTHER = 0;
const LETTER = 1;
const CAPITAL = 2;
const DIGIT = 3;
const FOREIGN = 4;

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[a-z]/.test(character)) return LETTER;
  if (/[A-Z]/.test(character)) return CAPITAL;
  if (/[0-9]/.test(character)) return DIGIT;
  return OTHER;
});
const JOINTS = new Set(Array.from("._'-@&", (joint) => joint.charCodeAt(0)));
/** Ends of compounds: `C++`, `C#`. */
const ENDS = new Set(Array.from("+#", (end) => end.charCodeAt(0)));

function kindOf(code: number): number {
  if (code < 128) return KINDS[code] ?? OTHER;
  // The block of general punctuation has neither letters nor digits.
  return code >= 0x2000 && code < 0x2070 ? OTHER : FOREIGN;
}

/** Where a word ends that is all of its compound: a letter, small letters, and no joint; `at` where none begins. */
function plainEnd(text: string, at: number, code: number): number {
  const kind = kindOf(code);
  if (kind !== LETTER && kind !== CAPITAL) return at;
  let end = at + 1;
  while (end < text.length && kindOf(text.charCodeAt(end)) === LETTER) end++;
  if (end === text.length) return end;
  const next = text.charCodeAt(end);
  if (kindOf(next) !== OTHER || next > 127 || ENDS.has(next)) return at;
  if (!JOINTS.has(next)) return end;
  // A full stop before a blank, or at the end.
  const after = text.charCodeAt(end + 1);
  return end + 1 === text.length || after === SPACE || after === LINE_FEED ? end : at;
}
const SPACE = 0x20;
const LINE_FEED = 0x0a;
