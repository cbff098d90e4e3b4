/** The style sheet: which styles are headings, and of which level. */
export class RtfStyles {
  readonly #levels = new Map<number, number>();
  /** Of the style that is being read. */
  #number = 0;
  #name = "";
  #outline = 0;

  begin(number: number): void {
    this.#number = number;
  }

  /** The level that a style says it has; 0 for text. */
  setOutline(level: number): void {
    this.#outline = level;
  }

  addName(text: string): void {
    if (this.#name.length < MAX_NAME) this.#name += text;
  }

  end(): void {
    const name = this.#name.replace(/;.*$/s, "").trim();
    const digit = /^heading (\d)/i.exec(name)?.[1];
    const named = digit !== undefined ? Number(digit) : /^title$/i.test(name) ? 1 : 0;
    const level = this.#outline > 0 ? this.#outline : named;
    if (level > 0) this.#levels.set(this.#number, level);
    this.#name = "";
    this.#number = 0;
    this.#outline = 0;
  }

  levelOf(number: number): number {
    return this.#levels.get(number) ?? 0;
  }
}

const MAX_NAME = 200;
