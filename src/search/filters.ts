import { AppError } from "../errors.ts";
import { canonicalKey, composed, FILENAME_KEY, type Filter, type Scalar } from "../index/filter.ts";

/** Compound filters inside one another at most. */
export const MAX_FILTER_DEPTH = 16;
/** Values to compare with, in all of a filter, at most. */
export const MAX_FILTER_VALUES = 100_000;

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

/**
 * What a client sent as `filters`, as the tree that the index evaluates.
 *
 * An object is OpenAI's form iff its `type` is one of the eight comparisons and it has `key` and `value`, or its `type`
 * is `and` or `or` and its `filters` is an array. Every other object is the plain form: each property is an equality
 * (scalar), an `in` (array) or, for an object, `$` operators, all of which must hold. So an attribute that happens to
 * be called `type` can be asked for as well.
 * Throws a 400 that names the place, e.g. `filters.filters[1].key`.
 */
export function parseFilter(value: unknown, param = "filters"): Filter {
  const filter = parse(value, param, 0);
  if (countValues(filter) > MAX_FILTER_VALUES) {
    throw new AppError("invalid_value", `Invalid '${param}': it compares with more than ${MAX_FILTER_VALUES} values.`, {
      param,
    });
  }
  return filter;
}

function countValues(filter: Filter): number {
  if ("filters" in filter) return filter.filters.reduce((sum, part) => sum + countValues(part), 1);
  return Array.isArray(filter.value) ? filter.value.length : 1;
}

function parse(value: unknown, path: string, depth: number): Filter {
  if (!isObject(value)) throw wrongType(path, "an object", value);
  const { type } = value;
  if (isComparison(type) && Object.hasOwn(value, "key") && Object.hasOwn(value, "value")) {
    onlyKeys(value, ["type", "key", "value"], path);
    const { key } = value;
    if (typeof key !== "string") throw wrongType(`${path}.key`, "a string", key);
    return comparison(type, key, value["value"], `${path}.value`);
  }
  if ((type === "and" || type === "or") && Array.isArray(value["filters"])) {
    onlyKeys(value, ["type", "filters"], path);
    if (depth >= MAX_FILTER_DEPTH) {
      throw new AppError(
        "invalid_value",
        `Invalid '${path}': filters may be nested ${MAX_FILTER_DEPTH} deep at most.`,
        { param: path },
      );
    }
    return {
      op: type,
      filters: value["filters"].map((part, i) => parse(part, `${path}.filters[${i}]`, depth + 1)),
    };
  }
  const parts = Object.entries(value).flatMap(([key, wanted]) => plain(key, wanted, `${path}.${key}`));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { op: "and", filters: parts };
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
  if (op === "in" || op === "nin") {
    const values = Array.isArray(value) ? value : [value];
    return {
      op,
      key,
      value: values.map((item, i) => operandOf(key, item, Array.isArray(value) ? `${path}[${i}]` : path)),
    };
  }
  if (Array.isArray(value)) {
    throw new AppError(
      "invalid_value",
      `Invalid '${path}': '${op}' compares with one value; use 'in' or 'nin' for a list.`,
      { param: path },
    );
  }
  return { op, key, value: operandOf(key, value, path) };
}

function operandOf(key: string, value: unknown, path: string): Scalar {
  const operand = scalar(value, path);
  return typeof operand === "string" && canonicalKey(key) === FILENAME_KEY ? composed(operand) : operand;
}

function scalar(value: unknown, path: string): Scalar {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  throw wrongType(path, "a string, number or boolean", value);
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
    `Invalid type for '${path}': expected ${expected}, but got ${nameOfType(got)} instead.`,
    {
      param: path,
    },
  );
}

function nameOfType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isComparison(type: unknown): type is Comparison {
  return COMPARISONS.some((op) => op === type);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
