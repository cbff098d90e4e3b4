/**
 * Writes lines to a stream, several at once where they come fast: a write to a pipe costs some 50 microseconds, as much as
 * all else that a request's line costs. A line that comes alone is written at once; what follows it within the pause
 * waits for its end, or for an urgent line, so that order is kept and nothing waits longer.
 */
const PAUSE_MS = 20;

export class LineWriter implements Disposable {
  readonly #write: (text: string) => void;
  #waiting = "";
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** `urgent` lines, and all after `dispose`, are written before this returns. */
  line(text: string, urgent: boolean): void {
    if (this.#timer !== null && !urgent && !this.#isClosed) {
      this.#waiting += text;
      return;
    }
    const all = this.#waiting + text;
    this.#waiting = "";
    this.#write(all);
    if (!this.#isClosed) this.#timer ??= setTimeout(() => this.#pauseEnds(), PAUSE_MS);
  }

  /** Writes what waits. */
  flush(): void {
    const all = this.#waiting;
    this.#waiting = "";
    if (all !== "") this.#write(all);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.flush();
  }

  #pauseEnds(): void {
    // After a group more is likely to follow.
    this.#timer = this.#waiting === "" ? null : setTimeout(() => this.#pauseEnds(), PAUSE_MS);
    this.flush();
  }
}
