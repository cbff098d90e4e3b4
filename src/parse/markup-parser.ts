import { Parser, type Handler, type ParserOptions } from "htmlparser2";

/**
 * htmlparser2 with its open elements in a stack that is as cheap for a million of them as for ten: the library keeps
 * them in an array whose first one is the innermost, so that each tag moves all of them, and looks through all of them
 * for the element of a closing tag that closes nothing. The events are the library's, to the last one.
 */
export class MarkupParser extends Parser {
  readonly #open = new OpenElements();

  /** `open` are elements that are open already, the outermost first. */
  constructor(handler: Partial<Handler>, options: ParserOptions, open: readonly string[] = []) {
    super(handler, options);
    for (const name of open) this.#open.unshift(name);
    // Its fields are private; slow documents in the tests tell when another version has other ones.
    Reflect.set(this, "stack", this.#open);
    Reflect.set(this, "foreignContext", new OpenElements(Reflect.get(this, "foreignContext") as unknown[]));
  }

  override onend(): void {
    // What is still open is gone through by number.
    Reflect.set(this, "stack", this.#open.inmostFirst());
    super.onend();
  }
}

/** The part of an array that the library uses, its first item at the end of ours. */
class OpenElements {
  #items: unknown[] = [];
  readonly #counts = new Map<unknown, number>();

  constructor(inmostFirst: readonly unknown[] = []) {
    for (const item of inmostFirst.toReversed()) this.unshift(item);
  }

  get 0(): unknown {
    return this.#items.at(-1);
  }

  get length(): number {
    return this.#items.length;
  }

  includes(item: unknown): boolean {
    return (this.#counts.get(item) ?? 0) > 0;
  }

  /** What is looked for and found is closed with all inside it, so that looking costs no more than that. */
  indexOf(item: unknown): number {
    return this.includes(item) ? this.#items.length - 1 - this.#items.lastIndexOf(item) : -1;
  }

  unshift(item: unknown): void {
    this.#items.push(item);
    this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
  }

  shift(): unknown {
    const item = this.#items.pop();
    this.#counts.set(item, (this.#counts.get(item) ?? 0) - 1);
    return item;
  }

  inmostFirst(): unknown[] {
    return this.#items.toReversed();
  }
}
