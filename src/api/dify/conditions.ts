import { AppError } from "../../errors.ts";
import { shown } from "../../platform/words.ts";
import { composed, type Scalar } from "../../index/filter.ts";
import type { Condition, DifyBody } from "./schema.ts";

/**
 * Dify's conditions on the metadata of documents, as filters of a search. What the index can compare becomes a filter; the
 * parts of texts and the dates it knows nothing of are looked for among the values that there are, and become lists of
 * them.
 */
export interface Plan {
  /** Conditions that each value must be asked about. */
  tests: ValueTest[];
  /** The filter, once each test knows what is listed in it. */
  filter(listed: ReadonlyMap<ValueTest, Iterable<Scalar>>): Record<string, unknown>;
}

export interface ValueTest {
  /** Whose values: an attribute, or `file_id` or `filename`, where files are listed by their ids. */
  key: string;
  holds(value: Scalar | undefined): boolean;
}

type Part = Record<string, unknown> | ValueTest;

/** Whether a value belongs into the list of its test: where nothing at all holds, those that do not hold are listed. */
export function isListed(test: ValueTest, value: Scalar): boolean {
  return test.holds(value) !== (!isOfFile(test) && test.holds(undefined));
}

export function isOfFile({ key }: ValueTest): boolean {
  return key === "file_id" || key === "filename";
}

function listFilter(test: ValueTest, listed: Iterable<Scalar>): Record<string, unknown> {
  if (isOfFile(test)) return { type: "in", key: "file_id", value: [...listed] };
  return { type: test.holds(undefined) ? "nin" : "in", key: test.key, value: [...listed] };
}

/** Null where there is no condition. Throws a 400 for a value that its operator cannot be asked with. */
export function planOf({ metadata_condition: given }: DifyBody): Plan | null {
  const conditions = given?.conditions ?? [];
  const parts = conditions.flatMap((condition, i) =>
    saysNothing(condition) ? [] : [partOf(condition, `metadata_condition.conditions[${i}].value`)],
  );
  if (parts.length === 0) return null;
  return {
    tests: parts.filter(isTest),
    filter: (listed) => ({
      type: given?.logical_operator ?? "and",
      filters: parts.map((part) => (isTest(part) ? listFilter(part, listed.get(part) ?? []) : part)),
    }),
  };
}

/** Dify sends a condition whose value nobody gave (a variable that is not set, say); of its own documents it asks no such. */
function saysNothing({ comparison_operator: operator, value }: Condition): boolean {
  return value === null && operator !== "empty" && operator !== "not empty";
}

function isTest(part: Part): part is ValueTest {
  return typeof part["holds"] === "function";
}

function partOf({ name, comparison_operator: operator, value }: Condition, param: string): Part {
  const key = name === "document_id" ? "file_id" : name;
  const compared = () => given(value, operator, param);
  switch (operator) {
    case "is":
    case "=":
      return { type: "in", key, value: spellings([single(compared(), operator, param)]) };
    case "is not":
    case "≠":
      return { type: "nin", key, value: spellings([single(compared(), operator, param)]) };
    case "in":
      return { type: "in", key, value: spellings(listOf(compared())) };
    case "not in":
      return { type: "nin", key, value: spellings(listOf(compared())) };
    case "empty":
      return { type: "or", filters: [{ [key]: { $exists: false } }, { type: "eq", key, value: "" }] };
    case "not empty":
      return { type: "and", filters: [{ [key]: { $exists: true } }, { type: "ne", key, value: "" }] };
    case ">":
    case "<":
    case "≥":
    case "≤":
      return { type: RANGES[operator], key, value: numberOf(single(compared(), operator, param), operator, param) };
    case "contains":
    case "not contains":
    case "start with":
    case "end with": {
      const wanted = composed(String(single(compared(), operator, param)));
      return { key, holds: (value) => TEXTS[operator](textOf(value), wanted) };
    }
    case "before":
    case "after": {
      const at = momentOf(single(compared(), operator, param));
      if (at === null)
        throw invalid(param, `'${operator}' compares dates: give one such as 2024-12-31, or Unix seconds`);
      return { key, holds: (value) => isOn(operator, momentOf(value), at) };
    }
  }
}

const RANGES = { ">": "gt", "<": "lt", "≥": "gte", "≤": "lte" } as const;

/** What lacks the attribute holds nothing, and so does not contain anything either. */
const TEXTS = {
  contains: (own: string | null, wanted: string) => own?.includes(wanted) === true,
  "not contains": (own: string | null, wanted: string) => own?.includes(wanted) !== true,
  "start with": (own: string | null, wanted: string) => own?.startsWith(wanted) === true,
  "end with": (own: string | null, wanted: string) => own?.endsWith(wanted) === true,
} as const;

function isOn(side: "before" | "after", own: number | null, at: number): boolean {
  return own !== null && (side === "before" ? own < at : own > at);
}

function textOf(value: Scalar | undefined): string | null {
  return value === undefined ? null : composed(String(value));
}

type Given = NonNullable<Condition["value"]>;

function given(value: Condition["value"], operator: string, param: string): Given {
  if (value != null) return value;
  throw new AppError(
    "missing_required_parameter",
    `Missing required parameter: '${param}': '${operator}' compares with it.`,
    {
      param,
    },
  );
}

function single(value: Given, operator: string, param: string): string | number {
  if (!Array.isArray(value)) return value;
  const [only] = value;
  if (only !== undefined && value.length === 1) return only;
  throw invalid(param, `'${operator}' compares with one value; use 'in' or 'not in' for a list`);
}

/** Dify writes a list as one text with commas where a person typed it. */
function listOf(value: Given): (string | number)[] {
  if (typeof value === "number" || Array.isArray(value)) return [value].flat();
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** What a person types is text; an attribute may be a number, or true or false. */
function spellings(values: readonly (string | number)[]): Scalar[] {
  const all = values.flatMap((value): Scalar[] => {
    if (typeof value === "number") return [value, String(value)];
    if (value === "true" || value === "false") return [value, value === "true"];
    return isNumber(value) ? [value, Number(value)] : [value];
  });
  return [...new Set(all)];
}

function isNumber(text: string): boolean {
  return text.trim() !== "" && Number.isFinite(Number(text));
}

function numberOf(value: string | number, operator: string, param: string): number {
  if (typeof value === "number") return value;
  if (isNumber(value)) return Number(value);
  throw invalid(
    param,
    `'${operator}' compares numbers, and '${shown(value)}' is none; for dates use 'before' and 'after'`,
  );
}

/** Unix seconds of a date as attributes and people have it: seconds, or ISO 8601 (of a day, its beginning in UTC). */
function momentOf(value: Scalar | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return null;
  if (isNumber(value) && !/^\d{4}$/.test(value)) return Number(value);
  if (!ISO_DATE.test(value)) return null;
  const ms = Date.parse(value.includes("T") || value.includes(":") ? withZone(value) : value);
  return Number.isNaN(ms) ? null : ms / 1000;
}

const ISO_DATE = /^\d{4}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/** A time without a zone is taken for UTC, wherever the server stands. */
function withZone(value: string): string {
  return /(Z|[+-]\d{2}:?\d{2})$/.test(value) ? value.replace(" ", "T") : `${value.replace(" ", "T")}Z`;
}

function invalid(param: string, reason: string): AppError {
  return new AppError("invalid_value", `Invalid '${param}': ${reason}.`, { param });
}
