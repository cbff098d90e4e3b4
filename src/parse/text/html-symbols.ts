import { isSymbolFont, symbolsRead } from "../symbol-fonts.ts";

/** Fonts of symbols in a page, as Word writes them: "m" in the font Symbol is a "μ". */
export class HtmlSymbols {
  /** Of each open element that may name a font, the symbol font in force; "" for none. */
  readonly #fonts: string[] = [];

  open(tag: string, attributes: Record<string, string>): void {
    if (!FONT_TAGS.has(tag)) return;
    const named = attributes["face"] ?? FAMILY.exec(attributes["style"] ?? "")?.[1];
    this.#fonts.push(named === undefined ? (this.#fonts.at(-1) ?? "") : symbolFont(named));
  }

  close(tag: string): void {
    if (FONT_TAGS.has(tag)) this.#fonts.pop();
  }

  read(text: string): string {
    const font = this.#fonts.at(-1) ?? "";
    return font === "" ? text : symbolsRead(text, font, LETTERS.test(text));
  }
}

const FONT_TAGS = new Set(["span", "font"]);
const FAMILY = /(?:^|[;\s])(?:mso-symbol-font-family|font-family)\s*:\s*([^;]+)/i;
/** Signs that are written as themselves are no places in a font. */
const LETTERS = /^[\s!-~\u00a0-\u00ff\uf000-\uf0ff]+$/;

function symbolFont(names: string): string {
  const [first = ""] = names.split(",");
  const name = first.replace(/["']/g, "").trim();
  return isSymbolFont(name) ? name : "";
}
