/**
 * What several servers of one database tell one another of what is under way. A server that has its database alone keeps
 * all of it in memory, and these tables stay empty. Frozen.
 */
export const sql = /*sql*/ `
ALTER TABLE job ADD COLUMN progress TEXT;  -- JSON: how far whoever works on it is; NULL where that is not said

-- How an answer in the background came so far; gone when it ends.
CREATE TABLE response_step (
  tenant_id TEXT NOT NULL,
  response  INTEGER NOT NULL REFERENCES response (seq) ON DELETE CASCADE,
  first     INTEGER NOT NULL,              -- number of the first of these steps; -1: says who writes it
  up_to     INTEGER NOT NULL,              -- number after the last
  writer    TEXT NOT NULL,                 -- the attempt that writes it
  steps     TEXT NOT NULL,                 -- JSON: a list
  PRIMARY KEY (response, first)
) STRICT, WITHOUT ROWID;

-- What one request at a time has the use of.
CREATE TABLE held (
  tenant_id TEXT NOT NULL,
  name      TEXT NOT NULL,
  holder    TEXT NOT NULL,
  until_ms  INTEGER NOT NULL,              -- past it nobody holds it
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;

-- Codes that open the console once, and the keys made for them.
CREATE TABLE console_pass (
  tenant_id TEXT NOT NULL,
  hash      TEXT NOT NULL,                 -- hex; what it is of is kept nowhere
  kind      TEXT NOT NULL CHECK (kind IN ('code', 'session')),
  ends_ms   INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, hash)
) STRICT, WITHOUT ROWID;

-- Where the ends of pages stood that were handed out a while ago.
CREATE TABLE list_place (
  tenant_id TEXT NOT NULL,
  name      TEXT NOT NULL,                 -- the list, and the id in it
  seq       INTEGER NOT NULL,
  noted_at  INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_place_by_time ON list_place (noted_at);
`;
