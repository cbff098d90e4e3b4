/** Notes and comments: what stands beside the text that is being read. */
export class RtfAsides {
  #text = "";
  /** "" for the name of a comment's author. */
  #label = "";
  #author = "";
  #lines: string[] = [];

  open(label: string): void {
    this.#label = label;
    this.#text = "";
  }

  openComment(): void {
    this.open(`Comment${this.#author === "" ? "" : ` by ${this.#author}`}`);
  }

  add(text: string): void {
    this.#text += text;
  }

  end(): void {
    const text = this.#text.trim();
    if (this.#label === "") this.#author = text;
    else if (text !== "") this.#lines.push(`[${this.#label}: ${text}]`);
    this.#text = "";
  }

  /** All that have ended, of which nothing is kept. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}
