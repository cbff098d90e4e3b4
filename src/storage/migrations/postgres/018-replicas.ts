/** Several servers over one database; SQLite's migration of the same version explains the columns. Frozen. */
export const sql = /*sql*/ `
-- The clock that all of them go by.
CREATE FUNCTION lectern_now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS
  $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;
CREATE TABLE replica (
  id         TEXT COLLATE "C" PRIMARY KEY,
  place      TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  version    TEXT COLLATE "C" NOT NULL,
  models     TEXT COLLATE "C" NOT NULL,
  started_at BIGINT NOT NULL,
  seen_ms    BIGINT NOT NULL,
  term_ms    BIGINT NOT NULL,
  clock_ms   BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE duty (
  name     TEXT COLLATE "C" PRIMARY KEY,
  owner    TEXT COLLATE "C" NOT NULL,
  until_ms BIGINT NOT NULL
);
CREATE TABLE rate (
  owner     TEXT COLLATE "C" NOT NULL,
  tenant_id TEXT COLLATE "C" NOT NULL,
  full_ms   BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, owner)
) WITH (fillfactor = 50);
ALTER TABLE migration ADD COLUMN ingest_credit BIGINT;
-- Graphs are of a server's own disk: each builds its own, and none is asked for here any more.
DELETE FROM job WHERE kind = 'build_index';
`;
