/**
 * What several servers over one database tell each other: who is there, whose turn a duty is, what of a rate is taken, and
 * how many chunks may still enter a store that is migrated. Beside a file there is one server, and the tables are empty.
 * Frozen.
 */
export const sql = /*sql*/ `
CREATE TABLE replica (
  id         TEXT PRIMARY KEY,                   -- of a process run; owner of its leases
  place      TEXT NOT NULL,                      -- of its data directory: who starts there ends what came before
  name       TEXT NOT NULL,                      -- for people
  version    TEXT NOT NULL,
  models     TEXT NOT NULL,                      -- JSON array of those that it has
  started_at INTEGER NOT NULL,
  seen_ms    INTEGER NOT NULL,                   -- by the database's clock
  term_ms    INTEGER NOT NULL,                   -- so long it is waited for; then what it holds is void
  clock_ms   INTEGER NOT NULL                    -- by so much its clock is ahead of the database's
) STRICT;
CREATE TABLE duty (
  name     TEXT PRIMARY KEY,
  owner    TEXT NOT NULL,
  until_ms INTEGER NOT NULL                      -- by the database's clock
) STRICT;
CREATE TABLE rate (
  owner     TEXT PRIMARY KEY,                    -- a tenant or a key
  tenant_id TEXT NOT NULL,
  full_ms   INTEGER NOT NULL                     -- when all of a minute's requests may be made again
) STRICT;
ALTER TABLE migration ADD COLUMN ingest_credit INTEGER; -- chunks that may still enter the store; NULL: any number
`;
