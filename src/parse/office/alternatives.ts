/**
 * Content that Office writes in several forms, newest first (mc:AlternateContent with Choice and Fallback). The first
 * form that says anything is read; the others would say it again.
 */
export class Alternatives {
  /** What had been said when each open alternative began. */
  readonly #begun: number[] = [];
  #skipped = 0;
  #said = 0;

  /** Something came of the content that is being read. */
  say(): void {
    this.#said++;
  }

  get isSkipping(): boolean {
    return this.#skipped > 0;
  }

  /** True where the element and all in it is passed over. */
  open(name: string): boolean {
    const isForm = name === "Choice" || name === "Fallback";
    if (this.#skipped > 0) {
      if (isForm) this.#skipped++;
      return true;
    }
    // Drawn from parts of their own; the other form only says that the program is too old for them.
    if (REFERENCES.has(name)) this.say();
    if (name === "AlternateContent") this.#begun.push(this.#said);
    if (!isForm) return false;
    const begun = this.#begun.at(-1);
    if (begun === undefined ? name === "Choice" : begun === this.#said) return false;
    this.#skipped = 1;
    return true;
  }

  /** True where the element was passed over. */
  close(name: string): boolean {
    if (this.#skipped > 0) {
      if (name === "Choice" || name === "Fallback") this.#skipped--;
      return true;
    }
    if (name === "AlternateContent") this.#begun.pop();
    return false;
  }
}

const REFERENCES = new Set(["chart", "relIds", "slicer", "timeslicer"]);
