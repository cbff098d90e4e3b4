/** The filter of a search as rows that a person fills in, and as the JSON that is sent. */
export const COMPARISONS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"] as const;
export type Comparison = (typeof COMPARISONS)[number];
type Scalar = string | number | boolean;

export interface FilterRow {
  key: string;
  comparison: Comparison;
  /** As typed; several values of `in` and `nin` are separated by commas. */
  value: string;
}

export interface Filter {
  join: "and" | "or";
  rows: readonly FilterRow[];
}

export const NO_FILTER: Filter = { join: "and", rows: [] };

/** What is sent; undefined where no row says anything. */
export function filterJson({ join, rows }: Filter): object | undefined {
  const told = rows.filter(({ key }) => key.trim() !== "").map(comparisonJson);
  if (told.length <= 1) return told[0];
  return { type: join, filters: told };
}

function comparisonJson({ key, comparison, value }: FilterRow): object {
  const isList = comparison === "in" || comparison === "nin";
  const read = isList ? value.split(",").map((one) => scalarOf(one.trim())) : scalarOf(value);
  return { type: comparison, key: key.trim(), value: read };
}

/** `2024` is a number and `true` a boolean; in quotes both are text. */
export function scalarOf(text: string): Scalar {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  if (/^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/.test(trimmed)) return Number(trimmed);
  const quoted = /^"(.*)"$/s.exec(trimmed);
  return quoted === null ? text : (quoted[1] ?? "");
}

/** How a value is typed so that it is read as the same again. */
export function typedText(value: Scalar): string {
  if (typeof value !== "string") return String(value);
  return scalarOf(value) === value ? value : `"${value}"`;
}

/** The rows of a filter in JSON; null where rows cannot say it. */
export function filterOf(json: unknown): Filter | null {
  if (json === undefined || json === null) return NO_FILTER;
  const { type, filters } = asObject(json);
  if (type !== "and" && type !== "or") {
    const row = rowOf(json);
    return row === null ? null : { join: "and", rows: [row] };
  }
  if (!Array.isArray(filters)) return null;
  const rows = filters.map(rowOf);
  return rows.every((row) => row !== null) ? { join: type, rows } : null;
}

function rowOf(json: unknown): FilterRow | null {
  const { type, key, value } = asObject(json);
  const comparison = COMPARISONS.find((one) => one === type);
  if (comparison === undefined || typeof key !== "string") return null;
  const isList = comparison === "in" || comparison === "nin";
  const values: unknown[] = isList && Array.isArray(value) ? value : [value];
  if (isList !== Array.isArray(value) || !values.every(isScalar)) return null;
  if (isList && values.some((one) => typeof one === "string" && (one.includes(",") || one !== one.trim()))) return null;
  return { key, comparison, value: values.map(typedText).join(", ") };
}

function asObject(json: unknown): Record<string, unknown> {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Text as a filter, for the view of the JSON. */
export function parsedJson(text: string): { ok: true; json: unknown } | { ok: false } {
  if (text.trim() === "") return { ok: true, json: undefined };
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && !Array.isArray(json) ? { ok: true, json } : { ok: false };
  } catch {
    return { ok: false };
  }
}
