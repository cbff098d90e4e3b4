import { DATABASE_MS } from "./dialect.ts";
import { HELD } from "./held.ts";
import type { GenerationId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import type { RowOf } from "./table.ts";

/**
 * What the server that is about to make a generation live asks of the others of its database: that those of them which have
 * the store in memory load the generation first. Each asked one has a row of `held` for the time that is waited for: named
 * by it and the generation, held by how far it is. With PostgreSQL alone.
 *
 * The row's time is the time until which its word is good: one that says nothing any more is waited for no longer.
 */
export interface LoadAsksTable {
  /** Asks each of these servers, again where it was asked before; each is to say something within `ms`. */
  ask(tenantId: TenantId, generation: GenerationId, servers: readonly string[], ms: number): Promise<void>;
  /** What a server is asked and has not said anything to. */
  askedOf(server: string): Promise<AskedLoad[]>;
  /** What the asked one says, good for `ms`. False where nobody waits for it any more. */
  say(asked: AskedLoad, state: LoadState, ms: number): Promise<boolean>;
  /** Whether whoever asked has not ended that yet. */
  isWaitedFor(asked: AskedLoad): Promise<boolean>;
  /** Those of the asked servers that have not loaded it and whose word is good. */
  waiting(tenantId: TenantId, generation: GenerationId): Promise<string[]>;
  end(tenantId: TenantId, generation: GenerationId): Promise<void>;
}

export type LoadState = "loading" | "loaded";

const ASKED_LOAD = HELD.pick("tenant_id", "name");
export type AskedLoad = RowOf<typeof ASKED_LOAD>;

const PREFIX = "load/";

const ASK = /*sql*/ `INSERT INTO held (tenant_id, name, holder, until_ms) VALUES (?1, ?2, 'asked', ${DATABASE_MS} + ?3)
  ON CONFLICT (tenant_id, name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms`;
const DROP_OLD = /*sql*/ `DELETE FROM held WHERE starts_with(name, '${PREFIX}') AND until_ms < ${DATABASE_MS}`;
const OF_SERVER = /*sql*/ `SELECT ${ASKED_LOAD.list} FROM held
  WHERE starts_with(name, ?1) AND holder = 'asked' AND until_ms >= ${DATABASE_MS} ORDER BY until_ms LIMIT 100`;
const SAY = /*sql*/ `UPDATE held SET holder = ?3, until_ms = ${DATABASE_MS} + ?4 WHERE tenant_id = ?1 AND name = ?2`;
const ONE = /*sql*/ `SELECT ${ASKED_LOAD.list} FROM held WHERE tenant_id = ?1 AND name = ?2`;
const OF_GENERATION = /*sql*/ `tenant_id = ?1 AND starts_with(name, '${PREFIX}') AND split_part(name, '/', 3) = ?2`;
const WAITING = /*sql*/ `SELECT ${ASKED_LOAD.list} FROM held
  WHERE ${OF_GENERATION} AND holder <> 'loaded' AND until_ms >= ${DATABASE_MS}`;
const END = /*sql*/ `DELETE FROM held WHERE ${OF_GENERATION}`;

export function loadAsksTable(sql: Sql): LoadAsksTable {
  return {
    ask: (tenantId, generation, servers, ms) =>
      sql.atomic(async (tx) => {
        await tx.run(DROP_OLD);
        for (const server of servers) await tx.run(ASK, [tenantId, `${prefixOf(server)}${generation}`, ms]);
      }, "work"),
    askedOf: (server) => ASKED_LOAD.all(sql, OF_SERVER, [prefixOf(server)]),
    say: async ({ tenant_id, name }, state, ms) =>
      (await sql.atomic((tx) => tx.run(SAY, [tenant_id, name, state, ms]), "work")) > 0,
    isWaitedFor: async ({ tenant_id, name }) => (await ASKED_LOAD.get(sql, ONE, [tenant_id, name])) !== null,
    async waiting(tenantId, generation) {
      const rows = await ASKED_LOAD.all(sql, WAITING, [tenantId, String(generation)]);
      return rows.map(({ name }) => name.split("/")[1] ?? "");
    },
    end: async (tenantId, generation) =>
      void (await sql.atomic((tx) => tx.run(END, [tenantId, String(generation)]), "work")),
  };
}

export function generationOf({ name }: AskedLoad): GenerationId {
  return Number(name.split("/")[2]);
}

function prefixOf(server: string): string {
  return `${PREFIX}${server}/`;
}
