import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";

/** Headers and footers that sheets are printed with, each wording once in a workbook. */
export class PageEdges {
  readonly #seen = new Set<string>();

  write(code: string, out: DocumentBuilder): void {
    for (const text of edgeTexts(code)) {
      if (this.#seen.has(text)) continue;
      this.#seen.add(text);
      out.block(text);
    }
  }
}

const CODES = /&(?:"[^"]*"|K(?:[0-9a-f]{6}|\d\d[+-]\d{3})|\d{1,3}|&|[a-z])?/gi;

/**
 * The left, middle and right part of "&L…&C…&R…" without fonts and sizes, and without what changes with each page or
 * printing: its number, the day, the name of the file.
 */
function edgeTexts(code: string): string[] {
  const parts = code.slice(0, 10_000).split(/(?<!&)(?:&&)*&[LCR]/i);
  return parts
    .map((part) => oneLine(part.replace(CODES, (found) => (found === "&&" ? "&" : ""))))
    .filter(
      (text) => /\p{L}|\d{2}/u.test(text) && !/^(?:page|seite|página|pagina)?\W*(?:of|von|de|di|sur)?\W*$/iu.test(text),
    );
}
