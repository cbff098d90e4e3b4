/**
 * Attribute filters: the tree a search carries, and what each operator means.
 *
 * - A file without the key fails every operator except `ne` and `nin` (and `exists` with false).
 * - A number never equals or compares with a string; booleans know only eq, ne, in and nin.
 * - Strings are ordered by Unicode code point.
 * - The keys `file_id`, `file_ids` and `filename` mean the file's own id and name, whatever its attributes say.
 * - `and` of nothing matches everything, `or` of nothing matches nothing.
 */
import { normalized } from "../stream-safe.ts";

export type Scalar = string | number | boolean;
export type Attributes = Readonly<Record<string, Scalar>>;

export type Filter =
  | { readonly op: "eq" | "ne" | RangeOp; readonly key: string; readonly value: Scalar }
  | { readonly op: "in" | "nin"; readonly key: string; readonly value: readonly Scalar[] }
  | { readonly op: "exists"; readonly key: string; readonly value: boolean }
  | { readonly op: "and" | "or"; readonly filters: readonly Filter[] };

export type RangeOp = "gt" | "gte" | "lt" | "lte";

/** What a filter can see of one file. */
export type FilterSubject = { readonly fileId: string; readonly filename: string; readonly attributes: Attributes };

export const FILE_ID_KEY = "file_id";
export const FILENAME_KEY = "filename";

/** One spelling of a file's name: macOS sends accents as characters of their own, others do not. */
export function composed(filename: string): string {
  return normalized(filename, "NFC");
}

/** The key under which a filter's key is indexed: the spellings of one reserved key are one. */
export function canonicalKey(key: string): string {
  return key === "file_ids" ? FILE_ID_KEY : key;
}

/** The meaning of a filter, one file at a time. The index must agree with this for every file. */
export function matchesFilter(filter: Filter, file: FilterSubject): boolean {
  switch (filter.op) {
    case "and":
      return filter.filters.every((part) => matchesFilter(part, file));
    case "or":
      return filter.filters.some((part) => matchesFilter(part, file));
    default:
      return matchesValue(filter, valueOf(file, filter.key));
  }
}

function matchesValue(filter: Exclude<Filter, { op: "and" | "or" }>, own: Scalar | undefined): boolean {
  switch (filter.op) {
    case "eq":
      return own !== undefined && own === filter.value;
    case "ne":
      return own === undefined || own !== filter.value;
    case "in":
      return own !== undefined && filter.value.includes(own);
    case "nin":
      return own === undefined || !filter.value.includes(own);
    case "exists":
      return (own !== undefined) === filter.value;
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return own !== undefined && inRange(filter.op, own, filter.value);
  }
}

/** Whether `own op bound` holds; false for booleans and for values of two types. */
export function inRange(op: RangeOp, own: Scalar, bound: Scalar): boolean {
  let order: number;
  if (typeof own === "number" && typeof bound === "number") order = own - bound;
  else if (typeof own === "string" && typeof bound === "string") order = compareCodePoints(own, bound);
  else return false;
  return holds(op, order);
}

/** Whether `own op bound` holds, from the order of the two: below zero where `own` comes first. */
export function holds(op: RangeOp, order: number): boolean {
  switch (op) {
    case "gt":
      return order > 0;
    case "gte":
      return order >= 0;
    case "lt":
      return order < 0;
    case "lte":
      return order <= 0;
  }
}

/** Orders strings by Unicode code point; JavaScript's `<` orders by UTF-16 unit, which differs above U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return unitRank(x) - unitRank(y);
  }
  return a.length - b.length;
}

/** A surrogate stands for a code point above every other unit's. */
export function unitRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function valueOf(file: FilterSubject, key: string): Scalar | undefined {
  const canonical = canonicalKey(key);
  if (canonical === FILE_ID_KEY) return file.fileId;
  if (canonical === FILENAME_KEY) return composed(file.filename);
  return Object.hasOwn(file.attributes, key) ? file.attributes[key] : undefined;
}
