/**
 * How many requests a provider gets at the same time: as many as are allowed, half as many each time it says that these
 * are too many, and slowly more again while it answers.
 */
export class Pace {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #allowed: number;
  #running = 0;

  constructor(most: number) {
    this.#most = most;
    this.#allowed = most;
  }

  /** Requests that may run at the same time now. */
  get allowed(): number {
    return Math.floor(this.#allowed);
  }

  /** Resolves when it is this request's turn; `leave` must follow. */
  async enter(): Promise<void> {
    if (this.#running >= this.allowed || this.#waiting.length > 0)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
  }

  leave(outcome: "answered" | "limited" | "failed"): void {
    if (outcome === "limited") this.#allowed = Math.max(1, this.#allowed / 2);
    else if (outcome === "answered") this.#allowed = Math.min(this.#most, this.#allowed + 1 / this.#allowed);
    this.#running--;
    while (this.#running < this.allowed) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
