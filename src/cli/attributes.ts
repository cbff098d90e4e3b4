/** `KEY=VALUE` of the command line. */
import { UsageError } from "./terminal.ts";

export type Attributes = Record<string, string | number | boolean>;

/** `year=2024` is a number, `draft=true` a boolean, everything else text. */
export function readAttributes(pairs: readonly string[], reserved: readonly string[]): Attributes {
  const attributes: Attributes = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, equals);
    if (equals < 1) throw new UsageError(`--attributes takes KEY=VALUE, not ${JSON.stringify(pair)}.`);
    if (reserved.includes(key))
      throw new UsageError(`The attribute ${key} is kept by ingest itself; choose another name.`);
    attributes[key] = typedValue(pair.slice(equals + 1));
  }
  return attributes;
}

export function typedValue(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/.test(text) ? Number(text) : text;
}
