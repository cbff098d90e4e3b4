import type { Sql } from "../sql.ts";

/** What an operator should know of a server that holds a database. */
export interface ServerReport {
  /** As the server writes it, e.g. "15.8". */
  readonly version: string;
  readonly synchronousCommit: string;
  readonly fsync: string;
  /** Names of standbys that a commit waits for; empty: of none. */
  readonly synchronousStandbys: string;
  /** Standbys that follow it now. */
  readonly standbys: number;
  readonly connections: ConnectionReport;
  /** ms by which its clock is ahead of this machine's. */
  readonly clockAhead: number;
}

export interface ConnectionReport {
  /** That the server gives to users without special rights. */
  readonly most: number;
  /** That this database, and this user, may have; null: as many as there are. */
  readonly ofDatabase: number | null;
  readonly ofUser: number | null;
  /** In use by anybody now. */
  readonly used: number;
}

const REPORT = /*sql*/ `SELECT current_setting('server_version') AS version,
  current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
  current_setting('synchronous_standby_names') AS synchronous_standbys,
  (SELECT count(*) FROM pg_stat_replication) AS standbys,
  current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS most,
  (SELECT datconnlimit::bigint FROM pg_database WHERE datname = current_database()) AS of_database,
  (SELECT rolconnlimit::bigint FROM pg_roles WHERE rolname = current_user) AS of_user,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS clock`;

interface Report {
  version: string;
  synchronous_commit: string;
  fsync: string;
  synchronous_standbys: string;
  standbys: number;
  most: number;
  of_database: number;
  of_user: number;
  used: number;
  clock: number;
}

/** Asks the server, and changes nothing. */
export async function inspectServer(db: Pick<Sql, "get">): Promise<ServerReport> {
  const from = Date.now();
  const row = await db.get<Report>(REPORT);
  if (row === null) throw new Error("the server said nothing of itself");
  const limit = (n: number) => (n < 0 ? null : n);
  return {
    version: row.version,
    synchronousCommit: row.synchronous_commit,
    fsync: row.fsync,
    synchronousStandbys: row.synchronous_standbys,
    standbys: row.standbys,
    connections: {
      most: row.most,
      ofDatabase: limit(row.of_database),
      ofUser: limit(row.of_user),
      used: row.used,
    },
    // Seen from the middle of the question.
    clockAhead: row.clock - (from + Date.now()) / 2,
  };
}

const PAGE = 10_000;
const FILES = /*sql*/ `SELECT id, bytes FROM file WHERE id > ?1 ORDER BY id LIMIT ?2`;
const PARTS = /*sql*/ `SELECT id, bytes FROM upload_part WHERE id > ?1 ORDER BY id LIMIT ?2`;

/** Every blob that a row names, with the bytes that it must have. The schema is there. */
export async function* blobsOfRows(db: Pick<Sql, "all">): AsyncGenerator<{ id: string; bytes: number }> {
  for (const statement of [FILES, PARTS]) {
    for (let last = ""; ;) {
      const page = await db.all<{ id: string; bytes: number }>(statement, [last, PAGE]);
      yield* page;
      if (page.length < PAGE) break;
      last = page.at(-1)?.id ?? "";
    }
  }
}
