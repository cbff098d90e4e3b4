/**
 * Takes out of texts what is nobody else's business. What is known to be somebody's (paths, names of added models, of the
 * machine and the user) is replaced by a mark that is the same wherever it stands; what looks like a key, an address or a
 * quotation is taken out by its shape.
 */
export interface Scrub {
  /** Of a sentence. */
  text(text: string): string;
  /** In place of a whole word of somebody's. */
  mark(kind: string, text: string): string;
}

/** Characters of a mark: enough to tell two things apart in one archive, not enough to find out what they were. */
const MARK_CHARACTERS = 8;
/** Shorter ones are part of ordinary words. */
const LEAST_CHARACTERS = 3;

/** `salt`: of this archive alone, so that a mark cannot be looked up, nor compared with another archive's. */
export function createScrub(known: Readonly<Record<string, readonly string[]>>, salt: string): Scrub {
  const mark = (kind: string, text: string) => {
    const hash = new Bun.CryptoHasher("sha256").update(`${salt}\n${text}`).digest("hex");
    return `<${kind} ${hash.slice(0, MARK_CHARACTERS)}>`;
  };
  const words = Object.entries(known)
    .flatMap(([kind, texts]) => texts.map((text) => ({ kind, text })))
    .filter(({ text }) => text.length >= LEAST_CHARACTERS)
    // A path before the name that it ends with.
    .sort((a, b) => b.text.length - a.text.length);
  return {
    mark,
    text(text) {
      let clean = text;
      for (const { kind, text: word } of words) clean = clean.replaceAll(word, mark(kind, word));
      for (const [kind, shape] of SHAPES) clean = clean.replace(shape, (found) => mark(kind, found));
      return clean;
    },
  };
}

/** In this order: an address in quotes is an address, with whatever stands before its `@`. */
const SHAPES: readonly (readonly [kind: string, shape: RegExp])[] = [
  ["key", /\b(?:sk|pk|hf|pa)[-_][\w-]{8,}/g],
  ["key", /\bBearer\s+\S+/gi],
  ["address", /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi],
  ["mail", /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g],
  ["address", /\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?/g],
  ["id", /\b(?:file|vs|ten|key|resp|thread|msg|run|asst|conv|batch|upload|chunk|mig|eval)[-_][A-Za-z0-9]{8,}/g],
  ["quote", /"[^"\n]*"|'[^'\n]*'(?!\w)|“[^”\n]*”|‘[^’\n]*’/g],
  ["path", /(?<![\w<.])(?:\/[\w.@ +-]*[\w.@+-]){2,}\/?/g],
];
