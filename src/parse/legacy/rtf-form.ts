/** A field of an old form: a list of which one entry is chosen, or a box. */
export class RtfForm {
  #kind: "text" | "box" | "list" = "text";
  #chosen = 0;
  readonly #entries: string[] = [];

  word(word: string, value: number | null): void {
    if (word === "fftype") this.#kind = value === 1 ? "box" : value === 2 ? "list" : "text";
    else if (word === "ffl" && this.#entries.length < MAX_ENTRIES) this.#entries.push("");
    // What was never chosen says so, and the default stands before it.
    else if ((word === "ffres" || word === "ffdefres") && value !== NOT_CHOSEN) this.#chosen = value ?? 0;
  }

  entry(text: string): void {
    const last = this.#entries.length - 1;
    if (last >= 0 && this.#entries[last]!.length < MAX_ENTRY) this.#entries[last] += text;
  }

  /** What the field shows; null where its result says it. */
  get shown(): string | null {
    if (this.#kind === "text") return null;
    return this.#kind === "box" ? (this.#chosen === 1 ? "☒" : "☐") : (this.#entries[this.#chosen] ?? "").trim();
  }
}

const NOT_CHOSEN = 25;
const MAX_ENTRIES = 200;
const MAX_ENTRY = 500;
