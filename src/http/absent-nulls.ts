import { fitsKind, flatten, memberSchema } from "./json-schema.ts";
import type { Names, Schema } from "./json-schema.ts";

/**
 * Clients write every optional member and put `null` where the user gave nothing. A null at an optional property whose
 * schema has no null is left out; where the schema has one it stays, for there it means something. Entries of maps and
 * items of lists are no optional properties.
 */
export function withoutNulls(schema: Schema, value: unknown, names: Names): unknown {
  return clean(flattened([schema], names), value, names);
}

/** `schemas` are the alternatives that the value may be meant for. The same value where nothing is left out. */
function clean(schemas: Schema[], value: unknown, names: Names): unknown {
  if (typeof value !== "object" || value === null) return value;
  const fitting = schemas.filter((schema) => fitsKind(schema, value));
  if (Array.isArray(value)) {
    const items = inside(fitting, ({ items: item }) => item, names);
    if (!items.some(hasMembers)) return value;
    const cleaned = value.map((item) => clean(items, item, names));
    return cleaned.some((item, i) => item !== value[i]) ? cleaned : value;
  }
  if (!fitting.some(hasMembers)) return value;
  let isChanged = false;
  const members = Object.entries(value).flatMap(([key, member]): [string, unknown][] => {
    const inner = inside(fitting, (schema) => memberSchema(schema, key), names);
    if (member === null && isAbsent(fitting, inner, key)) {
      isChanged = true;
      return [];
    }
    const cleaned = clean(inner, member, names);
    isChanged ||= cleaned !== member;
    return [[key, cleaned]];
  });
  // Built anew only with the members that stay; `fromEntries` keeps `__proto__` a key like any other.
  return isChanged ? Object.fromEntries(members) : value;
}

/** Of what a schema says nothing about nothing is left out, however much there is of it. */
function hasMembers({ type }: Schema): boolean {
  return type === "object" || type === "array";
}

function inside(schemas: Schema[], find: (schema: Schema) => Schema | undefined, names: Names): Schema[] {
  const found = schemas.flatMap((schema) => find(schema) ?? []);
  return flattened(found, names);
}

function isAbsent(schemas: Schema[], inner: Schema[], key: string): boolean {
  const owners = schemas.filter((schema) => Object.hasOwn(schema.properties ?? {}, key));
  const isOptional = owners.length > 0 && !owners.some((schema) => schema.required?.includes(key) === true);
  return isOptional && !inner.some((schema) => ("const" in schema ? schema.const === null : fitsKind(schema, null)));
}

function flattened(schemas: Schema[], names: Names): Schema[] {
  return schemas
    .flatMap((schema) => flatten(schema, names))
    .flatMap((schema) => (schema.allOf === undefined ? [schema] : flattened(schema.allOf, names)));
}
