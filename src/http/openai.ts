import { Type } from "@sinclair/typebox";
import type { TLiteral, TObject, TSchema, TString, TUnion } from "@sinclair/typebox";
import type { Dialect } from "./dialect.ts";

/** Wire pieces that several features share. */

/** `"a" | "b"` as a schema; shown as an enum in the API document. */
export function oneOf<const Values extends readonly string[]>(
  values: Values,
  options: { description?: string; default?: Values[number]; $id?: string } = {},
): TUnion<{ -readonly [K in keyof Values]: TLiteral<Values[K]> }> {
  return Type.Union(values.map((value) => Type.Literal(value)) as never, options) as never;
}

/** Characters of what a client sends as an id at most: longer than any that there are. */
const MAX_ID = 256;

/** An id in a request. */
export function idText(options: { minLength?: number; description?: string } = {}): TString {
  return Type.String({ maxLength: MAX_ID, ...options });
}

/** Characters of a name that is looked for at most. */
const MAX_NAME = 256;

/** Part of a name, in a query that looks for it. */
export function nameText(description: string): TString {
  return Type.String({ minLength: 1, maxLength: MAX_NAME, description });
}

/** A schema or JSON null. */
export function nullable<T extends TSchema>(schema: T, options: { description?: string } = {}) {
  return Type.Union([schema, Type.Null()], options);
}

/** Whole Unix seconds. */
export function unixSeconds(description: string) {
  return Type.Integer({ description });
}

export interface ListBounds {
  max: number;
  default: number;
  /** Whether `before` is offered; default yes. */
  before?: boolean;
}

/** 1-100, 20 by default: every cursor list but the one of files. */
const USUAL_LIST: ListBounds = { max: 100, default: 20 };

/** Query parameters of a cursor list, to be spread into the operation's query schema. */
export function cursorQuery(bounds: ListBounds = USUAL_LIST) {
  return {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: bounds.max,
        default: bounds.default,
        description: `How many objects to return, 1 to ${bounds.max}.`,
      }),
    ),
    order: Type.Optional(
      oneOf(["asc", "desc"], { default: "desc", description: "By time of creation; newest first by default." }),
    ),
    after: Type.Optional(idText({ description: "An object's id: the list goes on after it." })),
    before: Type.Optional(idText({ description: "An object's id: the list ends before it." })),
  };
}

export interface Cursor {
  limit: number;
  order: "asc" | "desc";
  after: string | null;
  before: string | null;
}

/** A validated cursor query with its defaults filled in. */
export function readCursor(
  query: { limit?: number; order?: "asc" | "desc"; after?: string; before?: string },
  bounds: ListBounds = USUAL_LIST,
): Cursor {
  return {
    limit: query.limit ?? bounds.default,
    order: query.order ?? "desc",
    after: query.after ?? null,
    before: query.before ?? null,
  };
}

export interface ListPage<T> {
  object: "list";
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

/** A page of a cursor list. An empty page has null ids, or empty ones where the schema allows no null. */
export function listPage<T extends { id: string }>(data: T[], hasMore: boolean, dialect: Dialect): ListPage<T> {
  const none = dialect === "openai-strict" ? "" : null;
  return { object: "list", data, first_id: data[0]?.id ?? none, last_id: data.at(-1)?.id ?? none, has_more: hasMore };
}

/** The schema of `listPage`. */
export function listSchema<T extends TObject>(item: T, $id: string) {
  return Type.Object(
    {
      object: Type.Literal("list"),
      data: Type.Array(item),
      first_id: nullable(Type.String()),
      last_id: nullable(Type.String()),
      has_more: Type.Boolean(),
    },
    { $id },
  );
}

/** The answer to a deletion. */
export function deletedSchema<const Name extends string>(object: Name, $id: string) {
  return Type.Object({ id: Type.String(), object: Type.Literal(object), deleted: Type.Boolean() }, { $id });
}

/** A number that JSON shows with a fraction even when it is whole (`1.0`): strict clients expect a float. */
export function float(value: number): number {
  // The raw text takes a number's place only inside JSON.stringify.
  return Number.isInteger(value) ? (rawJson.rawJSON(`${value}.0`) as number) : value;
}

/** In the language since 2025, not yet in its library types. */
const rawJson = JSON as typeof JSON & { rawJSON(text: string): unknown };

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}
