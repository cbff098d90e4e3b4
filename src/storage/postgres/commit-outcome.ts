/**
 * What became of a commit whose answer was lost. PostgreSQL tells it by the transaction's number, but not across a crash
 * or where another machine took over: of a transaction of which nothing had reached the log, the number is given again,
 * and what is told is what became of somebody else. So whoever writes one transaction at a time has a row in which each
 * of them leaves a word of its own: it is there if, and only if, the last of them was committed.
 */
import { randomUUID } from "node:crypto";
import { table, text } from "../table.ts";
import type { Connection } from "./connection.ts";
import { DatabaseAway, sqlStateOf } from "./failures.ts";

/** The word of the last transaction that each server has committed. Over PostgreSQL. */
export const COMMIT_MARK = table("commit_mark", {
  /** A server's id (storage/replicas.ts). */
  writer: text(),
  word: text(),
});

/** By what a transaction that has written is known. */
export interface Trace {
  /** Its number. */
  xid: string;
  /** The run of the server that gave it. */
  run: string;
  mark: Mark | null;
}

interface Mark {
  writer: string;
  word: string;
}

/**
 * An expression that tells one run of the server from the next: when it was started, and when its statistics began, for it begins
 * them anew after it crashed and recovered by itself.
 */
export const RUN = /*sql*/ `(pg_postmaster_start_time()::text || ' ' || coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, ''))`;
/** With a parameter, for the driver prepares nothing else. */
const XID = /*sql*/ `SELECT pg_current_xact_id_if_assigned()::text AS xid, ${RUN} AS run WHERE ?1::integer = 1`;
const LEAVE_MARK = /*sql*/ `INSERT INTO commit_mark (writer, word) VALUES (?1, ?2)
  ON CONFLICT ON CONSTRAINT commit_mark_pkey DO UPDATE SET word = excluded.word
  RETURNING pg_current_xact_id()::text AS xid, ${RUN} AS run`;
const STATUS = /*sql*/ `SELECT pg_xact_status(?1::text::xid8) AS status, ${RUN} AS run`;
const HAS_MARK = /*sql*/ `SELECT 1 AS is_there FROM commit_mark WHERE writer = ?1 AND word = ?2`;

/**
 * Of the transaction that is open on `connection` and has written; with a mark where its `writer` is given, who has no
 * other one open meanwhile. Null where it has failed.
 */
export async function leaveTrace(connection: Connection, writer: string | null): Promise<Trace | null> {
  const mark = writer === null ? null : { writer, word: randomUUID() };
  const sent = mark === null ? connection.send(XID, [1]) : connection.send(LEAVE_MARK, [mark.writer, mark.word]);
  try {
    const [row] = await sent;
    const { xid, run } = (row ?? {}) as Record<string, unknown>;
    return typeof xid === "string" && typeof run === "string" ? { xid, run, mark } : null;
  } catch {
    // The statement before it failed, and with it the transaction.
    return null;
  }
}

/**
 * Whether a transaction was committed; null where that cannot be known. To be asked before its writer writes again.
 *
 * @throws DatabaseAway not yet
 */
export async function wasCommitted({ xid, run, mark }: Trace, connection: Connection): Promise<boolean | null> {
  const told = await statusOf(xid, connection);
  // Whoever it belongs to: once that has ended it is known.
  if (told.status === "in progress") throw new DatabaseAway("a commit is still under way");
  if (told.status === "aborted") return false;
  if (told.status === "committed" && told.run === run) return true;
  if (mark === null) return told.status === "unknown" ? false : null;
  return (await connection.send(HAS_MARK, [mark.writer, mark.word])).length === 1;
}

/** `unknown`: the number has not been given yet. Null: it was, too long ago. */
async function statusOf(xid: string, connection: Connection): Promise<{ status: unknown; run?: unknown }> {
  try {
    return ((await connection.send(STATUS, [xid]))[0] ?? { status: null }) as { status: unknown; run?: unknown };
  } catch (error) {
    // This server was taken over from one that was ahead.
    if (sqlStateOf(error) === "22023") return { status: "unknown" };
    throw error;
  }
}
