import { AppError } from "../errors.ts";

/** Words of validation messages, as OpenAI's clients know them. */

/** A component of a vector that is a number, but none of 32 bits. */
export function numberTooLarge(param: string): AppError {
  const text = `Invalid '${param}': number out of range. Expected a number that 32 bits can hold, at most 3.4e38.`;
  return new AppError("invalid_value", text, { param });
}

export function plural(kind: string): string {
  return kind.startsWith("array") ? kind.replace("array", "arrays") : `${kind}s`;
}

export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" && !Number.isFinite(value)) return "a number that is too large";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal";
  return withArticle(typeof value);
}

export function withArticle(kind: string): string {
  if (kind === "null" || kind.startsWith("'")) return kind;
  return `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;
}

export function series(words: string[], conjunction: "and" | "or"): string {
  if (words.length <= 1) return words[0] ?? "";
  const last = words.at(-1);
  return words.length === 2
    ? `${words[0]} ${conjunction} ${last}`
    : `${words.slice(0, -1).join(", ")}, ${conjunction} ${last}`;
}

/** Text of the client as a message may repeat it: short, without control characters. */
export function shown(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd");
  return clean.length <= 64 ? clean : `${clean.slice(0, 64)}…`;
}
