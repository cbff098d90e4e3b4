import { AppError } from "../errors.ts";
import { kindOf, shown } from "../platform/words.ts";
import { canonicalKey, composed, FILENAME_KEY } from "../index/filter.ts";
import type { Filter, Scalar } from "../index/filter.ts";

/** Compound filters inside one another at most. */
export const MAX_FILTER_DEPTH = 16;
/** Values to compare with, in all of a filter, at most. */
export const MAX_FILTER_VALUES = 100_000;

/** Characters of a file's name at most, and so of what one may be compared with in another spelling. */
const MAX_NAME = 512;
/** Names in a list at most that are looked for in another spelling. */
const MAX_SPELT = 1000;

const COMPARISONS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"] as const;
type Comparison = (typeof COMPARISONS)[number];
const DOLLAR: Readonly<Record<string, Comparison | "exists">> = {
  $eq: "eq",
  $ne: "ne",
  $gt: "gt",
  $gte: "gte",
  $lt: "lt",
  $lte: "lte",
  $in: "in",
  $nin: "nin",
  $exists: "exists",
};

const OPERATORS = [...COMPARISONS, "and", "or"] as const;
/** An object that has two of these was meant as OpenAI's form. */
const TYPED_KEYS = ["type", "key", "value", "filters"];

export interface FilterRules {
  /** Where it stands in the request, for errors. */
  param?: string;
  /** Only OpenAI's form exists. */
  typedOnly?: boolean | undefined;
}

/**
 * What a client sent as `filters`, as the tree that the index evaluates.
 *
 * An object is OpenAI's form if its `type` is an operator's name, in whatever case, or if it has two of OpenAI's keys:
 * what is meant as that form and is not valid is refused, for read in another way it would silently find nothing. Every
 * other object is the plain form: each property is an equality (scalar), an `in` (array) or, for an object, `$`
 * operators, all of which must hold. So an attribute that happens to be called `type` can be asked for as well.
 * Throws a 400 that names the place, e.g. `filters.filters[1].key`.
 */
export function parseFilter(value: unknown, { param = "filters", typedOnly = false }: FilterRules = {}): Filter {
  const filter = parse(value, { path: param, depth: 0, typedOnly });
  if (countValues(filter) > MAX_FILTER_VALUES) {
    throw new AppError("invalid_value", `Invalid '${param}': it compares with more than ${MAX_FILTER_VALUES} values.`, {
      param,
    });
  }
  return filter;
}

interface Place {
  path: string;
  depth: number;
  typedOnly: boolean;
}

function countValues(filter: Filter): number {
  if ("filters" in filter) return filter.filters.reduce((sum, part) => sum + countValues(part), 1);
  return Array.isArray(filter.value) ? filter.value.length : 1;
}

function parse(value: unknown, place: Place): Filter {
  const { path, typedOnly } = place;
  if (!isObject(value)) throw wrongType(path, "an object", value);
  if (isTyped(value)) return typed(value, place);
  if (typedOnly) throw invalid(path, "expected an object with 'type', 'key' and 'value', or 'type' and 'filters'");
  const parts = Object.entries(value).flatMap(([key, wanted]) => plain(key, wanted, `${path}.${key}`));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { op: "and", filters: parts };
}

function isTyped(value: Record<string, unknown>): boolean {
  const { type } = value;
  if (typeof type === "string" && isOperator(type.toLowerCase())) return true;
  return TYPED_KEYS.filter((key) => Object.hasOwn(value, key)).length >= 2;
}

function typed(given: Record<string, unknown>, { path, depth, typedOnly }: Place): Filter {
  // Clients that have one class for both forms write the members of the other as null.
  const value = Object.fromEntries(
    Object.entries(given).filter(([key, member]) => member !== null || !TYPED_KEYS.includes(key)),
  );
  const { type, key, filters } = value;
  if (type === undefined) throw invalid(`${path}.type`, "it is missing");
  if (!isOperator(type)) throw invalid(`${path}.type`, noOperator(type));
  if (isComparison(type)) {
    if (key === undefined) throw invalid(`${path}.key`, "it is missing");
    if (typeof key !== "string") throw invalid(`${path}.key`, `expected a string, but got ${kindOf(key)}`);
    if (value["value"] === undefined) throw invalid(`${path}.value`, "it is missing");
    onlyKeys(value, ["type", "key", "value"], path);
    return typedComparison(type, key, value["value"], `${path}.value`);
  }
  if (filters === undefined) throw invalid(`${path}.filters`, "it is missing");
  if (!Array.isArray(filters)) throw invalid(`${path}.filters`, `expected a list, but got ${kindOf(filters)}`);
  onlyKeys(value, ["type", "filters"], path);
  if (depth >= MAX_FILTER_DEPTH) {
    const text = `Invalid '${path}': filters may be nested ${MAX_FILTER_DEPTH} deep at most.`;
    throw new AppError("invalid_value", text, { param: path });
  }
  return {
    op: type,
    filters: filters.map((part, i) => parse(part, { path: `${path}.filters[${i}]`, depth: depth + 1, typedOnly })),
  };
}

