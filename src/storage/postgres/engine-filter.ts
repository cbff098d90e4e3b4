/**
 * A search's filter over attributes, as a condition of SQL. It means what the index in memory means by it (index/filter.ts),
 * to the order of strings and the kinds of numbers.
 *
 * No value is ever part of the text: statements differ by the shape of a filter alone.
 */
import type { Param } from "../sql.ts";

type Scalar = string | number | boolean;

/** As the index has it. */
export type EngineFilter =
  | { readonly op: "eq" | "ne" | "gt" | "gte" | "lt" | "lte"; readonly key: string; readonly value: Scalar }
  | { readonly op: "in" | "nin"; readonly key: string; readonly value: readonly Scalar[] }
  | { readonly op: "exists"; readonly key: string; readonly value: boolean }
  | { readonly op: "and" | "or"; readonly filters: readonly EngineFilter[] };

const ORDERS = { gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;

/** Parameters of a statement, in the order in which they were first asked for. */
export class Parameters {
  readonly values: Param[] = [];

  constructor(...values: Param[]) {
    this.values.push(...values);
  }

  /** The placeholder of a value. */
  of(value: Param): string {
    return `?${this.values.push(value)}`;
  }
}

/** Text that PostgreSQL keeps as JSON: no U+0000, and no half of a pair. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "string") return keptText(part);
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([key, own]) => [keptText(key), own as unknown]));
  });
}

function keptText(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/**
 * Whether a filter keeps what has these attributes: `attributes` are expressions of jsonb objects, the first that has a name
 * counts; `file` is the name of the row with `file_id` and `filename`.
 */
export function conditionOf(
  filter: EngineFilter,
  attributes: readonly string[],
  file: string,
  parameters: Parameters,
): string {
  const write = (part: EngineFilter): string => {
    switch (part.op) {
      case "and":
      case "or": {
        if (part.filters.length === 0) return part.op === "and" ? "TRUE" : "FALSE";
        return `(${part.filters.map(write).join(part.op === "and" ? " AND " : " OR ")})`;
      }
      default:
        return comparison(part, () => valueOf(part.key), parameters);
    }
  };
  const valueOf = (key: string): string => {
    if (key === "file_id" || key === "file_ids") return `to_jsonb(${file}.file_id)`;
    if (key === "filename") return `to_jsonb(${file}.filename)`;
    const name = `CAST(${parameters.of(keptText(key))} AS TEXT)`;
    return `coalesce(${attributes.map((one) => `${one} -> ${name}`).join(", ")})`;
  };
  return write(filter);
}

/** `ownOf` makes the expression of the value: once where it is needed, for a parameter that is not used has no type. */
function comparison(
  filter: Exclude<EngineFilter, { op: "and" | "or" }>,
  ownOf: () => string,
  parameters: Parameters,
): string {
  // Truths have no order.
  if (filter.op in ORDERS && typeof filter.value === "boolean") return "FALSE";
  const own = ownOf();
  const text = (value: string): string => `CAST(${parameters.of(value)} AS TEXT)`;
  const json = (value: unknown): string => `CAST(${text(jsonText(value))} AS JSONB)`;
  switch (filter.op) {
    case "eq":
      return `coalesce(${own} = ${json(filter.value)}, FALSE)`;
    case "ne":
      return `coalesce(${own} <> ${json(filter.value)}, TRUE)`;
    case "in":
      return `coalesce(${own} IN (SELECT jsonb_array_elements(${json(filter.value)})), FALSE)`;
    case "nin":
      return `coalesce(${own} NOT IN (SELECT jsonb_array_elements(${json(filter.value)})), TRUE)`;
    case "exists":
      return filter.value ? `(${own} IS NOT NULL)` : `(${own} IS NULL)`;
    default: {
      const order = ORDERS[filter.op];
      // What is not of the kind is not converted, whichever way the server looks at it first.
      const ofKind = (kind: string, compared: string) =>
        `(CASE WHEN jsonb_typeof(${own}) = '${kind}' THEN ${compared} ELSE FALSE END)`;
      if (typeof filter.value === "number")
        return ofKind("number", `CAST(${own} AS NUMERIC) ${order} CAST(${text(String(filter.value))} AS NUMERIC)`);
      // "C": by bytes of UTF-8, which is by code points.
      return ofKind("string", `(${own} #>> '{}') COLLATE "C" ${order} ${text(keptText(String(filter.value)))}`);
    }
  }
}
