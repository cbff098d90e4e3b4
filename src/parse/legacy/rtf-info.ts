import type { DocumentBuilder } from "../builder.ts";

const MAX_LENGTH = 500;

/** What a document says about itself, by the word of each group: of groups of one word the last that says something. */
export class RtfInfo {
  readonly #texts = new Map<string, string[]>();

  begin(word: string): void {
    const texts = this.#texts.get(word);
    if (texts === undefined) this.#texts.set(word, [""]);
    else if (texts.at(-1)!.trim() === "") texts[texts.length - 1] = "";
    else this.#texts.set(word, [texts.at(-1)!, ""]);
  }

  add(word: string, text: string): void {
    const texts = this.#texts.get(word);
    if (texts !== undefined) texts[texts.length - 1] = (texts.at(-1)! + text).slice(0, MAX_LENGTH);
  }

  write(out: DocumentBuilder): void {
    for (const [word, texts] of this.#texts) {
      const text = texts.findLast((said) => said.trim() !== "")?.trim();
      if (text === undefined) continue;
      if (word === "title") out.title = text;
      else out.metadata[word] = text;
    }
  }
}
