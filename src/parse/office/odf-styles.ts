import { attribute } from "../xml.ts";

/** Names of the styles and sections whose text is hidden. */
export class OdfStyles {
  readonly #hidden = new Set<string>();
  #style = "";
  #inStyles = 0;
  readonly #open: boolean[] = [];
  #hiding = 0;

  get isReading(): boolean {
    return this.#inStyles > 0;
  }

  /** Whether what is being read is hidden. */
  get isHiding(): boolean {
    return this.#hiding > 0;
  }

  /** True where the element belongs to the definition of styles. */
  open(name: string, attributes: Record<string, string>): boolean {
    if (name === "automatic-styles") this.#inStyles++;
    if (this.#inStyles === 0) return false;
    if (name === "style") this.#style = attribute(attributes, "name") ?? "";
    else if (name === "text-properties" && attribute(attributes, "display") === "none") this.#hidden.add(this.#style);
    return true;
  }

  close(name: string): boolean {
    if (this.#inStyles === 0) return false;
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
    this.#open.push(isHidden);
    if (isHidden) this.#hiding++;
  }

  leave(): void {
    if (this.#open.pop() === true) this.#hiding--;
  }
}
