import { attribute, readXml } from "../xml.ts";

/**
 * The numbers that Word counts and a file does not spell out: "1.", "2.3", "(b)". Each list has levels with a format;
 * lists made from one definition go on counting where the other left off, unless they say where to start.
 */
interface Level {
  start: number;
  format: string;
  /** "%1.%2" with the counters of the levels in place. */
  text: string;
  isLegal: boolean;
}

interface List {
  definition: string;
  starts: Map<number, number>;
}

const DEFAULT_LEVEL: Level = { start: 1, format: "bullet", text: "", isLegal: false };
const MAX_LEVEL = 8;

export class Numbering {
  readonly #definitions = new Map<string, Map<number, Level>>();
  readonly #lists = new Map<string, List>();
  readonly #counters = new Map<string, number[]>();
  readonly #started = new Set<string>();

  /** `bytes` are the part "numbering.xml"; null gives bullets for every list. */
  constructor(bytes: Uint8Array | null) {
    if (bytes !== null) this.#read(bytes);
  }

  /** What stands before the next paragraph of a list: "2.", "-" for bullets, "" where the list shows nothing. */
  next(listId: string, level: number): string {
    const list = this.#lists.get(listId);
    const levels = list === undefined ? undefined : this.#definitions.get(list.definition);
    const own = levels?.get(level);
    if (list === undefined || levels === undefined || own === undefined || level > MAX_LEVEL) return "-";
    const counters = this.#counters.get(list.definition) ?? [];
    this.#counters.set(list.definition, counters);
    if (!this.#started.has(listId)) {
      this.#started.add(listId);
      for (const [at, start] of list.starts) counters[at] = start - 1;
    }
    counters[level] = (counters[level] ?? own.start - 1) + 1;
    counters.length = level + 1;
    if (own.format === "bullet") return "-";
    if (own.format === "none") return "";
    return own.text.replace(/%(\d)/g, (_, digit: string) => {
      const at = Number(digit) - 1;
      const of = levels.get(at) ?? DEFAULT_LEVEL;
      return formatNumber(counters[at] ?? of.start, own.isLegal ? "decimal" : of.format);
    });
  }

  #read(bytes: Uint8Array): void {
    let levels = new Map<number, Level>();
    let level: Level = { ...DEFAULT_LEVEL };
    let list: List | null = null;
    let override = 0;
    readXml(bytes, {
      open: (name, attributes) => {
        const value = attribute(attributes, "val") ?? "";
        switch (name) {
          case "abstractNum":
            levels = new Map();
            this.#definitions.set(attribute(attributes, "abstractNumId") ?? "", levels);
            break;
          case "lvl":
            level = { ...DEFAULT_LEVEL, format: "decimal" };
            if (list === null) levels.set(Number(attribute(attributes, "ilvl")), level);
            break;
          case "start":
            level.start = Number(value) || 0;
            break;
          case "numFmt":
            level.format = value;
            break;
          case "lvlText":
            level.text = value;
            break;
          case "isLgl":
            level.isLegal = true;
            break;
          case "num":
            list = { definition: "", starts: new Map() };
            this.#lists.set(attribute(attributes, "numId") ?? "", list);
            break;
          case "abstractNumId":
            if (list !== null) list.definition = value;
            break;
          case "lvlOverride":
            override = Number(attribute(attributes, "ilvl"));
            break;
          case "startOverride":
            list?.starts.set(override, Number(value) || 0);
            break;
        }
      },
    });
  }
}

function formatNumber(value: number, format: string): string {
  switch (format) {
    case "lowerLetter":
      return letters(value);
    case "upperLetter":
      return letters(value).toUpperCase();
    case "lowerRoman":
      return roman(value).toLowerCase();
    case "upperRoman":
      return roman(value);
    case "decimalZero":
      return String(value).padStart(2, "0");
    default:
      return String(value);
  }
}

/** a to z, then aa to zz: the letter is doubled. */
function letters(value: number): string {
  if (value < 1 || value > 780) return String(value);
  return String.fromCharCode(97 + ((value - 1) % 26)).repeat(Math.ceil(value / 26));
}

const ROMAN: readonly [number, string][] = [
  [1000, "M"],
  [900, "CM"],
  [500, "D"],
  [400, "CD"],
  [100, "C"],
  [90, "XC"],
  [50, "L"],
  [40, "XL"],
  [10, "X"],
  [9, "IX"],
  [5, "V"],
  [4, "IV"],
  [1, "I"],
];

function roman(value: number): string {
  if (value < 1 || value > 3999) return String(value);
  let rest = value;
  let out = "";
  for (const [worth, sign] of ROMAN) {
    for (; rest >= worth; rest -= worth) out += sign;
  }
  return out;
}
