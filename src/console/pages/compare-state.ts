import type { Route } from "../route.ts";
import { type Asked, askedOf, bodyOf, queryOf } from "./search-state.ts";

/** What stands beside a search, as the address says it. */
export interface Compared {
  /** Empty: nothing. `settings`: the same query otherwise asked. Else the migration whose index answers too. */
  kind: string;
  /** How it is asked on the right. */
  other: Asked;
}

export const SETTINGS = "settings";
/** Before the names of what the right side is asked with. */
const RIGHT = "right.";
/** Of these there is one for both sides. */
const SHARED = ["q", "filter"];

export function comparedOf(route: Route): Compared {
  const { query } = route;
  const names = Object.keys(query).filter((name) => name.startsWith(RIGHT));
  const own = Object.fromEntries(names.map((name) => [name.slice(RIGHT.length), query[name] ?? ""]));
  return { kind: query["compare"] ?? "", other: askedOf({ ...route, query: own }) };
}

/** What the address says of it. */
export function comparedQuery({ kind, other }: Compared): Record<string, string> {
  if (kind !== SETTINGS) return { compare: kind };
  const own = Object.entries(queryOf(other)).filter(([name]) => !SHARED.includes(name));
  return { compare: kind, ...Object.fromEntries(own.map(([name, value]) => [`${RIGHT}${name}`, value])) };
}

/** The bodies of the searches: one, or one for each side. */
export function bodiesOf(asked: Asked, { kind, other }: Compared): Record<string, unknown>[] {
  const left = bodyOf(asked);
  if (kind === "") return [left];
  if (kind !== SETTINGS) return [left, { ...left, migration_id: kind }];
  return [left, bodyOf({ ...other, query: asked.query, filter: asked.filter })];
}
