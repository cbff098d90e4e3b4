/**
 * Finds the markers that a language model puts after statements, `[2]` say, while its text is still coming, and takes them
 * out. What may become a marker is held back, at most a few characters; everything that is none stays as it was written.
 */

export type Marked = { type: "text"; text: string } | { type: "citation"; numbers: number[] };

/** What may become a marker is never held back for longer than this. */
const LONGEST = 24;
/** `[1-3]` at most so many. */
const WIDEST = 5;
const SPACE = "[ \\u00a0]";
const LIST = "\\d{1,4}(?: ?[,;–-] ?\\^?\\d{1,4})*";
const ONE = `(?:\\[\\[(?:${LIST})\\]\\]|\\[\\^?(?:${LIST})\\]|【(?:${LIST})(?:†[^】\\n]*)?】)`;
/** Spaces, then one marker. */
const MARKER = new RegExp(`^(${SPACE}*)(${ONE})`, "u");
/** The beginning of a marker, as far as it has come. */
const BEGUN = new RegExp(
  `^${SPACE}*(?:\\[\\[?\\^?(?:\\d{1,4}(?: ?[,;–-] ?\\^?(?:\\d{1,4})?)*[ ]?)?\\]?|【(?:\\d{1,4}(?: ?[,;–-] ?(?:\\d{1,4})?)*(?:†[^】\\n]*)?)?)?$`,
  "u",
);
/** Where something may begin that is held back. */
const CANDIDATE = new RegExp(`${SPACE}{0,${LONGEST}}[\\[【]|${SPACE}{1,${LONGEST}}$|\`+`, "gu");

export class MarkerReader {
  readonly #isShown: (number: number) => boolean;
  #held = "";
  /** Length of the run of backticks that opened code; 0 outside of code. */
  #code = 0;
  /** The last character that was passed on. */
  #last = "";

  /** @param isShown whether a passage of this number was shown */
  constructor(isShown: (number: number) => boolean) {
    this.#isShown = isShown;
  }

  *take(text: string): Generator<Marked> {
    this.#held += text;
    yield* this.#read(false);
  }

  *end(): Generator<Marked> {
    yield* this.#read(true);
  }

  *#read(isEnd: boolean): Generator<Marked> {
    let plain = "";
    let at = 0;
    const give = function* (): Generator<Marked> {
      if (plain !== "") yield { type: "text", text: plain };
      plain = "";
    };
    for (;;) {
      CANDIDATE.lastIndex = at;
      const found = CANDIDATE.exec(this.#held);
      if (found === null) {
        plain += this.#passed(this.#held.slice(at));
        at = this.#held.length;
        break;
      }
      plain += this.#passed(this.#held.slice(at, found.index));
      at = found.index;
      if (found[0].startsWith("`")) {
        const end = at + found[0].length;
        // The run may go on.
        if (end === this.#held.length && !isEnd && found[0].length < LONGEST) break;
        plain += found[0];
        this.#tick(found[0].length);
        at = end;
        continue;
      }
      const next = this.#marker(at, isEnd);
      if (next === "wait") break;
      if (next === null) {
        plain += found[0];
        at += found[0].length;
        continue;
      }
      plain += next.spaces;
      yield* give();
      yield { type: "citation", numbers: next.numbers };
      at = next.end;
    }
    yield* give();
    this.#held = this.#held.slice(at);
  }

  /** The marker at this place; null where none is there, "wait" where it cannot be told yet. */
  #marker(at: number, isEnd: boolean): { numbers: number[]; spaces: string; end: number } | "wait" | null {
    const rest = this.#held.slice(at, at + 4 * LONGEST);
    const mayWait = !isEnd && this.#held.length - at <= LONGEST;
    const found = this.#code > 0 ? null : MARKER.exec(rest);
    if (found === null) return mayWait && this.#code === 0 && BEGUN.test(rest) ? "wait" : null;
    const [whole, spaces = "", marker = ""] = found;
    const numbers = numbersIn(marker);
    if (numbers === null || !numbers.every((number) => this.#isShown(number))) return null;
    const end = at + whole.length;
    const after = this.#held.slice(end);
    if (after === "" && !isEnd) return "wait";
    // A link, or a footnote.
    if (after.startsWith("(") && !marker.startsWith("【")) return null;
    if (after.startsWith(":") && marker.startsWith("[^")) return null;
    return { numbers, end, spaces: endsWord(after) ? "" : spaces };
  }

  #tick(length: number): void {
    if (this.#code === 0) this.#code = length;
    else if (length === this.#code || (this.#code >= 3 && length > this.#code)) this.#code = 0;
  }

  /** A code span ends with its paragraph, whether it was closed or not. */
  #passed(plain: string): string {
    if (this.#code > 0 && this.#code < 3 && `${this.#last}${plain}`.includes("\n\n")) this.#code = 0;
    this.#last = plain.at(-1) ?? this.#last;
    return plain;
  }
}

/** What stands before a marker as if there were none: a space, a stop, or nothing comes next. */
function endsWord(after: string): boolean {
  return after === "" || /^[\s.,;:!?…)\]}"'”’»。，、！？；：[【]/u.test(after);
}

/** Null for a range that is none, or too wide. */
function numbersIn(marker: string): number[] | null {
  const list = /\d[\d ,;–^-]*/u.exec(marker)?.[0] ?? "";
  const numbers: number[] = [];
  for (const part of list.split(/[,;]/)) {
    const [from = 0, to = from, ...more] = part.split(/[–-]/).map((number) => Number(number.replaceAll(/[ ^]/g, "")));
    if (more.length > 0 || to < from || to - from >= WIDEST) return null;
    for (let number = from; number <= to; number++) if (!numbers.includes(number)) numbers.push(number);
  }
  return numbers;
}
