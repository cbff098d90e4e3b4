/**
 * What searches see that are under way while an index changes. Each has a view: the owners (chunk ordinals) that were there
 * when it began, less those that went since.
 *
 * Threads read the index's arrays meanwhile, so what a view has stays where it is: vectors that are removed stay in
 * their slots, and ordinals are not given to others, until no view is open (`afterwards`). What is added stands behind
 * what the views have, or in larger copies of the arrays; memory that nobody is led to any more is used again afterwards. So
 * that this comes to an end under searches without a pause, whoever would begin one waits when much has gathered
 * (`isCrowded`): for those that are under way, some milliseconds.
 */
export interface View {
  /** Owners with a higher number came after it. */
  readonly serial: number;
}

/** Owners that came and went while views are open, beyond which no more views are opened. */
const MOST_UNSETTLED = 4096;
/** The same of bytes that are kept for them, with some for each action that waits. */
const MOST_KEPT_BYTES = 16 * 2 ** 20;
const ACTION_BYTES = 256;

export class Views {
  #open = 0;
  #serial = 0;
  readonly #born = new Map<number, number>();
  readonly #gone = new Set<number>();
  #afterwards: (() => void)[] = [];
  #keptBytes = 0;
  #waiting: (() => void)[] = [];

  /** Whether `shows` may be false for any owner that the arrays have. */
  get isHiding(): boolean {
    return this.#gone.size + this.#born.size > 0;
  }

  get isCrowded(): boolean {
    return this.#gone.size + this.#born.size > MOST_UNSETTLED || this.#keptBytes > MOST_KEPT_BYTES;
  }

  open(): View {
    this.#open++;
    return { serial: this.#serial };
  }

  /** Once for each `open`. */
  close(): void {
    if (--this.#open > 0) return;
    this.#born.clear();
    this.#gone.clear();
    const [actions, waiting] = [this.#afterwards, this.#waiting];
    this.#afterwards = [];
    this.#keptBytes = 0;
    this.#waiting = [];
    for (const action of actions) action();
    for (const goOn of waiting) goOn();
  }

  added(owner: number): void {
    if (this.#open > 0) this.#born.set(owner, ++this.#serial);
  }

  removed(owner: number): void {
    if (this.#open > 0) this.#gone.add(owner);
  }

  /** Whether an owner is of the view (null: of what is there now). */
  shows(view: View | null, owner: number): boolean {
    if (this.#gone.has(owner)) return false;
    return view === null || (this.#born.get(owner) ?? 0) <= view.serial;
  }

  /** Does it at once, or as soon as no view is open, in the order that it was asked for; until then `bytes` are kept for it. */
  afterwards(action: () => void, bytes = 0): void {
    if (this.#open === 0) return action();
    this.#afterwards.push(action);
    this.#keptBytes += bytes + ACTION_BYTES;
  }

  /** Resolves when there is room for another view. */
  async room(): Promise<void> {
    while (this.isCrowded) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
  }
}
