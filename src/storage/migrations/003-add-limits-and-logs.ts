/** Usage per tenant and key, statistics per hour, and proof of deletions. Frozen. */
export const sql = /*sql*/ `
ALTER TABLE file ADD COLUMN key_id TEXT;   -- the key that uploaded it; NULL for files of older versions

CREATE INDEX file_by_bytes ON file (sha256);

-- What each tenant and each key has uploaded and not deleted; kept by the triggers below.
CREATE TABLE usage (
  owner     TEXT PRIMARY KEY,              -- a tenant's or a key's id
  tenant_id TEXT NOT NULL,
  files     INTEGER NOT NULL,
  bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO usage (owner, tenant_id, files, bytes)
SELECT tenant_id, tenant_id, count(*), sum(bytes) FROM file GROUP BY tenant_id;
CREATE TRIGGER file_added AFTER INSERT ON file BEGIN
  INSERT INTO usage (owner, tenant_id, files, bytes) VALUES (NEW.tenant_id, NEW.tenant_id, 1, NEW.bytes)
    ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
  INSERT INTO usage (owner, tenant_id, files, bytes) SELECT NEW.key_id, NEW.tenant_id, 1, NEW.bytes WHERE NEW.key_id IS NOT NULL
    ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER file_removed AFTER DELETE ON file BEGIN
  UPDATE usage SET files = files - 1, bytes = bytes - OLD.bytes WHERE owner IN (OLD.tenant_id, OLD.key_id);
  DELETE FROM usage WHERE owner IN (OLD.tenant_id, OLD.key_id) AND files <= 0;
END;

-- Nothing was ever written to the first form of this table.
DROP TABLE query_log;
CREATE TABLE query_log (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,  -- clients see q_<seq in base 36>
  tenant_id    TEXT NOT NULL,
  store_id     TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  query        TEXT,                       -- JSON array; NULL where only hashes are kept
  query_sha256 TEXT NOT NULL,
  body         TEXT NOT NULL               -- JSON: what else clients see of it
) STRICT;
CREATE INDEX query_log_by_store ON query_log (store_id, seq);

-- Hours are Unix hours (seconds / 3600). Statistics need neither the log nor its retention.
CREATE TABLE query_hour (
  store_id  TEXT NOT NULL,
  hour      INTEGER NOT NULL,
  tenant_id TEXT NOT NULL,
  queries   INTEGER NOT NULL,
  empty     INTEGER NOT NULL,
  latency   TEXT NOT NULL,                 -- JSON object: bucket of the latency -> searches in it
  PRIMARY KEY (store_id, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE ingest_hour (
  store_id  TEXT NOT NULL,
  hour      INTEGER NOT NULL,
  tenant_id TEXT NOT NULL,
  completed INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,              -- of completed files
  chunks    INTEGER NOT NULL,
  PRIMARY KEY (store_id, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE deletion (
  seq              INTEGER PRIMARY KEY AUTOINCREMENT,
  id               TEXT NOT NULL UNIQUE,
  tenant_id        TEXT NOT NULL,
  subject_type     TEXT NOT NULL CHECK (subject_type IN ('file', 'vector_store')),
  subject_id       TEXT NOT NULL,
  requested_at     INTEGER NOT NULL,
  completed_at     INTEGER,
  verified_at      INTEGER,
  cache_sha256     TEXT,                   -- of a file: names its entry in the cache of parsed documents
  cache_extension  TEXT,
  files            INTEGER NOT NULL DEFAULT 0,
  chunks           INTEGER NOT NULL DEFAULT 0,
  vectors          INTEGER NOT NULL DEFAULT 0,
  keyword_postings INTEGER NOT NULL DEFAULT 0,
  cache_entries    INTEGER NOT NULL DEFAULT 0,
  bytes            INTEGER NOT NULL DEFAULT 0,
  remaining        TEXT                    -- JSON of the last check
) STRICT;
CREATE INDEX deletion_by_tenant ON deletion (tenant_id, seq);
CREATE INDEX deletion_by_subject ON deletion (subject_id);

-- The files in stores that a deletion takes away.
CREATE TABLE deletion_file (
  store_file INTEGER PRIMARY KEY,
  deletion   INTEGER NOT NULL REFERENCES deletion (seq) ON DELETE CASCADE,
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL
) STRICT;
CREATE INDEX deletion_file_by_deletion ON deletion_file (deletion);

-- The chunks that were removed, so that it can be checked that nothing points to them any more. Both ends belong to it.
CREATE TABLE deletion_range (
  deletion   INTEGER NOT NULL REFERENCES deletion (seq) ON DELETE CASCADE,
  first_id   INTEGER NOT NULL,
  last_id    INTEGER NOT NULL,
  tenant_id  TEXT NOT NULL,
  PRIMARY KEY (deletion, first_id)
) STRICT, WITHOUT ROWID;
`;
