import { AppError } from "../errors.ts";
import { kindOf, shown } from "../platform/words.ts";
import { canonicalKey, composed, FILENAME_KEY } from "../index/filter.ts";
import type { Filter, Scalar } from "../index/filter.ts";

/** Compound filters inside one another at most. */
export const MAX_FILTER_DEPTH = 16;
/** Comparisons in all of a filter at most; a compound filter of nothing counts as one. */
export const MAX_FILTER_COMPARISONS = 256;
/** Values in all lists of a filter together at most. */
export const MAX_FILTER_VALUES = 100_000;

/** Characters of a file's name at most, and so of what one may be compared with in another spelling. */
const MAX_NAME = 512;
/** Names in all of a filter at most that are looked for in another spelling. */
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
 *
 * What is beyond a bound is refused before anything of it is built: reading costs in proportion to the bounds, not to
 * what was sent.
 */
export function parseFilter(value: unknown, { param = "filters", typedOnly = false }: FilterRules = {}): Filter {
  const place = { within: null, step: param };
  return parse(value, place, { depth: 0, typedOnly, count: new Count(param) });
}

/** Where something stands; it is put into words only where something is wrong with it. */
interface Place {
  within: Place | null;
  step: string | number;
}

function at(within: Place, step: string | number): Place {
  return { within, step };
}

function pathOf({ within, step }: Place): string {
  if (within === null) return String(step);
  return pathOf(within) + (typeof step === "number" ? `[${step}]` : `.${shown(step)}`);
}

interface Reading {
  /** Compound filters around this one. */
  depth: number;
  typedOnly: boolean;
  count: Count;
}

/** What a filter has so far, and what it may have. */
class Count {
  readonly #param: string;
  #comparisons = 0;
  #values = 0;
  #names = 0;

  constructor(param: string) {
    this.#param = param;
  }

  comparison(): void {
    this.#comparisons += 1;
    if (this.#comparisons > MAX_FILTER_COMPARISONS) {
      throw this.#beyond(
        `more than ${MAX_FILTER_COMPARISONS} comparisons; for many values of one key, use one 'in' or 'nin' with a list`,
      );
    }
  }

  /** Before a list is looked at. */
  values(count: number): void {
    this.#values += count;
    if (this.#values > MAX_FILTER_VALUES) {
      throw this.#beyond(
        `more than ${MAX_FILTER_VALUES} values in its lists; give the files that belong together an attribute of their own and compare with that, or search several times`,
      );
    }
  }

  /** Whether so many more names may be looked for in another spelling. */
  names(count: number): boolean {
    this.#names += count;
    return this.#names <= MAX_SPELT;
  }

  #beyond(what: string): AppError {
    const param = this.#param;
    return new AppError("invalid_filter", `Invalid '${param}': it has ${what}.`, { param });
  }
}

function parse(value: unknown, place: Place, reading: Reading): Filter {
  if (!isObject(value)) throw wrongType(place, "an object", value);
  if (isTyped(value)) return typed(value, place, reading);
  if (reading.typedOnly)
    throw invalid(place, "expected an object with 'type', 'key' and 'value', or 'type' and 'filters'");
  const parts: Filter[] = [];
  for (const key in value)
    if (Object.hasOwn(value, key)) plain({ key, wanted: value[key] }, at(place, key), { parts, reading });
  const [only] = parts;
  if (only === undefined) reading.count.comparison();
  return parts.length === 1 && only !== undefined ? only : { op: "and", filters: parts };
}

function isTyped(value: Record<string, unknown>): boolean {
  const { type } = value;
  if (typeof type === "string" && type.length <= 8 && isOperator(type.toLowerCase())) return true;
  return TYPED_KEYS.filter((key) => Object.hasOwn(value, key)).length >= 2;
}

function typed(value: Record<string, unknown>, place: Place, reading: Reading): Filter {
  // Clients that have one class for both forms write the members of the other as null.
  const [type, key, operand, filters] = TYPED_KEYS.map((name) =>
    Object.hasOwn(value, name) && value[name] !== null ? value[name] : undefined,
  );
  if (type === undefined) throw invalid(at(place, "type"), "it is missing");
  if (!isOperator(type)) throw invalid(at(place, "type"), noOperator(type));
  if (isComparison(type)) {
    if (key === undefined) throw invalid(at(place, "key"), "it is missing");
    if (typeof key !== "string") throw invalid(at(place, "key"), `expected a string, but got ${kindOf(key)}`);
    if (operand === undefined) throw invalid(at(place, "value"), "it is missing");
    onlyKeys(value, ["type", "key", "value"], place);
    return typedComparison({ op: type, key, operand }, at(place, "value"), reading);
  }
  const list = at(place, "filters");
  if (filters === undefined) throw invalid(list, "it is missing");
  if (!Array.isArray(filters)) throw invalid(list, `expected a list, but got ${kindOf(filters)}`);
  onlyKeys(value, ["type", "filters"], place);
  if (reading.depth >= MAX_FILTER_DEPTH) {
    const param = pathOf(place);
    const text = `Invalid '${param}': filters may be nested ${MAX_FILTER_DEPTH} deep at most.`;
    throw new AppError("invalid_value", text, { param });
  }
  if (filters.length === 0) reading.count.comparison();
  const parts: Filter[] = [];
  const deeper = { ...reading, depth: reading.depth + 1 };
  // Every part has a comparison or counts as one, so that this ends at the bound.
  for (const [i, part] of filters.entries()) parts.push(parse(part, at(list, i), deeper));
  return { op: type, filters: parts };
}

