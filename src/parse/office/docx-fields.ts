import { attribute } from "../xml.ts";

interface Field {
  instruction: string;
  /** What stands behind it is shown in its place. */
  isResult: boolean;
  /** Of old forms: what was chosen or ticked; "" for none. */
  choice: Choice | null;
  hasText: boolean;
}

interface Choice {
  kind: "list" | "box";
  entries: string[];
  chosen: number;
}

/** Page numbers are no text of the document. */
const PAGE_FIELDS = /^\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b/i;
const MAX_NESTED = 64;

/** Fields of Word, which may stand inside each other: instructions, their results, and old forms. */
export class WordFields {
  readonly #open: Field[] = [];
  readonly #simple: boolean[] = [];
  #hidden = 0;

  /** What is written now is a page number. */
  get isHidden(): boolean {
    return this.#hidden > 0;
  }

  /** Text was written: a field with a result of its own needs no other. */
  say(): void {
    for (const field of this.#open) field.hasText = true;
  }

  /** An element of a field; what it shows by itself, "" for nothing. */
  open(name: string, attributes: Record<string, string>): string {
    switch (name) {
      case "fldChar":
        return this.#mark(attribute(attributes, "fldCharType") ?? "");
      case "fldSimple": {
        const isPage = PAGE_FIELDS.test(attribute(attributes, "instr") ?? "");
        this.#simple.push(isPage);
        if (isPage) this.#hidden++;
        return "";
      }
      default:
        this.#openForm(name, attributes);
        return "";
    }
  }

  close(name: string): void {
    if (name === "fldSimple" && this.#simple.pop() === true) this.#hidden--;
  }

  instruction(text: string): void {
    const field = this.#open.at(-1);
    if (field !== undefined && !field.isResult && field.instruction.length < 200) field.instruction += text;
  }

  #mark(type: string): string {
    if (type === "begin") {
      if (this.#open.length < MAX_NESTED)
        this.#open.push({ instruction: "", isResult: false, choice: null, hasText: false });
      return "";
    }
    const field = this.#open.at(-1);
    if (field === undefined) return "";
    const isPage = PAGE_FIELDS.test(field.instruction);
    if (type === "separate") {
      if (isPage && !field.isResult) this.#hidden++;
      field.isResult = true;
      return "";
    }
    this.#open.pop();
    if (isPage && field.isResult) this.#hidden--;
    return field.choice === null || field.hasText ? "" : shownChoice(field.choice);
  }

  #openForm(name: string, attributes: Record<string, string>): void {
    const field = this.#open.at(-1);
    if (field === undefined || field.isResult) return;
    const value = attribute(attributes, "val");
    if (name === "ddList") field.choice = { kind: "list", entries: [], chosen: 0 };
    else if (name === "checkBox") field.choice = { kind: "box", entries: [], chosen: 0 };
    else if (field.choice === null) return;
    else if (name === "listEntry") field.choice.entries.push(value ?? "");
    else if (name === "result" || name === "default") field.choice.chosen = Number(value) || 0;
    else if (name === "checked") field.choice.chosen = value === undefined || /^(?:1|true|on)$/.test(value) ? 1 : 0;
  }
}

function shownChoice(choice: Choice): string {
  if (choice.kind === "box") return choice.chosen === 1 ? "☒" : "☐";
  return choice.entries[choice.chosen] ?? "";
}