/** The same as in the plain form, but what is wrong with it is told as of a typed filter. */
function typedComparison(op: Comparison, key: string, value: unknown, path: string): Filter {
  const isList = Array.isArray(value);
  if (isList && op !== "in" && op !== "nin")
    throw invalid(path, `'${op}' compares with one value; use 'in' or 'nin' for a list`);
  const wrong = (isList ? value : [value]).findIndex((item) => !isScalar(item));
  if (wrong >= 0) {
    const item: unknown = isList ? value[wrong] : value;
    throw invalid(isList ? `${path}[${wrong}]` : path, `expected a string, number or boolean, but got ${kindOf(item)}`);
  }
  return comparison(op, key, value, path);
}

function noOperator(type: unknown): string {
  if (typeof type !== "string") return `expected an operator's name, but got ${kindOf(type)}`;
  const small = type.toLowerCase();
  return isOperator(small) ? `operators are written small, '${small}'` : `there is no operator '${shown(type)}'`;
}

function invalid(param: string, reason: string): AppError {
  return new AppError("invalid_filter", `Invalid '${param}': ${reason}. Operators are ${OPERATORS.join(", ")}.`, {
    param,
  });
}

/** One property of the plain form. */
function plain(key: string, wanted: unknown, path: string): Filter[] {
  if (Array.isArray(wanted)) return [comparison("in", key, wanted, path)];
  if (!isObject(wanted)) return [comparison("eq", key, wanted, path)];
  const operators = Object.entries(wanted);
  if (operators.length === 0) {
    throw new AppError(
      "invalid_value",
      `Invalid '${path}': expected a value or an object with operators such as '$gte'.`,
      { param: path },
    );
  }
  return operators.map(([operator, operand]): Filter => {
    const op = Object.hasOwn(DOLLAR, operator) ? DOLLAR[operator] : undefined;
    const place = `${path}.${operator}`;
    if (op === undefined) {
      throw new AppError(
        "unknown_parameter",
        `Unknown parameter: '${place}'. Operators are ${Object.keys(DOLLAR).join(", ")}.`,
        {
          param: place,
        },
      );
    }
    if (op !== "exists") return comparison(op, key, operand, place);
    if (typeof operand !== "boolean") throw wrongType(place, "a boolean", operand);
    return { op, key, value: operand };
  });
}

function comparison(op: Comparison, key: string, value: unknown, path: string): Filter {
  const isList = Array.isArray(value);
  const given = (isList ? value : [value]).map((item, i) => scalar(item, isList ? `${path}[${i}]` : path));
  const values = canonicalKey(key) === FILENAME_KEY && given.length <= MAX_SPELT ? given.map(asName) : given;
  if (op === "in" || op === "nin") return { op, key, value: values };
  const [only] = values;
  if (isList || only === undefined) {
    const text = `Invalid '${path}': '${op}' compares with one value; use 'in' or 'nin' for a list.`;
    throw new AppError("invalid_value", text, { param: path });
  }
  return { op, key, value: only };
}

/** Names of files are compared with their accents composed, however they were sent and however they are asked for. */
function asName(value: Scalar): Scalar {
  return typeof value === "string" && value.length <= MAX_NAME ? composed(value) : value;
}

function scalar(value: unknown, path: string): Scalar {
  if (isScalar(value)) return value;
  throw wrongType(path, "a string, number or boolean", value);
}

function isScalar(value: unknown): value is Scalar {
  // JSON can write numbers that are too large for one.
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function onlyKeys(object: Record<string, unknown>, known: readonly string[], path: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new AppError("unknown_parameter", `Unknown parameter: '${path}.${unknown}'.`, {
      param: `${path}.${unknown}`,
    });
  }
}

function wrongType(path: string, expected: string, got: unknown): AppError {
  return new AppError(
    "invalid_type",
    `Invalid type for '${path}': expected ${expected}, but got ${kindOf(got)} instead.`,
    {
      param: path,
    },
  );
}

function isComparison(type: unknown): type is Comparison {
  return COMPARISONS.some((op) => op === type);
}

function isOperator(type: unknown): type is (typeof OPERATORS)[number] {
  return OPERATORS.some((op) => op === type);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
