import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { readXml } from "../xml.ts";
import { formatCode, numberText, shownText } from "./cells.ts";
import { StringItem } from "./ooxml-strings.ts";

/** What the cells of a workbook refer to: its strings, its formats and the day from which it counts. */
export class Workbook {
  strings: string[] = [];
  /** Code of the number format of each cell style. */
  formats: string[] = [];
  epoch1904 = false;

  number(value: number, style: number): string {
    return numberText(value, { code: this.formats[style] ?? "General", epoch1904: this.epoch1904 });
  }

  text(text: string, style: number): string {
    return shownText(text.trim(), this.formats[style] ?? "General").trim();
  }

  string(index: number, style: number): string {
    return this.text(this.strings[index] ?? "", style);
  }
}

/** Gathers strings up to the text that one document may hold. */
export class StringTable {
  readonly strings: string[] = [];
  readonly #limits: ParseLimits;
  #total = 0;

  constructor(limits: ParseLimits) {
    this.#limits = limits;
  }

  add(text: string): void {
    this.#total += text.length;
    if (this.#total > this.#limits.maxTextLength)
      throw invalidFile("The workbook holds more text than this server accepts.");
    this.strings.push(text);
  }
}

/** Strings by index; phonetic guides are left out. */
export function sharedStrings(bytes: Uint8Array | null, limits: ParseLimits): string[] {
  const table = new StringTable(limits);
  if (bytes === null) return table.strings;
  const item = new StringItem();
  readXml(bytes, {
    open: (name, attributes) => item.open(name, attributes),
    text: (text) => item.text(text),
    close(name) {
      item.close(name);
      if (name === "si") table.add(item.take());
    },
  });
  return table.strings;
}

/** The number format of each cell style. */
export function cellFormats(bytes: Uint8Array | null): string[] {
  const out: string[] = [];
  if (bytes === null) return out;
  const own = new Map<number, string>();
  let inCellStyles = false;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "numFmt") own.set(Number(attributes["numFmtId"]), attributes["formatCode"] ?? "");
      else if (name === "cellXfs") inCellStyles = true;
      else if (name === "xf" && inCellStyles) out.push(formatCode(Number(attributes["numFmtId"] ?? "0"), own));
    },
    close(name) {
      if (name === "cellXfs") inCellStyles = false;
    },
  });
  return out;
}
