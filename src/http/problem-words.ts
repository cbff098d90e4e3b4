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

export function series(words: string[], conjunction: "and" | "or"): string {
  if (words.length <= 1) return words[0] ?? "";
  const last = words.at(-1);
  return words.length === 2
    ? `${words[0]} ${conjunction} ${last}`
    : `${words.slice(0, -1).join(", ")}, ${conjunction} ${last}`;
}
