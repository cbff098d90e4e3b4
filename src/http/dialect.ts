import { AppError } from "../errors.ts";

export const DIALECTS = ["openai", "openai-strict", "fightclub", "ragwalla", "aqueduct", "legacy"] as const;

/**
 * The few points that cannot be said in one shape are settled by a presenter, chosen per request:
 * `?dialect=`, then the header `X-Vector-Dialect`, then the key's own, then the server's default.
 */
export type Dialect = (typeof DIALECTS)[number];

export function isDialect(value: unknown): value is Dialect {
  return (DIALECTS as readonly unknown[]).includes(value);
}

/**
 * The dialect that the request itself names, or null.
 * @throws AppError `invalid_value` for a name that is none.
 */
export function requestedDialect(query: URLSearchParams, headers: Headers): Dialect | null {
  const named = query.get("dialect") || headers.get("x-vector-dialect");
  if (!named) return null;
  if (isDialect(named)) return named;
  const supported = DIALECTS.map((dialect) => `'${dialect}'`).join(", ");
  throw new AppError("invalid_value", `Invalid value: '${named.slice(0, 64)}'. Supported values are: ${supported}.`, {
    param: "dialect",
  });
}
