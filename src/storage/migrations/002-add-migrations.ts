/** Migrations of stores to another model or chunking, and which files each generation has whole. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE generation_file (
  generation INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  store_file INTEGER NOT NULL REFERENCES store_file (seq) ON DELETE CASCADE,
  tenant_id  TEXT NOT NULL,
  revision   INTEGER NOT NULL,
  chunked    INTEGER NOT NULL,   -- 1: every chunk of this revision is in the generation's chunk set
  done       INTEGER NOT NULL,   -- 1: every chunk has its vector
  -- What the file is like in this generation; copied to store_file when the generation goes live.
  max_tokens     INTEGER NOT NULL,
  overlap_tokens INTEGER NOT NULL,
  n_chunks       INTEGER NOT NULL DEFAULT 0,
  n_vectors      INTEGER NOT NULL DEFAULT 0,
  usage_bytes    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (generation, store_file)
) STRICT, WITHOUT ROWID;
CREATE INDEX generation_file_by_file ON generation_file (store_file);

INSERT INTO generation_file (generation, store_file, tenant_id, revision, chunked, done, max_tokens, overlap_tokens, n_chunks, n_vectors, usage_bytes)
SELECT s.live_generation, f.seq, f.tenant_id, f.revision, 1, 1, f.max_tokens, f.overlap_tokens, f.n_chunks, f.n_vectors, f.usage_bytes
FROM store_file f JOIN vector_store s ON s.id = f.store_id
WHERE f.status = 'completed' AND s.live_generation IS NOT NULL;

CREATE TABLE migration (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL UNIQUE,
  tenant_id       TEXT NOT NULL,
  store_id        TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  created_at      INTEGER NOT NULL,
  started_at      INTEGER,
  completed_at    INTEGER,
  status          TEXT NOT NULL CHECK (status IN ('queued', 'building', 'catching_up', 'verifying', 'ready', 'completed',
                                                 'rolled_back', 'cancelled', 'failed', 'paused')),
  from_generation INTEGER NOT NULL,
  to_generation   INTEGER,
  from_identity   TEXT NOT NULL,   -- JSON: as clients see it, also when the generation is gone
  to_identity     TEXT NOT NULL,
  max_tokens      INTEGER,         -- another chunking, or NULL for each file's own
  overlap_tokens  INTEGER,
  gate            TEXT,            -- JSON or NULL
  dry_run         INTEGER NOT NULL,
  retain_hours    INTEGER NOT NULL,
  asked           TEXT,            -- 'cancel', 'promote' or 'rollback': what the running job is to do next
  files_done      INTEGER NOT NULL DEFAULT 0,
  chunks_done     INTEGER NOT NULL DEFAULT 0,
  tokens          INTEGER NOT NULL DEFAULT 0,
  report          TEXT,            -- JSON or NULL
  error_code      TEXT,
  error_message   TEXT,
  rollback_until  INTEGER,
  rolled_back_at  INTEGER
) STRICT;
CREATE INDEX migration_by_store ON migration (store_id, seq);
CREATE INDEX migration_by_retention ON migration (rollback_until) WHERE rollback_until IS NOT NULL;
`;
