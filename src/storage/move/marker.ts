import type { Sql } from "../sql.ts";

/**
 * What a database elsewhere says of a move into it. As long as the move has not ended nothing is served from it: its rows
 * are not all there, and what keeps counts right is switched off.
 */
export interface MoveMarker {
  /** Of the database that is moved (source.ts). */
  readonly source: string;
  readonly state: string;
  /** Where it was, for people. */
  readonly shown: string;
  /** Unix seconds; null while the move is under way. */
  readonly ended_at: number | null;
}

export const MARKER_TABLES = /*sql*/ `
CREATE TABLE IF NOT EXISTS lectern_move (
  one integer PRIMARY KEY CHECK (one = 1),
  source text NOT NULL,
  state text NOT NULL,
  shown text NOT NULL,
  ended_at bigint);
CREATE TABLE IF NOT EXISTS lectern_move_table (
  name text PRIMARY KEY,
  last bigint NOT NULL,
  is_whole boolean NOT NULL)`;

const IS_THERE = /*sql*/ `SELECT to_regclass('lectern_move') IS NOT NULL AS is_there`;
const MARKER = /*sql*/ `SELECT source, state, shown, ended_at FROM lectern_move`;

/** Null where nothing was ever moved into the database. */
export async function readMarker(sql: Pick<Sql, "get">): Promise<MoveMarker | null> {
  if ((await sql.get<{ is_there: number }>(IS_THERE))?.is_there !== 1) return null;
  return await sql.get<MoveMarker>(MARKER);
}

/** Why nothing may be served from the database, as the end of a sentence; null where it may. */
export async function halfMoved(sql: Pick<Sql, "get">): Promise<string | null> {
  const marker = await readMarker(sql);
  if (marker === null || marker.ended_at !== null) return null;
  return `holds a part of ${marker.shown}, whose move into it has not ended: call "lectern move" again, which goes on where it was, or drop the database`;
}
