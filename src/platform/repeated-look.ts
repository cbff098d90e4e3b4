export interface LookTimes {
  /** From the end of one look to the next. ms */
  readonly everyMs: number;
  /** The same after one that failed. ms */
  readonly failedMs: number;
}

/** Something that is looked at again and again, one look at a time. It keeps no process alive. */
export class RepeatedLook implements AsyncDisposable {
  readonly #look: () => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  readonly #times: LookTimes;
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #isEnded = false;

  constructor(look: () => Promise<void>, times: LookTimes, onFailure: (error: unknown) => void) {
    this.#look = look;
    this.#times = times;
    this.#onFailure = onFailure;
  }

  start(): void {
    this.#after(this.#times.everyMs);
  }

  /** No look begins from here on; waits for the one under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#timer ?? undefined);
    await this.#looking;
  }

  #after(ms: number): void {
    if (this.#isEnded) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().then(
        () => this.#after(this.#times.everyMs),
        (error: unknown) => {
          this.#onFailure(error);
          this.#after(this.#times.failedMs);
        },
      );
    }, ms);
    this.#timer.unref();
  }
}
