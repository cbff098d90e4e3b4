import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";
import { normalized } from "../../stream-safe.ts";

/** LaTeX and BibTeX: their text with accents and special characters as the characters that they stand for. */

const LEVELS: Record<string, number> = {
  part: 1,
  chapter: 1,
  section: 2,
  subsection: 3,
  subsubsection: 4,
  paragraph: 5,
};

/** LaTeX keeps its text; sections become headings, title and author metadata. */
export function parseTex(source: string, out: DocumentBuilder): void {
  const text = decodeTex(source);
  const start = out.raw(text);
  for (const match of text.matchAll(
    /\\(part|chapter|section|subsection|subsubsection|paragraph)\*?(?:\[[^\]]{0,1000}\])?\{([^{}\n]{1,300}(?:\{[^{}\n]*\}[^{}\n]*){0,5})\}/g,
  )) {
    out.breakAt(start + match.index, BREAK.section);
    out.headingAt(LEVELS[match[1]!] ?? 2, plainTex(match[2]!), start + match.index);
  }
  const title = /\\title(?:\[[^\]]{0,1000}\])?\{([^{}]{1,300}(?:\{[^{}]{0,300}\}[^{}]{0,300}){0,5})\}/.exec(text)?.[1];
  if (title !== undefined) out.title = plainTex(title);
  const author = /\\author(?:\[[^\]]{0,1000}\])?\{([^{}]{1,300}(?:\{[^{}]{0,300}\}[^{}]{0,300}){0,5})\}/.exec(
    text,
  )?.[1];
  if (author !== undefined) out.metadata["author"] = plainTex(author);
}

/** BibTeX: an entry is a record. Braces inside a word, which keep its capitals, are dropped. */
export function parseBib(source: string, out: DocumentBuilder): void {
  const text = decodeTex(source)
    .replace(/\{(\p{Lu}[\p{L}\p{N}]{0,40})\}/gu, "$1")
    .replace(/(?<=\p{L})\{(\p{L}{1,40})\}/gu, "$1");
  const start = out.raw(text);
  for (const match of text.matchAll(/^[ \t]*@\w+[ \t]*[{(]/gm)) out.breakAt(start + match.index, BREAK.row);
  out.regionAt(start, start + text.length, null);
}

function plainTex(text: string): string {
  return text
    .replace(/\\\\|~/g, " ")
    .replace(/\\[a-zA-Z]+\s?/g, "")
    .replace(/[{}$]/g, "")
    .trim();
}

/** Combining marks by accent command. */
const MARKS: Record<string, string> = {
  "`": "\u0300",
  "'": "\u0301",
  "^": "\u0302",
  "~": "\u0303",
  '"': "\u0308",
  "=": "\u0304",
  ".": "\u0307",
  u: "\u0306",
  v: "\u030c",
  H: "\u030b",
  c: "\u0327",
  k: "\u0328",
  r: "\u030a",
  d: "\u0323",
  b: "\u0331",
  h: "\u0309",
  G: "\u030f",
  U: "\u030e",
};

const LETTERS: Record<string, string> = {
  ss: "ß",
  SS: "ẞ",
  ae: "æ",
  AE: "Æ",
  oe: "œ",
  OE: "Œ",
  aa: "å",
  AA: "Å",
  o: "ø",
  O: "Ø",
  l: "ł",
  L: "Ł",
  i: "ı",
  j: "ȷ",
  dh: "ð",
  DH: "Ð",
  th: "þ",
  TH: "Þ",
  dj: "đ",
  DJ: "Đ",
  ng: "ŋ",
  NG: "Ŋ",
  S: "§",
  P: "¶",
  copyright: "©",
  pounds: "£",
  euro: "€",
  texteuro: "€",
  textdegree: "°",
  degree: "°",
  textmu: "µ",
  textpm: "±",
  texttimes: "×",
  textregistered: "®",
  texttrademark: "™",
  textquotedblleft: "“",
  textquotedblright: "”",
  textquoteleft: "‘",
  textquoteright: "’",
  textendash: "–",
  textemdash: "—",
  textunderscore: "_",
  textbackslash: "\\",
  textasciitilde: "~",
  guillemotleft: "«",
  guillemotright: "»",
  ldots: "…",
  dots: "…",
  textellipsis: "…",
};

const NAMES = Object.keys(LETTERS)
  .sort((a, b) => b.length - a.length)
  .join("|");
/** A letter, or an i or j without its dot, that an accent stands on. */
const BASE = String.raw`(?:\\([ij])(?![A-Za-z])\s?|(\p{L}))`;
const ESCAPE = new RegExp(
  [
    // Code is left alone, and so is a line break before a quote.
    String.raw`\\verb\*?([^\sa-zA-Z*])[^\n]{0,500}?\1`,
    String.raw`\\lstinline([^\sa-zA-Z{[])[^\n]{0,500}?\2`,
    String.raw`\\\\`,
    // {\"u} and \"{u} and \"u; letters as commands need a brace or a blank: \v{s}, \c c.
    String.raw`(\{)?\\(?:([${"`"}'^~"=.])\s*(?:\{\s*${BASE}\s*\}|${BASE})|([uvHckrdbhGU])(?:\s*\{\s*${BASE}\s*\}|[ \t]+${BASE}))(\})?`,
    String.raw`(\{)?\\(${NAMES})(?![A-Za-z])(?:\{\}|[ \t]+(?=\p{L}))?(\})?`,
    String.raw`\\([%&$#_{}])`,
    String.raw`\\-`,
  ].join("|"),
  "gu",
);

const CODE_START = /\\begin\{(verbatim|Verbatim|lstlisting|minted|alltt)\*?\}/g;

export function decodeTex(text: string): string {
  if (!text.includes("\\")) return text;
  let out = "";
  let done = 0;
  const unclosed = new Set<string>();
  for (const match of text.matchAll(CODE_START)) {
    const name = match[1]!;
    if (match.index < done || unclosed.has(name)) continue;
    const end = text.indexOf(`\\end{${name}`, match.index);
    if (end < 0) {
      unclosed.add(name);
      continue;
    }
    out += decodeProse(text.slice(done, match.index)) + text.slice(match.index, end);
    done = end;
  }
  return out + decodeProse(text.slice(done));
}

function decodeProse(text: string): string {
  return text.replace(ESCAPE, (found: string, ...groups: (string | undefined)[]) => {
    const [, , open, sign, i1, b1, i2, b2, letter, i3, b3, i4, b4, close, wordOpen, word, wordClose, plain] = groups;
    const mark = MARKS[sign ?? letter ?? ""];
    if (mark !== undefined) {
      const base = i1 ?? b1 ?? i2 ?? b2 ?? i3 ?? b3 ?? i4 ?? b4 ?? "";
      return unbraced(normalized(base + mark, "NFC"), open, close);
    }
    if (word !== undefined) return unbraced(LETTERS[word]!, wordOpen, wordClose);
    if (plain !== undefined) return plain;
    return found === "\\-" ? "" : found;
  });
}

/** Braces that only hold the character go; one of them alone belongs to something else. */
function unbraced(character: string, open: string | undefined, close: string | undefined): string {
  if (open !== undefined && close !== undefined) return character;
  return `${open ?? ""}${character}${close ?? ""}`;
}
