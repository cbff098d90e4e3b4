import { plural } from "./problem-words.ts";

/** The parts of JSON Schema that TypeBox writes. */
export interface Schema {
  $id?: string;
  $ref?: string;
  type?: string;
  const?: unknown;
  anyOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  maxProperties?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

/** Schemas by their `$id`, for those that refer to themselves. */
export type Names = Map<string, Schema>;

export function fitsKind(schema: Schema, value: unknown): boolean {
  switch (schema.type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "null":
      return value === null;
    case undefined:
      return true;
    default:
      return typeof value === schema.type;
  }
}

export function expectedKind(schema: Schema, names: Names): string {
  if ("const" in schema) return `'${String(schema.const)}'`;
  if (schema.type === "array" && schema.items !== undefined) {
    const items = [...new Set(flatten(schema.items, names).map((item) => expectedKind(item, names)))];
    return items.length === 1 && items[0] !== "value" ? `array of ${plural(items[0] ?? "")}` : "array";
  }
  if (schema.type === "number") return "decimal";
  return schema.type ?? "value";
}

export function resolve(schema: Schema, names: Names): Schema {
  return schema.$ref === undefined ? schema : (names.get(schema.$ref) ?? {});
}

export function flatten(given: Schema, names: Names): Schema[] {
  const schema = resolve(given, names);
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap((branch) => flatten(branch, names));
}

/** The schema of an object's member, if it has one. */
export function memberSchema(schema: Schema, key: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  for (const pattern in schema.patternProperties)
    if (regexOf(pattern).test(key)) return schema.patternProperties[pattern];
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

const regexes = new Map<string, RegExp>();

/** Of patterns in our own schemas, which are few. */
function regexOf(pattern: string): RegExp {
  let regex = regexes.get(pattern);
  if (regex === undefined) regexes.set(pattern, (regex = new RegExp(pattern)));
  return regex;
}

export function literalsOf(schema: Schema | undefined, names: Names): unknown[] {
  if (schema === undefined) return [];
  const flat = flatten(schema, names);
  return flat.every((branch) => "const" in branch) ? flat.map((branch) => branch.const) : [];
}

export function collectNames(schema: Schema, names: Names): void {
  if (schema.$id !== undefined) names.set(schema.$id, schema);
  for (const inner of Object.values(schema)) {
    if (Array.isArray(inner)) {
      for (const item of inner) if (typeof item === "object" && item !== null) collectNames(item as Schema, names);
    } else if (typeof inner === "object" && inner !== null) collectNames(inner as Schema, names);
  }
}
