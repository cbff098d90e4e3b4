/** Labels of a drawing (SVG): its texts, and what it is called where it stands for a picture. */
export class Drawing {
  #depth = 1;
  /** Open elements that hold text. */
  #labels = 0;
  readonly #isPicture: boolean;

  constructor(attributes: Record<string, string>) {
    this.#isPicture = attributes["role"] === "img";
  }

  get showsText(): boolean {
    return this.#labels > 0;
  }

  isLabel(tag: string): boolean {
    return tag === "text" || /^foreignobject$/i.test(tag) || (this.#isPicture && (tag === "title" || tag === "desc"));
  }

  open(tag: string): void {
    if (tag === "svg") this.#depth++;
    if (this.isLabel(tag)) this.#labels++;
  }

  /** Whether the drawing itself is over. */
  close(tag: string): boolean {
    if (this.isLabel(tag)) this.#labels = Math.max(0, this.#labels - 1);
    return tag === "svg" && --this.#depth === 0;
  }
}
