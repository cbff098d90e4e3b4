/** Raised characters behind a number make another number of it: 10⁶ is not 106. */
const RAISED = /^[-\u2212+]?(?:\d{1,3}|n|x|k)$/;

/** Where raised characters begin that may be an exponent, -1 where no number stands before them. */
export function raisedStart(before: string): number {
  const last = before.charCodeAt(before.length - 1);
  return last >= 0x30 && last <= 0x39 ? before.length : -1;
}

/** The text with the mark of an exponent before the characters that were raised from `at` on; `at` may be -1. */
export function markRaised(text: string, at: number): string {
  return at < 0 || !RAISED.test(text.slice(at)) ? text : `${text.slice(0, at)}^${text.slice(at)}`;
}

/** A text that comes piece by piece, raised or not. */
export class RaisedText {
  #text = "";
  #raisedAt = -1;

  say(text: string, isRaised: boolean): void {
    if (!isRaised) this.#settle();
    else if (this.#raisedAt < 0) this.#raisedAt = raisedStart(this.#text);
    this.#text += text;
  }

  /** The text so far, of which nothing is kept. */
  take(): string {
    this.#settle();
    const text = this.#text;
    this.#text = "";
    return text;
  }

  #settle(): void {
    this.#text = markRaised(this.#text, this.#raisedAt);
    this.#raisedAt = -1;
  }
}
