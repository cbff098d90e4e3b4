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

/** A text that comes piece by piece, raised or not. It is looked at in pieces only, so that a long one costs no more. */
export class RaisedText {
  #text = "";
  /** Its last piece that is not empty. */
  #last = "";
  /** Raised characters behind a number, which may be an exponent; null for none. */
  #raised: string | null = null;

  get isEmpty(): boolean {
    return this.#last === "" && (this.#raised ?? "") === "";
  }

  say(text: string, isRaised: boolean): void {
    if (!isRaised) this.#settle();
    else if (this.#raised === null && raisedStart(this.#last) >= 0) this.#raised = "";
    if (this.#raised !== null) this.#raised += text;
    else this.#add(text);
  }

  /** The text so far, of which nothing is kept. */
  take(): string {
    this.#settle();
    const text = this.#text;
    this.#text = "";
    this.#last = "";
    return text;
  }

  #settle(): void {
    const raised = this.#raised;
    if (raised === null) return;
    this.#raised = null;
    this.#add(RAISED.test(raised) ? `^${raised}` : raised);
  }

  #add(text: string): void {
    this.#text += text;
    if (text !== "") this.#last = text;
  }
}
