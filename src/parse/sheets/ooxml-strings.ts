import { isSymbolFont, symbolsRead } from "../symbol-fonts.ts";
import { attribute } from "../xml.ts";

/**
 * Characters that XML cannot hold are written as "_x000D_" in the strings of Office; "_x005F_" is the underscore of
 * a text that looks like one of these.
 */
export function unescaped(text: string): string {
  if (!text.includes("_x")) return text;
  return text.replace(/_x([0-9a-f]{4})_/gi, (_, hex: string) => {
    const unit = Number.parseInt(hex, 16);
    // A carriage return stands before a line end that is written as itself.
    if (unit === 0x0d) return "\n";
    return unit < 0x20 && unit !== 0x09 && unit !== 0x0a ? " " : String.fromCharCode(unit);
  });
}

/** Gathers the text of one string item (<si>, <is>, <text>): its runs without their phonetic guides. */
export class StringItem {
  #text = "";
  #inText = 0;
  #phonetic = 0;
  /** Of the open run; "" for the cell's own. */
  #font = "";

  open(name: string, attributes: Record<string, string>): void {
    if (name === "t") this.#inText++;
    else if (name === "r") this.#font = "";
    else if (name === "rFont") this.#font = attribute(attributes, "val") ?? "";
    else if (name === "rPh") this.#phonetic++;
  }

  text(text: string): void {
    if (this.#inText === 0 || this.#phonetic > 0) return;
    this.#text += this.#font === "" ? text : symbolsRead(text, this.#font, isSymbolFont(this.#font));
  }

  close(name: string): void {
    if (name === "t") this.#inText--;
    else if (name === "r") this.#font = "";
    else if (name === "rPh") this.#phonetic--;
  }

  /** The text so far; the next item begins empty. */
  take(): string {
    const text = unescaped(this.#text);
    this.#text = "";
    return text;
  }
}

/** The value of a relation's attribute, such as "r:id": the one with a prefix, since "id" is a number of its own. */
export function relationId(attributes: Record<string, string>, name = "id"): string {
  const key = Object.keys(attributes).find((attributeName) => attributeName.endsWith(`:${name}`));
  return key === undefined ? "" : (attribute(attributes, key) ?? "");
}
