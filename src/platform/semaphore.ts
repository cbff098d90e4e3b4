/**
 * Bounds what is under way at the same time: whoever takes room waits, in order of arrival, until that much is free.
 * More than there is at all counts as all of it.
 */
export class Semaphore {
  readonly #size: number;
  readonly #waiting: { amount: number; go: () => void }[] = [];
  #free: number;

  constructor(size: number) {
    this.#size = size;
    this.#free = size;
  }

  /** Resolves, once `amount` is free and taken, to what gives it back. */
  async take(amount: number): Promise<() => void> {
    const taken = Math.min(amount, this.#size);
    if (this.#waiting.length > 0 || this.#free < taken)
      await new Promise<void>((go) => this.#waiting.push({ amount: taken, go }));
    else this.#free -= taken;
    let held = true;
    return () => {
      if (held) this.#giveBack(taken);
      held = false;
    };
  }

  #giveBack(amount: number): void {
    this.#free += amount;
    for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.amount;
      next.go();
    }
  }
}
