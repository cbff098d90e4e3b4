import { DATABASE_MS } from "./dialect.ts";
import { HELD } from "./held.ts";
import type { DeletionId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import type { RowOf } from "./table.ts";

/**
 * Questions of one server to another of the same database about a deletion: what the other one has of it in its memory and
 * on its disk. Each is a row of `held` for the time that is waited for: named by who is asked, held by the question, and
 * then by its answer. With PostgreSQL alone.
 */
export interface CacheLooksTable {
  /** Asks each of these servers, and drops questions of those who did not come back for the answer. */
  ask(look: CacheLook, servers: readonly string[], ms: number): Promise<void>;
  /** What a server is asked and has not answered. */
  askedOf(server: string): Promise<AskedLook[]>;
  /** Nothing where nobody waits for it any more. */
  answer(asked: AskedLook, entries: number): Promise<void>;
  /** By server, of those that have answered: entries of caches that it still has. */
  answers(look: CacheLook, servers: readonly string[]): Promise<Map<string, number>>;
  end(look: CacheLook, servers: readonly string[]): Promise<void>;
}

export interface CacheLook {
  /** Of this question alone. */
  id: string;
  tenantId: TenantId;
  deletion: DeletionId;
  /** Whether the server is to remove what it has first: the deletion is being ended. */
  isEnding: boolean;
}

const ASKED = HELD.pick("tenant_id", "name", "holder");
export type AskedLook = RowOf<typeof ASKED>;

const PREFIX = "look/";
/** Deletion and what is to be done; an answer begins with a digit. */
const QUESTION = /^\?(look|end) (.+)$/;

const ASK = /*sql*/ `INSERT INTO held (tenant_id, name, holder, until_ms) VALUES (?1, ?2, ?3, ${DATABASE_MS} + ?4)`;
const DROP_OLD = /*sql*/ `DELETE FROM held WHERE starts_with(name, '${PREFIX}') AND until_ms < ${DATABASE_MS}`;
const OF_SERVER = /*sql*/ `SELECT ${ASKED.list} FROM held
  WHERE starts_with(name, ?1) AND starts_with(holder, '?') AND until_ms >= ${DATABASE_MS} ORDER BY until_ms LIMIT 100`;
const ANSWER = /*sql*/ `UPDATE held SET holder = ?4 WHERE tenant_id = ?1 AND name = ?2 AND holder = ?3`;
const ONE = /*sql*/ `SELECT ${HELD.list} FROM held WHERE tenant_id = ?1 AND name = ?2`;
const END = /*sql*/ `DELETE FROM held WHERE tenant_id = ?1 AND name = ?2`;

export function cacheLooksTable(sql: Sql): CacheLooksTable {
  return {
    async ask(look, servers, ms) {
      const question = `?${look.isEnding ? "end" : "look"} ${look.deletion}`;
      await sql.atomic(async (tx) => {
        await tx.run(DROP_OLD);
        for (const server of servers) await tx.run(ASK, [look.tenantId, nameOf(server, look.id), question, ms]);
      }, "work");
    },
    askedOf: (server) => ASKED.all(sql, OF_SERVER, [nameOf(server, "")]),
    answer: async ({ tenant_id, name, holder }, entries) =>
      void (await sql.atomic((tx) => tx.run(ANSWER, [tenant_id, name, holder, String(entries)]), "work")),
    async answers(look, servers) {
      const found = new Map<string, number>();
      for (const server of servers) {
        const row = await HELD.get(sql, ONE, [look.tenantId, nameOf(server, look.id)]);
        if (row !== null && /^\d+$/.test(row.holder)) found.set(server, Number(row.holder));
      }
      return found;
    },
    async end(look, servers) {
      await sql.atomic(async (tx) => {
        for (const server of servers) await tx.run(END, [look.tenantId, nameOf(server, look.id)]);
      }, "work");
    },
  };
}

/** Null for what no server of this version has asked. */
export function lookOf({ tenant_id: tenantId, name, holder }: AskedLook): CacheLook | null {
  const [, what, deletion] = QUESTION.exec(holder) ?? [];
  const look = name.split("/")[2];
  if (what === undefined || deletion === undefined || look === undefined) return null;
  return { id: look, tenantId, deletion, isEnding: what === "end" };
}

function nameOf(server: string, look: string): string {
  return `${PREFIX}${server}/${look}`;
}
