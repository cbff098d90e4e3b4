import { assert } from "../../errors.ts";
import { toPostgres } from "../dialect.ts";
import type { Param } from "../sql.ts";

/**
 * What the table files write and read, and what PostgreSQL does: placeholders, parameters, rows. Everything that is
 * read comes out as SQLite gives it, so that one decoder serves both.
 */

/** A piece of a statement in which a question mark is no placeholder, or a placeholder. */
const PIECES =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_][A-Za-z0-9_]*)?\$[\s\S]*?\$\1\$|\?(\d+)/g;

/** Texts kept translated; the table files have some hundreds, and some are made of the columns that change. */
const MOST_TEXTS = 4096;

const translated = new Map<string, string>();

/**
 * `?1` becomes `$1`. The texts keep SQLite's form, for SQLite numbers `$2, $1` in the order in which they appear and
 * would give the values swapped.
 */
export function translate(text: string): string {
  let own = translated.get(text);
  if (own === undefined) {
    own = toPostgres(text).replaceAll(PIECES, (piece, _tag, n: string | undefined) =>
      n === undefined ? piece : `$${n}`,
    );
    if (translated.size >= MOST_TEXTS) translated.clear();
    translated.set(text, own);
  }
  return own;
}

const LARGEST_INT8 = 2n ** 63n;

/**
 * A parameter as the driver takes it: a boolean is a number as in SQLite; bytes are copied, for the driver reads them
 * when it sends them, which is after the call; U+0000, which PostgreSQL keeps in no text, is the replacement character.
 */
export function toParam(value: Param): unknown {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return value === 0 ? 0 : value; // never -0, which would go as a float
  if (typeof value === "string") return value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (typeof value === "bigint")
    assert(value < LARGEST_INT8 && value >= -LARGEST_INT8, "an integer of more than 64 bits");
  return value;
}

/** Types of columns by the server's numbers, which never change. */
const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const JSON_TEXT = 114;
const NUMERIC = 1700;
const JSONB = 3802;

type Convert = (value: never) => unknown;

const CONVERSIONS: ReadonlyMap<number, Convert> = new Map<number, Convert>([
  [BOOL, (value: boolean) => (value ? 1 : 0)],
  [BYTEA, bytesOf],
  [INT8, integerOf],
  [NUMERIC, Number],
  [JSON_TEXT, (value: unknown) => JSON.stringify(value)],
  [JSONB, (value: unknown) => JSON.stringify(value)],
]);

/** What the driver says of a result beside its rows. */
export interface Result extends Array<Record<string, unknown>> {
  readonly count: number;
  readonly affectedRows: number;
  readonly command: string | null;
  readonly columns: readonly { name: string; type: number }[] | null;
}

/** Rows as SQLite gives them: numbers for int8, numeric and booleans, Uint8Array for bytes, text of JSON. */
export function toRows(result: Result): Record<string, unknown>[] {
  for (const { name, type } of result.columns ?? []) {
    const convert = CONVERSIONS.get(type);
    if (convert === undefined) continue;
    for (const row of result) {
      const value = row[name];
      if (value !== null && value !== undefined) row[name] = convert(value as never);
    }
  }
  return [...result];
}

/**
 * Whether rows are another tenant's than the one asked for: functions on what a tenant owns take its id first. A second
 * look beside the conditions of the statement, for earlier versions of the driver gave rows to the wrong one.
 */
export function isForeign(result: Result, params: readonly Param[]): boolean {
  const [asked] = params;
  if (typeof asked !== "string" || !asked.startsWith(TENANT) || result.columns === null) return false;
  if (!result.columns.some(({ name }) => name === "tenant_id")) return false;
  return result.some(({ tenant_id: owner }) => typeof owner === "string" && owner !== asked);
}

/** How the ids of tenants begin (platform/ids.ts). */
const TENANT = "ten_";

function integerOf(value: bigint): number {
  const number = Number(value);
  assert(Number.isSafeInteger(number), "an integer beyond 2^53 came from the database");
  return number;
}

/** A plain array, whose `slice` copies as a Buffer's does not, at an offset at which numbers of 8 bytes can lie. */
function bytesOf(value: Uint8Array): Uint8Array {
  if (value.byteOffset % 8 !== 0) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
