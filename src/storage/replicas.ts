import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, Selection, table, text } from "./table.ts";

/** A server over a database that others may use as well. */
export const REPLICA = table("replica", {
  /** Of a process run; owns its leases. */
  id: text(),
  /** Of its data directory. */
  place: text(),
  /** For people. */
  name: text(),
  version: text(),
  models: json<string[]>(),
  started_at: integer(),
  /** By the database's clock. */
  seen_ms: integer(),
  /** So long after `seen_ms` it is waited for; then what it has leased is void. */
  term_ms: integer(),
  /** By so much its clock is ahead of the database's. */
  clock_ms: integer(),
});

/** What one of several servers does for all of them, for a time. */
export const DUTY = table("duty", {
  name: text(),
  owner: text(),
  until_ms: integer(),
});

/** What of a minute's requests is taken. */
export const RATE = table("rate", {
  owner: text(),
  tenant_id: id<TenantId>(),
  /** By the database's clock: when a whole minute's may be made again. */
  full_ms: integer(),
});

const SEEN = new Selection(
  { ...REPLICA.columns, silent_ms: integer() },
  `${REPLICA.list}, lectern_now_ms() - seen_ms AS silent_ms`,
);

/** With the time since it was seen last, in ms. */
export type SeenReplica = RowOf<typeof SEEN>;

export interface ReplicasTable {
  /** Those that are there, and those that went within a day without saying so; none beside a file. */
  list(): Promise<SeenReplica[]>;
  /** Whether `owner` is to do it until `termMs` from now: nobody else has it, or who had it is gone. Over PostgreSQL. */
  takeDuty(name: string, owner: string, termMs: number): Promise<boolean>;
}

const LIST = /*sql*/ `SELECT ${SEEN.list} FROM replica ORDER BY started_at, id`;

const TAKE_DUTY = /*sql*/ `INSERT INTO duty (name, owner, until_ms) VALUES (?1, ?2, lectern_now_ms() + CAST(?3 AS BIGINT))
  ON CONFLICT ON CONSTRAINT duty_pkey DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms
  WHERE duty.owner = excluded.owner OR duty.until_ms < lectern_now_ms() OR NOT EXISTS (
    SELECT 1 FROM replica r WHERE r.id = duty.owner AND r.seen_ms + r.term_ms >= lectern_now_ms())`;

export function replicasTable(sql: Sql): ReplicasTable {
  return {
    list: async () => (sql.dialect === "sqlite" ? [] : await SEEN.all(sql, LIST)),
    takeDuty: async (name, owner, termMs) => (await sql.run(TAKE_DUTY, [name, owner, termMs])) > 0,
  };
}

/** Whether what it has leased is still its own. */
export function isThere({ silent_ms, term_ms }: Pick<SeenReplica, "silent_ms" | "term_ms">): boolean {
  return silent_ms <= term_ms;
}
