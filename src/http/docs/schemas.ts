import type { TSchema } from "@sinclair/typebox";

/** JSON Schema as OpenAPI 3.1 takes it: plain data. */
export type JsonSchema = Record<string, unknown>;

/**
 * TypeBox schemas as OpenAPI 3.1: schemas with an `$id` move to `components/schemas` and are referred to,
 * unions of literals become enums, records become `additionalProperties`, a nullable simple type becomes a type list.
 */
export function openApiSchemas() {
  const components: Record<string, JsonSchema> = {};
  // Names under way or done: a recursive schema refers to itself.
  const seen = new Map<string, object>();

  const convert = (given: TSchema): JsonSchema => {
    const { $id, ...schema } = given as JsonSchema & { $id?: string };
    if ($id === undefined) return plain(schema);
    const known = seen.get($id);
    if (known === undefined) {
      seen.set($id, given);
      components[$id] = plain(schema);
    }
    return { $ref: `#/components/schemas/${$id}` };
  };

  const plain = (schema: JsonSchema): JsonSchema => {
    const result: JsonSchema = {};
    for (const [key, value] of Object.entries(schema)) {
      if (key === "$ref") result["$ref"] = `#/components/schemas/${String(value)}`;
      else if (key === "const") result["enum"] = [value];
      else if (key === "items" && Array.isArray(value)) result["prefixItems"] = (value as TSchema[]).map(convert);
      else if (key === "additionalItems") result["items"] = value;
      else if (key === "items" || key === "not") result[key] = convert(value as TSchema);
      else if (key === "additionalProperties")
        result[key] = typeof value === "boolean" ? value : convert(value as TSchema);
      else if (key === "patternProperties") Object.assign(result, record(value as Record<string, TSchema>));
      else if (key === "properties") {
        result[key] = Object.fromEntries(
          Object.entries(value as Record<string, TSchema>).map(([name, inner]) => [name, convert(inner)]),
        );
      } else if (key === "anyOf") Object.assign(result, union(value as TSchema[]));
      else result[key] = value;
    }
    return result;
  };

  const record = (patterns: Record<string, TSchema>): JsonSchema => {
    const any = Object.values(patterns)[0];
    return any === undefined ? {} : { additionalProperties: convert(any) };
  };

  const union = (branches: TSchema[]): JsonSchema => {
    const parts = branches.map(convert);
    const nullPart = parts.some((part) => part["type"] === "null");
    const rest = parts.filter((part) => part["type"] !== "null");
    if (rest.length > 0 && rest.every((part) => Array.isArray(part["enum"]) && part["type"] === "string")) {
      const values = rest.flatMap((part) => part["enum"] as unknown[]);
      return { type: nullPart ? ["string", "null"] : "string", enum: nullPart ? [...values, null] : values };
    }
    const [only] = rest;
    if (nullPart && rest.length === 1 && typeof only?.["type"] === "string")
      return { ...only, type: [only["type"], "null"] };
    return { anyOf: parts };
  };

  return { components, convert };
}
