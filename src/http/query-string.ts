import type { TObject } from "@sinclair/typebox";

/** Not an operation's own: the dialect of the answer, and what Azure's clients add to every address. */
const EVERYWHERE = ["dialect", "api-version"];

/** The first key, without its brackets, that neither the schema nor every operation has; null where there is none. */
export function unknownKey(params: URLSearchParams, schema: TObject | undefined): string | null {
  for (const key of params.keys()) {
    const name = key.replace(/\[\]$/, "");
    if (!EVERYWHERE.includes(name) && !Object.hasOwn(schema?.properties ?? {}, name)) return name;
  }
  return null;
}

/**
 * The query string as the schema's types: numbers and booleans from text, arrays from `x[]=`, repetition or commas.
 * What cannot be converted stays text, for validation to name. Keys that the schema lacks are left out.
 */
export function readQuery(params: URLSearchParams, schema: TObject): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const texts = [...params.getAll(name), ...params.getAll(`${name}[]`)].filter((text) => text !== "");
    if (texts.length === 0) continue;
    query[name] =
      property["type"] === "array"
        ? texts.flatMap((text) => text.split(","))
        : convert(texts.at(-1) ?? "", property["type"]);
  }
  return query;
}

function convert(text: string, type: unknown): unknown {
  if (type === "integer") return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : text;
  if (type === "number") return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
  if (type === "boolean") return text === "true" || (text === "false" ? false : text);
  return text;
}
