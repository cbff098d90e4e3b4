/** What the parts of the analyzer share when they take a text apart into words. */

export const NON_ASCII = /[^\x00-\x7f]/;
const ASCII_WORD = /[A-Za-z]+/g;

/** Matches of a pattern of Latin words, which in a text of ASCII are runs of letters: found in half the time. */
export function latinWords(text: string, pattern: RegExp): RegExpStringIterator<RegExpExecArray> {
  return text.matchAll(NON_ASCII.test(text) ? pattern : ASCII_WORD);
}

/** What is made of words, remembered, since words come again: all is forgotten where it is of more words than `most`. */
export function remembered<T extends NonNullable<unknown> | null>(
  most: number,
  make: (word: string) => T,
): (word: string) => T {
  const known = new Map<string, T>();
  return (word) => {
    const before = known.get(word);
    if (before !== undefined) return before;
    const made = make(word);
    if (known.size >= most) known.clear();
    known.set(word, made);
    return made;
  };
}
