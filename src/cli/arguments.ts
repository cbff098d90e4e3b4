/** Flags and positional words of a verb. Which flags there are is a table beside the verb; help derives from it. */
import { parseArgs } from "node:util";
import { nearest } from "../config/config.ts";
import { UsageError } from "./terminal.ts";

export interface Flag {
  help: string;
  /** What stands for the value in the help text; a flag without one is a switch. */
  value?: string;
  /** May be given more than once. */
  many?: boolean;
  /** The values that there are, where they are a few words: for completion. */
  choices?: readonly string[];
}

export type Flags = Readonly<Record<string, Flag>>;

export interface Arguments<F extends Flags> {
  words: string[];
  /** The last value given, "true" for a switch. */
  get(flag: keyof F & string): string | undefined;
  all(flag: keyof F & string): string[];
  has(flag: keyof F & string): boolean;
}

/** Throws `UsageError` for a flag that the verb does not know and for a missing value. `--` ends the flags. */
export function parseArguments<F extends Flags>(argv: readonly string[], flags: F): Arguments<F> {
  // Not strict: the refusals are this program's own sentences.
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [name, { type: flag.value === undefined ? "boolean" : "string" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const values = new Map<string, string[]>();
  let lastWord = -1;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") words.push(token.value);
    else if (token.rawName.startsWith("--")) takeFlag(flags, values, token.name, token.value);
    // There are no short flags: what begins with one dash is a word, of which the parser makes a token a letter.
    else if (token.index !== lastWord) words.push(argv[(lastWord = token.index)] ?? "");
  }
  return {
    words,
    get: (flag) => values.get(flag)?.at(-1),
    all: (flag) => values.get(flag) ?? [],
    has: (flag) => values.has(flag),
  };
}

function takeFlag(flags: Flags, values: Map<string, string[]>, name: string, given: string | undefined): void {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (!flag) throw new UsageError(`--${name} is not an option here${suggestion(name, Object.keys(flags))}`);
  const value = given ?? (flag.value === undefined ? "true" : undefined);
  if (value === undefined) throw new UsageError(`--${name} needs a value: --${name} ${flag.value}.`);
  const before = values.get(name) ?? [];
  if (before.length > 0 && !flag.many && before[0] !== value)
    throw new UsageError(`--${name} is given twice with different values.`);
  values.set(name, [...before, value]);
}

/** A whole number of at least `minimum`. */
export function integerFlag(
  name: string,
  text: string | undefined,
  fallback: number,
  minimum: number,
  maximum: number,
): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new UsageError(`--${name} must be a whole number from ${minimum} to ${maximum}, not ${JSON.stringify(text)}.`);
}

/** ` - did you mean --x?` or a full stop. */
function suggestion(name: string, known: string[]): string {
  const near = nearest(name, known);
  return near ? `; did you mean --${near}?` : `; it takes ${known.map((flag) => `--${flag}`).join(", ")}.`;
}

/** The flags' lines of a help text. */
export function describeFlags(flags: Flags): string {
  const left = Object.entries(flags).map(
    ([name, flag]) => `--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`,
  );
  const width = Math.max(...left.map((text) => text.length));
  return Object.values(flags)
    .map((flag, i) => `  ${(left[i] ?? "").padEnd(width)}  ${flag.help}${flag.many ? " (may be repeated)" : ""}\n`)
    .join("");
}
