import { DATABASE_MS } from "./dialect.ts";
import { HELD } from "./held.ts";
import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";

/**
 * What a server asks of others of its database, and what they say. Each one that is asked has a row of `held` for the time
 * that is waited for: named by what it is about and by who is asked, held by the question and then by what was said last.
 * With PostgreSQL alone.
 *
 * The row's time is the time until which its word is good: one that says nothing any more is waited for no longer.
 */
export interface AsksTable {
  /** Asks each of these servers, again where it was asked before; each is to say something within `ms`. */
  ask(about: AskedAbout, servers: readonly string[], question: string, ms: number): Promise<void>;
  /** What a server is asked and has not said anything to. */
  askedOf(kind: AskKind, server: string): Promise<Asked[]>;
  /** What the asked one says, good for `ms`. False where nobody waits for it any more. */
  say(asked: Asked, said: string, ms: number): Promise<boolean>;
  /** By server, of those whose word is good: what it said last, or null. Empty once whoever asked has ended it. */
  said(about: AskedAbout): Promise<Map<string, string | null>>;
  end(about: AskedAbout): Promise<void>;
}

/** That a generation is loaded ahead; what a server has of something deleted. */
export type AskKind = "load" | "look";

export interface AskedAbout {
  kind: AskKind;
  tenantId: TenantId;
  subject: string;
}

export interface Asked extends AskedAbout {
  /** Who is asked. */
  server: string;
  question: string;
}

const ROW = HELD.pick("tenant_id", "name", "holder");

const PREFIX = "ask/";
/** What a question begins with, and nothing that is said. */
const QUESTION = "?";

const ASK = /*sql*/ `INSERT INTO held (tenant_id, name, holder, until_ms) VALUES (?1, ?2, ?3, ${DATABASE_MS} + ?4)
  ON CONFLICT (tenant_id, name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms`;
const DROP_OLD = /*sql*/ `DELETE FROM held WHERE starts_with(name, '${PREFIX}') AND until_ms < ${DATABASE_MS}`;
const OF_SERVER = /*sql*/ `SELECT ${ROW.list} FROM held
  WHERE starts_with(name, ?1) AND starts_with(holder, '${QUESTION}') AND until_ms >= ${DATABASE_MS}
  ORDER BY until_ms LIMIT 100`;
const SAY = /*sql*/ `UPDATE held SET holder = ?3, until_ms = ${DATABASE_MS} + ?4 WHERE tenant_id = ?1 AND name = ?2`;
const ABOUT = /*sql*/ `tenant_id = ?1 AND starts_with(name, ?2) AND split_part(name, '/', 4) = ?3`;
const SAID = /*sql*/ `SELECT ${ROW.list} FROM held WHERE ${ABOUT} AND until_ms >= ${DATABASE_MS}`;
const END = /*sql*/ `DELETE FROM held WHERE ${ABOUT}`;

export function asksTable(sql: Sql): AsksTable {
  return {
    ask: (about, servers, question, ms) =>
      sql.atomic(async (tx) => {
        await tx.run(DROP_OLD);
        for (const server of servers)
          await tx.run(ASK, [about.tenantId, nameOf(about, server), QUESTION + question, ms]);
      }, "work"),
    async askedOf(kind, server) {
      const rows = await ROW.all(sql, OF_SERVER, [prefixOf(kind, server)]);
      return rows.map(({ tenant_id: tenantId, name, holder }) => {
        const subject = name.slice(prefixOf(kind, server).length);
        return { kind, tenantId, subject, server, question: holder.slice(QUESTION.length) };
      });
    },
    async say(asked, said, ms) {
      const params = [asked.tenantId, nameOf(asked, asked.server), said, ms];
      return (await sql.atomic((tx) => tx.run(SAY, params), "work")) > 0;
    },
    async said({ kind, tenantId, subject }) {
      const rows = await ROW.all(sql, SAID, [tenantId, `${PREFIX}${kind}/`, subject]);
      return new Map(
        rows.map(({ name, holder }) => [name.split("/")[2] ?? "", holder.startsWith(QUESTION) ? null : holder]),
      );
    },
    async end({ kind, tenantId, subject }) {
      await sql.atomic((tx) => tx.run(END, [tenantId, `${PREFIX}${kind}/`, subject]), "work");
    },
  };
}

function prefixOf(kind: AskKind, server: string): string {
  return `${PREFIX}${kind}/${server}/`;
}

function nameOf({ kind, subject }: AskedAbout, server: string): string {
  return prefixOf(kind, server) + subject;
}
