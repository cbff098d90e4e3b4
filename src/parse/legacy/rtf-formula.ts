import { FormulaReader } from "../formula.ts";

/** Formulas of Word in RTF: groups such as {\\mf{\\mnum …}{\\mden …}}, which are Office's elements by other names. */
export class RtfFormula {
  readonly #reader = new FormulaReader();
  readonly #open: { name: string; attributes: Record<string, string> }[] = [];

  /** The first word of a group, without the "m" before its name. */
  open(word: string): void {
    const attributes = {};
    const name = word.slice(1);
    this.#open.push({ name, attributes });
    this.#reader.open(name, attributes);
  }

  text(text: string): void {
    const last = this.#open.at(-1);
    const parent = this.#open.at(-2)?.name ?? "";
    if (last === undefined || text === "") return;
    if (parent.endsWith("Pr")) last.attributes["val"] = (last.attributes["val"] ?? "") + text.trim();
    else if (last.name === "r") {
      this.#reader.open("t", {});
      this.#reader.text(text);
      this.#reader.close();
    }
  }

  /** The formula as one line once its outermost group is closed; null before. */
  close(): string | null {
    this.#open.pop();
    return this.#reader.close();
  }
}
