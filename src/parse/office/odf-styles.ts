import { isSymbolFont } from "../symbol-fonts.ts";
import { attribute } from "../xml.ts";

interface OpenStyle {
  isHidden: boolean;
  /** A symbol font; "" for any other. */
  font: string;
  isRaised: boolean;
}

/** What styles say that changes the text: hiding, symbol fonts, raised characters. */
export class OdfStyles {
  readonly #hidden = new Set<string>();
  readonly #raised = new Set<string>();
  /** Symbol fonts by style. */
  readonly #fonts = new Map<string, string>();
  /** Families by the names that a document gives its fonts. */
  readonly #families = new Map<string, string>();
  #style = "";
  #inStyles = 0;
  readonly #open: OpenStyle[] = [];
  #hiding = 0;

  get isReading(): boolean {
    return this.#inStyles > 0;
  }

  /** Whether what is being read is hidden. */
  get isHiding(): boolean {
    return this.#hiding > 0;
  }

  /** The symbol font in force; "" for none. */
  get font(): string {
    return this.#open.at(-1)?.font ?? "";
  }

  get isRaised(): boolean {
    return this.#open.at(-1)?.isRaised ?? false;
  }

  /** True where the element belongs to the definition of styles. */
  open(name: string, attributes: Record<string, string>): boolean {
    if (name === "automatic-styles") this.#inStyles++;
    if (name === "font-face") this.#face(attributes);
    if (this.#inStyles === 0) return name === "font-face";
    if (name === "style") this.#style = attribute(attributes, "name") ?? "";
    else if (name === "text-properties") this.#textProperties(attributes);
    return true;
  }

  #face(attributes: Record<string, string>): void {
    const family = (attribute(attributes, "font-family") ?? "").replace(/["']/g, "");
    if (isSymbolFont(family)) this.#families.set(attribute(attributes, "name") ?? "", family);
  }

  #textProperties(attributes: Record<string, string>): void {
    if (attribute(attributes, "display") === "none") this.#hidden.add(this.#style);
    if (/^(?:super|[1-9])/.test(attribute(attributes, "text-position") ?? "")) this.#raised.add(this.#style);
    const name = attribute(attributes, "font-name") ?? attribute(attributes, "font-family") ?? "";
    const family = this.#families.get(name) ?? name.replace(/["']/g, "");
    if (isSymbolFont(family)) this.#fonts.set(this.#style, family);
  }

  close(name: string): boolean {
    if (this.#inStyles === 0) return name === "font-face";
    if (name === "automatic-styles") this.#inStyles--;
    return true;
  }

  isHidden(attributes: Record<string, string>): boolean {
    const style = attribute(attributes, "style-name");
    return (
      attribute(attributes, "display") === "none" ||
      attribute(attributes, "is-hidden") === "true" ||
      (style !== undefined && this.#hidden.has(style))
    );
  }

  /** An element whose text may be hidden as a whole, until leave(). */
  enter(attributes: Record<string, string>): void {
    const isHidden = this.isHidden(attributes);
    const style = attribute(attributes, "style-name") ?? "";
    this.#open.push({
      isHidden,
      font: this.#fonts.get(style) ?? this.font,
      isRaised: this.isRaised || this.#raised.has(style),
    });
    if (isHidden) this.#hiding++;
  }

  leave(): void {
    if (this.#open.pop()?.isHidden === true) this.#hiding--;
  }
}
