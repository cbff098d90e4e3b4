/**
 * Words that typesetting cut at the ends of lines are put together again, the line ending behind them. A hyphen that
 * belongs to its word stays: the text itself is asked which of both it is.
 */
const CUT =
  /(?<![\p{L}\p{N}_/.@-])(\p{L}{2,40})([-\u2010\u00ad])[ \t]?\n[ \t]*(\p{Ll}{2,40})(?![\p{L}\p{N}_@]|[-.]\p{L})([,.;:!?)\]"'”’]*)[ \t]*/gu;
const WORD = /\p{L}+(?:-\p{L}+)*/gu;

/** Words after which a hyphen stands for a part that is said later: "Vor- und Nachteile". */
const AFTER_SUSPENDED = new Set(
  "and or to und oder bis sowie et ou y o u e ed of en och eller og i lub a nebo и или".split(" "),
);
/** First parts of compounds that English writes with a hyphen. */
const FIRST_PARTS = new Set(
  (
    "well self ill all ex non half full high low long short near multi cross open closed real large small single double triple two three " +
    "four five six seven eight nine first second third many much more most less least best better state year month week hard soft"
  ).split(" "),
);
/** What is shorter is an ending rather than a word. */
const LEAST_WORD = 4;

/** The words of longer texts are too many to be kept. */
const MAX_LENGTH = 1 << 23;

export function joinHyphenated(text: string): string {
  if (text.length > MAX_LENGTH || !/\p{L}[-\u2010\u00ad][ \t]?\n/u.test(text)) return text;
  const words = new Set<string>();
  for (const [word] of text.replace(CUT, " ").matchAll(WORD)) words.add(word.toLowerCase());
  return text.replace(CUT, (found, left: string, hyphen: string, right: string, marks: string) => {
    if (hyphen === "\u00ad") return `${left}${right}${marks}\n`;
    if (AFTER_SUSPENDED.has(right)) return found;
    const joined = (left + right).toLowerCase();
    if (words.has(joined)) return `${left}${right}${marks}\n`;
    if (words.has(`${left}-${right}`.toLowerCase())) return `${left}-${right}${marks}\n`;
    // Two whole words, by the rest of the text or by what they are, were a compound before they were cut.
    const isWord = words.has(right) && words.has(left.toLowerCase());
    if (isWord || (FIRST_PARTS.has(left.toLowerCase()) && right.length >= LEAST_WORD)) return found;
    return `${left}${right}${marks}\n`;
  });
}
