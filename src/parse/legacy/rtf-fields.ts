import { fieldText } from "./field-text.ts";
import { RtfForm } from "./rtf-form.ts";
import type { Destination } from "./rtf-words.ts";

const MAX_INSTRUCTION = 2000;
/** Words that say how an entry of a form is set, and open no place of their own. */
const SETTINGS = /^ff(?:type|res|defres|own|prot|size|maxlen|hps|hasl|recalc)/;

/** The open field: what its instruction says, and whether its result says the same again. */
export class RtfFields {
  #instruction = "";
  #form: RtfForm | null = null;
  #skipsResult = false;

  begin(): void {
    this.#instruction = "";
    this.#form = null;
    this.#skipsResult = false;
  }

  instruct(text: string): void {
    if (this.#instruction.length < MAX_INSTRUCTION) this.#instruction += text;
  }

  /** Where text goes behind a word of an old form; null for any other word. */
  formWord(word: string, value: number | null, destination: Destination): Destination | null {
    if (word === "formfield" && destination === "instruction") {
      this.#form = new RtfForm();
      return "form";
    }
    if (destination !== "form" || this.#form === null) return null;
    this.#form.word(word, value);
    if (word === "ffl") return "formEntry";
    // Names, help texts and macros.
    return SETTINGS.test(word) ? "form" : "skip";
  }

  entry(text: string): void {
    this.#form?.entry(text);
  }

  /** What the field shows by its instruction; null where its result says it. */
  endInstruction(): string | null {
    const text = this.#form?.shown ?? fieldText(this.#instruction);
    this.begin();
    this.#skipsResult = text !== null;
    return text;
  }

  /** Asked once, where the result begins. */
  skipsResult(): boolean {
    const skips = this.#skipsResult;
    this.#skipsResult = false;
    return skips;
  }
}
