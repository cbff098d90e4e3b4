import { fitsKind, flatten } from "./json-schema.ts";
import type { Names, Schema } from "./json-schema.ts";

/**
 * Clients write every optional member and put `null` where the user gave nothing. A null at an optional property whose
 * schema has no null is left out; where the schema has one it stays, for there it means something. Entries of maps and
 * items of lists are no optional properties.
 */
export function withoutNulls(schema: Schema, value: unknown, names: Names): unknown {
  return clean(flattened([schema], names), value, names);
}

/** `schemas` are the alternatives that the value may be meant for. */
function clean(schemas: Schema[], value: unknown, names: Names): unknown {
  if (typeof value !== "object" || value === null) return value;
  const fitting = schemas.filter((schema) => fitsKind(schema, value));
  if (Array.isArray(value)) {
    const items = flattened(
      fitting.flatMap((schema) => schema.items ?? []),
      names,
    );
    if (!items.some((item) => item.type === "object" || item.type === "array")) return value;
    return value.map((item) => clean(items, item, names));
  }
  // Built anew only with the members that stay; `fromEntries` keeps `__proto__` a key like any other.
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => {
      const inner = flattened(
        fitting.flatMap((schema) => memberSchema(schema, key) ?? []),
        names,
      );
      if (member === null) return isAbsent(fitting, inner, key) ? [] : [[key, member]];
      return [[key, clean(inner, member, names)]];
    }),
  );
}

function isAbsent(schemas: Schema[], inner: Schema[], key: string): boolean {
  const owners = schemas.filter((schema) => Object.hasOwn(schema.properties ?? {}, key));
  const isOptional = owners.length > 0 && !owners.some((schema) => schema.required?.includes(key) === true);
  return isOptional && !inner.some((schema) => ("const" in schema ? schema.const === null : fitsKind(schema, null)));
}

function memberSchema(schema: Schema, key: string): Schema | undefined {
  if (Object.hasOwn(schema.properties ?? {}, key)) return schema.properties?.[key];
  const pattern = Object.entries(schema.patternProperties ?? {}).find(([regex]) => new RegExp(regex).test(key));
  if (pattern !== undefined) return pattern[1];
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

function flattened(schemas: Schema[], names: Names): Schema[] {
  return schemas
    .flatMap((schema) => flatten(schema, names))
    .flatMap((schema) => (schema.allOf === undefined ? [schema] : flattened(schema.allOf, names)));
}
