import { symbolText } from "../symbol-fonts.ts";

/**
 * What fields of Word show that have no result of their own: a sign of a symbol font (SYMBOL), and formulas and phonetic
 * guides (EQ). Null for every other instruction.
 */
export function fieldText(instruction: string): string | null {
  const symbol = /^\s*SYMBOL\s+(0x[0-9a-f]+|\d+)(.*)$/is.exec(instruction);
  if (symbol !== null) return symbolField(Number(symbol[1]), symbol[2]!);
  const equation = /^\s*EQ\s(.*)$/is.exec(instruction);
  return equation === null ? null : equationText(equation[1]!);
}

function symbolField(code: number, switches: string): string {
  const font = /\\f\s*"?([^"\\]+)/i.exec(switches)?.[1]?.trim() ?? "";
  const sign = font === "" ? null : symbolText(font, code);
  if (sign !== null) return sign;
  // \u says that the number is Unicode, \j that it is Japanese; else it is of the Western code page.
  if (/\\u/i.test(switches)) return code < 0x110000 ? String.fromCodePoint(code) : "";
  return code > 0x1f && code < 0x100 && font === "" ? Buffer.from([code]).toString("latin1") : "";
}

const MAX_DEPTH = 20;

/** "\f(1,2)" -> 1/2, "\o\ad(\s\up 9(guide),base)" -> base; the rest by its parts. */
function equationText(text: string): string {
  // Formatting of the field, which stands before the formula: \* jc2 \* "Font:MS Mincho" \* hps10
  const formula = text.replace(/\\\*\s*(?:"[^"]*"|\S+)\s*/g, "");
  const shown = new EquationReader(formula).read();
  // What is raised behind a number is no part of it.
  const flat = shown.replace(/(\d)\u2060([^\u2060]*)\u2060/g, "$1^$2").replaceAll(RAISED, "");
  return flat.replace(/\s+/g, " ").trim();
}

class EquationReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(depth = 0): string {
    let out = "";
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at]!;
      if (depth > 0 && (sign === ")" || sign === "," || sign === ";")) return out;
      if (sign !== "\\") {
        out += sign;
        this.#at++;
        continue;
      }
      const next = this.#text[this.#at + 1] ?? "";
      if (/[\\(),;]/.test(next)) {
        out += next;
        this.#at += 2;
      } else {
        out += this.#command(depth);
      }
    }
    return out;
  }

  /** A command, its options, and what stands in its brackets. */
  #command(depth: number): string {
    const switches = /^(?:\s*\\[a-z]+\s*(?:-?\d+)?(?:\\[^\sa-z])?\s*)+/i.exec(
      this.#text.slice(this.#at, this.#at + 200),
    )?.[0];
    if (switches === undefined || depth > MAX_DEPTH) {
      this.#at++;
      return "";
    }
    this.#at += switches.length;
    const name = /\\([a-z]+)/i.exec(switches)![1]!.toLowerCase();
    if (this.#text[this.#at] !== "(") return "";
    const parts: string[] = [];
    do {
      this.#at++;
      parts.push(this.read(depth + 1).trim());
    } while (this.#text[this.#at] === "," || this.#text[this.#at] === ";");
    if (this.#text[this.#at] === ")") this.#at++;
    return shown(name, switches, parts);
  }
}

function shown(name: string, switches: string, parts: string[]): string {
  switch (name) {
    case "f":
      return `${grouped(parts[0] ?? "")}/${grouped(parts[1] ?? "")}`;
    case "r":
      return parts.length > 1 && parts[0] !== "" ? `√[${parts[0]}](${parts[1]})` : `√(${parts.at(-1) ?? ""})`;
    case "s":
      // A line raised above others is a guide to how they are read, if something stands below; see "o".
      return /\\up/i.test(switches) ? `${RAISED}${parts.join(" ")}${RAISED}` : parts.join(" ");
    case "o": {
      // Neither the guide nor the ring around a character.
      const base = parts.filter((part) => !part.startsWith(RAISED) && !/^[○◯□△◇]$/.test(part));
      return (base.length > 0 ? base : parts).join("").replaceAll(RAISED, "");
    }
    case "b":
      return `(${parts.join(", ")})`;
    case "i":
      return `∫ ${parts.join(" ")}`;
    case "a":
    case "l":
      return parts.join(name === "a" ? "; " : ", ");
    default:
      return parts.join(" ");
  }
}

/** Marks what stands raised until it is known what it stands above. */
const RAISED = "\u2060";

function grouped(text: string): string {
  return /^[\p{L}\p{N}.]*$/u.test(text) ? text : `(${text})`;
}