interface Compared {
  op: Comparison;
  key: string;
  operand: unknown;
}

/** The same as in the plain form, but what is wrong with it is told as of a typed filter. */
function typedComparison(compared: Compared, place: Place, { count }: Reading): Filter {
  const { op, operand } = compared;
  const isList = Array.isArray(operand);
  if (isList && op !== "in" && op !== "nin")
    throw invalid(place, `'${op}' compares with one value; use 'in' or 'nin' for a list`);
  countOf(operand, count);
  const wrong = (isList ? operand : [operand]).findIndex((item) => !isScalar(item));
  if (wrong >= 0) {
    const item: unknown = isList ? operand[wrong] : operand;
    throw invalid(isList ? at(place, wrong) : place, `expected a string, number or boolean, but got ${kindOf(item)}`);
  }
  return comparison(compared, place, count);
}

function countOf(operand: unknown, count: Count): void {
  count.comparison();
  if (Array.isArray(operand)) count.values(operand.length);
}

function noOperator(type: unknown): string {
  if (typeof type !== "string") return `expected an operator's name, but got ${kindOf(type)}`;
  const small = type.toLowerCase();
  return isOperator(small) ? `operators are written small, '${small}'` : `there is no operator '${shown(type)}'`;
}

function invalid(place: Place, reason: string): AppError {
  const param = pathOf(place);
  return new AppError("invalid_filter", `Invalid '${param}': ${reason}. Operators are ${OPERATORS.join(", ")}.`, {
    param,
  });
}

/** One property of the plain form: adds its comparisons to `parts`. */
function plain(
  { key, wanted }: { key: string; wanted: unknown },
  place: Place,
  { parts, reading: { count } }: { parts: Filter[]; reading: Reading },
): void {
  if (Array.isArray(wanted) || !isObject(wanted)) {
    countOf(wanted, count);
    parts.push(comparison({ op: Array.isArray(wanted) ? "in" : "eq", key, operand: wanted }, place, count));
    return;
  }
  let isEmpty = true;
  for (const operator in wanted) {
    if (!Object.hasOwn(wanted, operator)) continue;
    isEmpty = false;
    parts.push(dollar({ key, operator, operand: wanted[operator] }, at(place, operator), count));
  }
  if (!isEmpty) return;
  const param = pathOf(place);
  const text = `Invalid '${param}': expected a value or an object with operators such as '$gte'.`;
  throw new AppError("invalid_value", text, { param });
}

function dollar(
  { key, operator, operand }: { key: string; operator: string; operand: unknown },
  place: Place,
  count: Count,
): Filter {
  const op = Object.hasOwn(DOLLAR, operator) ? DOLLAR[operator] : undefined;
  if (op === undefined) {
    const param = pathOf(place);
    const text = `Unknown parameter: '${param}'. Operators are ${Object.keys(DOLLAR).join(", ")}.`;
    throw new AppError("unknown_parameter", text, { param });
  }
  countOf(operand, count);
  if (op !== "exists") return comparison({ op, key, operand }, place, count);
  if (typeof operand !== "boolean") throw wrongType(place, "a boolean", operand);
  return { op, key, value: operand };
}

function comparison({ op, key, operand }: Compared, place: Place, count: Count): Filter {
  const isList = Array.isArray(operand);
  const given: unknown[] = isList ? operand : [operand];
  const wrong = given.findIndex((item) => !isScalar(item));
  if (wrong >= 0) throw wrongType(isList ? at(place, wrong) : place, "a string, number or boolean", given[wrong]);
  const isSpelt = canonicalKey(key) === FILENAME_KEY && count.names(given.length);
  const values = isSpelt ? (given as Scalar[]).map(asName) : (given as Scalar[]);
  if (op === "in" || op === "nin") return { op, key, value: values };
  const [only] = values;
  if (isList || only === undefined) {
    const param = pathOf(place);
    const text = `Invalid '${param}': '${op}' compares with one value; use 'in' or 'nin' for a list.`;
    throw new AppError("invalid_value", text, { param });
  }
  return { op, key, value: only };
}

/** Names of files are compared with their accents composed, however they were sent and however they are asked for. */
function asName(value: Scalar): Scalar {
  return typeof value === "string" && value.length <= MAX_NAME ? composed(value) : value;
}

function isScalar(value: unknown): value is Scalar {
  // JSON can write numbers that are too large for one.
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function onlyKeys(object: Record<string, unknown>, known: readonly string[], place: Place): void {
  for (const key in object) {
    // A member of the other form counts as absent where it is null.
    if (known.includes(key) || (object[key] === null && TYPED_KEYS.includes(key))) continue;
    const param = pathOf(at(place, key));
    throw new AppError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
  }
}

function wrongType(place: Place, expected: string, got: unknown): AppError {
  const param = pathOf(place);
  const text = `Invalid type for '${param}': expected ${expected}, but got ${kindOf(got)} instead.`;
  return new AppError("invalid_type", text, { param });
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
