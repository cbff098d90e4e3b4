/**
 * Text of documents, names, attributes and errors, safe to look at: control characters show as their pictures, characters
 * that turn the direction of writing or show as nothing as their number. What is seen is then what is there.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\uFFF9-\uFFFB]|\p{Cs}/gu;
/** Joiners that scripts and emoji are written with, and signs of Arabic, Syriac and Kaithi that are seen. */
const JOINERS = new Set([..."\u200C\u200D\u00AD\u0600\u0601\u0602\u0603\u0604\u0605\u06DD\u070F\u08E2\u{110BD}"]);

/** @param keepLines line ends and tabs stay, for texts of several lines */
export function visible(text: string, { keepLines = false }: { keepLines?: boolean } = {}): string {
  return text.replace(HIDDEN, (character) => {
    if (JOINERS.has(character)) return character;
    if (keepLines && (character === "\n" || character === "\t" || character === "\r")) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    // Flags of regions are written with tags.
    if (code >= 0xe0020 && code <= 0xe007f) return character;
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203A`;
  });
}

/** The address, if a link may lead there: nothing but the web. */
export function webAddress(text: unknown): URL | null {
  if (typeof text !== "string" || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return (url.protocol === "https:" || url.protocol === "http:") && url.username === "" ? url : null;
}
