/** What the parts of the analyzer share when they take a text apart into words. */

export const NON_ASCII = /[^\x00-\x7f]/;

/**
 * The first words of Latin letters, at most so many. `pattern` is sticky and says how far one reaches that begins in a
 * place; it is asked only where other letters than those of ASCII may belong to a word.
 */
export function latinWords(text: string, pattern: RegExp, most = Infinity): string[] {
  const words: string[] = [];
  for (let at = 0; at < text.length && words.length < most;) {
    let end = at;
    while (isAsciiLetter(text.charCodeAt(end))) end++;
    const next = text.charCodeAt(end);
    if (next > 127) {
      pattern.lastIndex = at;
      end = pattern.test(text) ? pattern.lastIndex : at;
    }
    if (end > at) words.push(text.slice(at, end));
    else end += isPair(text, at) ? 2 : 1;
    at = end;
  }
  return words;
}

function isAsciiLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Whether one character of two units stands here. */
export function isPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

/**
 * What is made of words, remembered, since words come again: all is forgotten where it is of more words than `most`.
 * Longer words than most are made of anew each time.
 */
export function remembered<T extends NonNullable<unknown> | null>(
  most: number,
  make: (word: string) => T,
): (word: string) => T {
  const known = new Map<string, T>();
  return (word) => {
    if (word.length > LONGEST_REMEMBERED) return make(word);
    const before = known.get(word);
    if (before !== undefined) return before;
    const own = copied(word);
    const made = make(own);
    if (known.size >= most) known.clear();
    known.set(own, made);
    return made;
  };
}

const LONGEST_REMEMBERED = 64; // UTF-16 units

/** A word that was cut out of a text keeps the whole text in memory. */
function copied(word: string): string {
  const encoding = NON_ASCII.test(word) ? "utf16le" : "latin1";
  return Buffer.from(word, encoding).toString(encoding);
}
