/** Where sentences and lines begin, for cutting windows: quick and good enough, not a linguist's answer. */

const OTHER = 0;
const BLANK = 1;
const NEWLINE = 2;
/** . ! ? end a sentence before a blank, closing quotes and brackets between allowed; the full-width ones anywhere. */
const ENDER = 3;
const WIDE_ENDER = 4;
const CLOSER = 5;
const KINDS = kinds();

const WITHIN = 0;
const AFTER_ENDER = 1;
const ENDED = 2;

/** Offsets into `text` (UTF-16 units) at which a sentence or a line begins, rising, 0 not included. */
export function sentenceStarts(text: string): number[] {
  const starts: number[] = [];
  let state = WITHIN;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const kind = KINDS[c];
    if (kind === BLANK || kind === NEWLINE) {
      // Blanks before a sentence belong to the one before it.
      if (kind === NEWLINE || state === AFTER_ENDER) state = ENDED;
      continue;
    }
    if (state === ENDED && i > 0) starts.push(i);
    if (kind === ENDER) state = AFTER_ENDER;
    else if (kind === WIDE_ENDER) state = ENDED;
    else if (state !== AFTER_ENDER || kind !== CLOSER) state = WITHIN;
  }
  return starts;
}

/** What each UTF-16 unit means here. */
function kinds(): Uint8Array {
  const table = new Uint8Array(65_536).fill(OTHER);
  const mark = (characters: string, kind: number): void => {
    for (const char of characters) table[char.charCodeAt(0)] = kind;
  };
  mark("\t\r ", BLANK);
  mark("\n", NEWLINE);
  mark(".!?", ENDER);
  mark("。！？।؟", WIDE_ENDER);
  mark("\"')]”’»", CLOSER);
  return table;
}
