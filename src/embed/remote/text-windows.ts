/**
 * Texts for models whose tokenizer is not here: how many tokens they may have, and where to cut them. The estimate errs
 * to the high side; a provider that still finds a text too long refuses it, and it is cut further (remote-provider.ts).
 */

/** Long words and numbers are several tokens, short ones one; every other character is taken for one token. */
const LETTERS_PER_TOKEN = 4;

/** Tokens that a text has at most in the usual vocabularies, roughly. */
export function estimateTokens(text: string): number {
  let tokens = 2;
  let run = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const letter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57);
    if (letter) run++;
    else {
      tokens += Math.ceil(run / LETTERS_PER_TOKEN);
      run = 0;
      // A blank belongs to the word after it. A character outside the basic plane counts as two.
      if (c > 32) tokens++;
    }
  }
  return tokens + Math.ceil(run / LETTERS_PER_TOKEN);
}

/** As few pieces of about equal length as stay within `maxTokens` by the estimate; nothing is left out but blanks. */
export function splitText(text: string, maxTokens: number): string[] {
  const tokens = estimateTokens(text);
  if (tokens <= maxTokens) return [text];
  for (let count = Math.ceil(tokens / maxTokens); ; count++) {
    const pieces = cutText(text, count);
    if (count >= text.length || pieces.every((piece) => estimateTokens(piece) <= maxTokens)) return pieces;
  }
}

/** At most `count` pieces, cut at blanks where there are some near the even places, never within a character. */
export function cutText(text: string, count: number): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let i = 1; i < count; i++) {
    const cut = cutNear(text, Math.round((i * text.length) / count), start);
    if (cut > start) pieces.push(text.slice(start, cut));
    start = Math.max(start, cut);
  }
  pieces.push(text.slice(start));
  return pieces.filter((piece) => piece.trim() !== "");
}

const REACH = 200;

function cutNear(text: string, wanted: number, lowest: number): number {
  for (let i = wanted; i > Math.max(lowest, wanted - REACH); i--) if (/\s/.test(text[i - 1] ?? "")) return i;
  const unit = text.charCodeAt(wanted);
  return unit >= 0xdc00 && unit <= 0xdfff ? wanted + 1 : wanted;
}
