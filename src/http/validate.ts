import type { TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { withoutNulls } from "./absent-nulls.ts";
import { collectNames, expectedKind, fitsKind, flatten, literalsOf, memberSchema, resolve } from "./json-schema.ts";
import type { Names, Schema } from "./json-schema.ts";
import { kindOf, shown, withArticle } from "../platform/words.ts";
import { series } from "./problem-words.ts";

/**
 * Validation of requests: TypeBox decides whether a value is valid (compiled, exact, no conversions);
 * only a value that is not is walked again, to find its first problem and to say it in OpenAI's words.
 * "First" means: keys in the order of the document, unknown ones included, then what is missing.
 */
export interface Validator {
  /** Null when valid. */
  problem(value: unknown): Problem | null;
  /** A body without the optional members that are null where the schema has no null: there it means "not given". */
  read(body: unknown): { value: unknown; problem: Problem | null };
}

export interface Problem {
  code: ErrorCode;
  message: string;
  /** The parameter at fault (`filters.key`, `files[2].file_id`); null for the body as a whole. */
  param: string | null;
}

const compiled = new WeakMap<TSchema, Validator>();

/** Compiled once of each schema, which therefore must not be changed afterwards. */
export function compileValidator(schema: TSchema): Validator {
  let validator = compiled.get(schema);
  if (validator === undefined) compiled.set(schema, (validator = compile(schema)));
  return validator;
}

function compile(schema: TSchema): Validator {
  const check = TypeCompiler.Compile(schema);
  const names: Names = new Map();
  collectNames(schema as Schema, names);
  const problem = (value: unknown) => (check.Check(value) ? null : problemOf(schema as Schema, value, names));
  return {
    problem,
    read(body) {
      // What is valid as it stands has no null in the wrong place.
      if (check.Check(body)) return { value: body, problem: null };
      const value = withoutNulls(schema as Schema, body, names);
      return { value, problem: value === body ? problemOf(schema as Schema, body, names) : problem(value) };
    },
  };
}

/** @throws AppError for the first problem of `value`. */
export function assertValid(validator: Validator, value: unknown): void {
  assertNone(validator.problem(value));
}

/** @throws AppError for the problem, if there is one. */
export function assertNone(problem: Problem | null): void {
  if (problem !== null) throw new AppError(problem.code, problem.message, { param: problem.param ?? undefined });
}

/** Where the walk is. The path is written out only for a problem: a large body has millions of places. */
interface Place {
  readonly names: Names;
  readonly segments: (string | number)[];
}

function problemOf(schema: Schema, value: unknown, names: Names): Problem {
  return (
    firstProblem(schema, value, { names, segments: [] }) ?? {
      code: "invalid_value",
      message: "Invalid request.",
      param: null,
    }
  );
}

/** The problem of what stands at `segment` of the place. */
function problemAt(schema: Schema, value: unknown, at: Place, segment: string | number): Problem | null {
  at.segments.push(segment);
  const problem = firstProblem(schema, value, at);
  at.segments.pop();
  return problem;
}

function firstProblem(given: Schema, value: unknown, at: Place): Problem | null {
  const schema = resolve(given, at.names);
  if (schema.anyOf !== undefined) return unionProblem(schema.anyOf, value, at);
  if (schema.allOf !== undefined) return firstOf(schema.allOf, (part) => firstProblem(part, value, at));
  if ("const" in schema) return value === schema.const ? null : literalProblem([schema.const], value, at);
  if (!fitsKind(schema, value)) return typeProblem([schema], value, at);
  switch (schema.type) {
    case "object":
      return objectProblem(schema, value as Record<string, unknown>, at);
    case "array":
      return arrayProblem(schema, value as unknown[], at);
    case "string":
      return stringProblem(schema, value as string, at);
    case "integer":
    case "number":
      return numberProblem(schema, value as number, at);
    default:
      return null;
  }
}

function objectProblem(schema: Schema, value: Record<string, unknown>, at: Place): Problem | null {
  const keys = Object.keys(value);
  if (schema.maxProperties !== undefined && keys.length > schema.maxProperties) {
    const { maxProperties } = schema;
    const path = pathOf(at);
    return {
      code: "object_above_max_properties",
      message: `Invalid '${path}': too many properties. Expected an object with at most ${maxProperties} properties, but got an object with ${keys.length} properties instead.`,
      param: path || null,
    };
  }
  for (const key of keys) {
    const inner = memberSchema(schema, key);
    if (inner !== undefined) {
      const problem = problemAt(inner, value[key], at, key);
      if (problem !== null) return problem;
    } else if (schema.additionalProperties === false) {
      const path = pathOf(at, key);
      return { code: "unknown_parameter", message: `Unknown parameter: '${path}'.`, param: path };
    }
  }
  const missing = (schema.required ?? []).find((key) => !Object.hasOwn(value, key));
  if (missing === undefined) return null;
  const path = pathOf(at, missing);
  return { code: "missing_required_parameter", message: `Missing required parameter: '${path}'.`, param: path };
}

function arrayProblem(schema: Schema, value: unknown[], at: Place): Problem | null {
  const { minItems, maxItems, items } = schema;
  const length = value.length;
  if (maxItems !== undefined && length > maxItems) {
    const path = pathOf(at);
    return {
      code: "array_above_max_length",
      message: `Invalid '${path}': array too long. Expected an array with maximum length ${maxItems}, but got an array with length ${length} instead.`,
      param: path || null,
    };
  }
  if (minItems !== undefined && length < minItems) {
    const path = pathOf(at);
    const message =
      length === 0
        ? `Invalid '${path}': empty array. Expected an array with minimum length ${minItems}, but got an empty array instead.`
        : `Invalid '${path}': array too short. Expected an array with minimum length ${minItems}, but got an array with length ${length} instead.`;
    return { code: "array_below_min_length", message, param: path || null };
  }
  if (items === undefined) return null;
  const isFine = numberCheck(items);
  for (let i = 0; i < length; i++) {
    const problem = isFine?.(value[i]) === true ? null : problemAt(items, value[i], at, i);
    if (problem !== null) return problem;
  }
  return null;
}

/** Tells good numbers of a list quickly, of which there may be millions; null for lists of anything else. */
function numberCheck({ type, minimum = -Infinity, maximum = Infinity }: Schema): ((value: unknown) => boolean) | null {
  if (type !== "integer" && type !== "number") return null;
  const fits: (value: unknown) => boolean = type === "integer" ? Number.isInteger : Number.isFinite;
  return (value) => fits(value) && (value as number) >= minimum && (value as number) <= maximum;
}

function stringProblem(schema: Schema, value: string, at: Place): Problem | null {
  const { minLength, maxLength, pattern } = schema;
  if (maxLength !== undefined && value.length > maxLength) {
    const path = pathOf(at);
    return {
      code: "string_above_max_length",
      message: `Invalid '${path}': string too long. Expected a string with maximum length ${maxLength}, but got a string with length ${value.length} instead.`,
      param: path,
    };
  }
  if (minLength !== undefined && value.length < minLength) {
    const path = pathOf(at);
    const message =
      value === ""
        ? `Invalid '${path}': empty string. Expected a string with minimum length ${minLength}, but got an empty string instead.`
        : `Invalid '${path}': string too short. Expected a string with minimum length ${minLength}, but got a string with length ${value.length} instead.`;
    return { code: "string_below_min_length", message, param: path };
  }
  if (pattern !== undefined && !new RegExp(pattern).test(value)) {
    const path = pathOf(at);
    return {
      code: "invalid_value",
      message: `Invalid '${path}': the string does not have the expected form.`,
      param: path,
    };
  }
  return null;
}

function numberProblem(schema: Schema, value: number, at: Place): Problem | null {
  const { minimum, maximum } = schema;
  const word = schema.type === "integer" ? "integer" : "decimal";
  if (maximum !== undefined && value > maximum) {
    const path = pathOf(at);
    return {
      code: `${word}_above_max_value`,
      message: `Invalid '${path}': ${word} above maximum value. Expected a value <= ${maximum}, but got ${value} instead.`,
      param: path,
    };
  }
  if (minimum !== undefined && value < minimum) {
    const path = pathOf(at);
    return {
      code: `${word}_below_min_value`,
      message: `Invalid '${path}': ${word} below minimum value. Expected a value >= ${minimum}, but got ${value} instead.`,
      param: path,
    };
  }
  return null;
}

/** The problem of the branch that the value was meant for: the one of its kind, told apart by a literal property. */
function unionProblem(branches: Schema[], value: unknown, at: Place): Problem | null {
  const flat = branches.flatMap((branch) => flatten(branch, at.names));
  const literals = flat.filter((branch) => "const" in branch);
  if (literals.some((branch) => branch.const === value)) return null;
  const ofKind = flat.filter((branch) => !("const" in branch) && fitsKind(branch, value));
  const sameType = literals.filter((branch) => typeof branch.const === typeof value);
  if (ofKind.length === 0) {
    if (sameType.length > 0)
      return literalProblem(
        sameType.map((branch) => branch.const),
        value,
        at,
      );
    return typeProblem(flat, value, at);
  }
  const problems = ofKind.map((branch) => firstProblem(branch, value, at));
  if (problems.includes(null)) return null;
  if (ofKind.length === 1) return problems[0] ?? null;
  const chosen = discriminate(ofKind, value, at);
  return "code" in chosen ? chosen : firstProblem(chosen, value, at);
}

/** Of several object branches the one whose literal properties the value has; or what is wrong with that property. */
function discriminate(branches: Schema[], value: unknown, at: Place): Schema | Problem {
  const first = branches[0] ?? {};
  if (first.type === "array") return deepest(branches, value, at);
  const object = value as Record<string, unknown>;
  const key = Object.keys(first.properties ?? {}).find((name) =>
    branches.every(
      (branch) =>
        branch.required?.includes(name) === true && literalsOf(branch.properties?.[name], at.names).length > 0,
    ),
  );
  if (key === undefined)
    return branches.find((branch) => branch.required?.every((name) => Object.hasOwn(object, name))) ?? first;
  if (!Object.hasOwn(object, key)) {
    const path = pathOf(at, key);
    return { code: "missing_required_parameter", message: `Missing required parameter: '${path}'.`, param: path };
  }
  const matching = branches.filter((branch) => literalsOf(branch.properties?.[key], at.names).includes(object[key]));
  if (matching.length === 0) {
    const supported = branches.flatMap((branch) => literalsOf(branch.properties?.[key], at.names));
    return literalProblem(supported, object[key], { ...at, segments: [...at.segments, key] });
  }
  return (
    matching.find((branch) => branch.required?.every((name) => Object.hasOwn(object, name))) ?? matching[0] ?? first
  );
}

/** Of several array branches the one whose problem lies furthest into the array. */
function deepest(branches: Schema[], value: unknown, at: Place): Schema {
  const first = (value as unknown[])[0];
  return (
    branches.find((branch) => branch.items !== undefined && firstProblem(branch.items, first, at) === null) ??
    branches[0] ??
    {}
  );
}

function literalProblem(supported: unknown[], value: unknown, at: Place): Problem {
  const path = pathOf(at);
  const values = [...new Set(supported)].map((one) => (typeof one === "string" ? `'${one}'` : String(one)));
  if (supported.some((one) => typeof one === typeof value)) {
    const given = typeof value === "string" ? `'${shown(value)}'` : String(value);
    return {
      code: "invalid_value",
      message: `Invalid value: ${given}. Supported values are: ${series(values, "and")}.`,
      param: path,
    };
  }
  const expected = values.length === 1 ? String(values[0]) : `one of ${series(values, "or")}`;
  return {
    code: "invalid_type",
    message: `Invalid type for '${path}': expected ${expected}, but got ${kindOf(value)} instead.`,
    param: path,
  };
}

function typeProblem(schemas: Schema[], value: unknown, at: Place): Problem {
  const path = pathOf(at);
  const kinds = [...new Set(schemas.map((schema) => expectedKind(schema, at.names)))];
  const expected = kinds.length === 1 ? withArticle(kinds[0] ?? "") : `one of ${withArticle(series(kinds, "or"))}`;
  const where = path === "" ? "Invalid type for the request body" : `Invalid type for '${path}'`;
  return {
    code: "invalid_type",
    message: `${where}: expected ${expected}, but got ${kindOf(value)} instead.`,
    param: path || null,
  };
}

function pathOf({ segments }: Place, inner?: string): string {
  const all = inner === undefined ? segments : [...segments, inner];
  return all.reduce<string>((path, segment) => {
    if (typeof segment === "number") return `${path}[${segment}]`;
    return path === "" ? shown(segment) : `${path}.${shown(segment)}`;
  }, "");
}

function firstOf<T, R>(items: T[], find: (item: T) => R | null): R | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}
