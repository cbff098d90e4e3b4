/**
 * Unicode normalisation that takes time in proportion to the text. `String.prototype.normalize` sorts each run of
 * combining marks by insertion, which is quadratic: a hundred thousand marks after one letter take eleven seconds. So no
 * run is longer than any language writes: what UAX 15 calls the stream-safe text format, with the marks beyond the bound
 * left out. Nothing else in the program calls `normalize`.
 */

/** Marks after a character that are kept. UAX 15 says 30; the most that a language is known to write are about ten. */
const MOST_MARKS = 32;

interface Runs {
  /** Rare enough that other texts are looked through once and left alone; short, because any mark may begin a run. */
  suspect: RegExp;
  /** As many as are kept, and some of those that follow: in bounded steps, for a regular expression remembers each. */
  kept: RegExp;
  more: RegExp;
}

const MARKS = runsOf(String.raw`\p{M}`);
/** Marks, and what is taken out from between them by whoever cleans the text before it is normalised. */
const MARKS_AND_UNSEEN = runsOf(String.raw`(?![\t\n\r])[\p{M}\p{Cc}\p{Cf}]`);

export function normalized(text: string, form: "NFC" | "NFD" | "NFKC" | "NFKD"): string {
  return streamSafe(text).normalize(form);
}

/** The text with at most {@link MOST_MARKS} combining marks after a character; itself where none has more. */
export function streamSafe(text: string): string {
  return MARKS.suspect.test(text) ? bounded(text, MARKS) : text;
}

/** For a library that takes out what is not seen before it normalises: counts that as marks. */
export function streamSafeWithin(text: string): string {
  return MARKS_AND_UNSEEN.suspect.test(text) ? bounded(text, MARKS_AND_UNSEEN) : text;
}

function runsOf(one: string): Runs {
  return {
    suspect: new RegExp(`(?:${one}){9}`, "u"),
    // One outside the basic plane counts once.
    kept: new RegExp(`(?:${one}){1,${MOST_MARKS}}`, "gu"),
    more: new RegExp(`(?:${one}){1,256}`, "uy"),
  };
}

function bounded(text: string, { kept, more }: Runs): string {
  let out = "";
  let from = 0;
  kept.lastIndex = 0;
  while (kept.test(text)) {
    const end = kept.lastIndex;
    more.lastIndex = end;
    let after = end;
    while (more.test(text)) after = more.lastIndex;
    if (after === end) continue;
    out += text.slice(from, end);
    from = after;
    kept.lastIndex = after;
  }
  return from === 0 ? text : out + text.slice(from);
}
