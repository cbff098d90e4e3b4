/**
 * The first schema. Frozen: a migration is history and never follows today's definitions.
 * Every table that holds what a tenant owns carries `tenant_id`. Times are Unix seconds (`_at`) or milliseconds (`_ms`).
 * `seq` is the order of creation and the cursor of every list: it never repeats (AUTOINCREMENT).
 */
export const sql = /*sql*/ `
CREATE TABLE tenant (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
  quotas     TEXT NOT NULL DEFAULT '{}',   -- JSON, a missing or null entry is the server's default
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
  id           TEXT PRIMARY KEY,
  tenant_id    TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  hash         BLOB NOT NULL UNIQUE,       -- sha256 of the key; the key itself is never kept
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'write', 'read')),
  store_ids    TEXT,                       -- JSON array: the only stores it may see; NULL: all of the tenant's
  dialect      TEXT,
  quotas       TEXT NOT NULL DEFAULT '{}',
  hint         TEXT NOT NULL,              -- first and last characters, for people
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
) STRICT;
CREATE INDEX api_key_by_tenant ON api_key (tenant_id);

CREATE TABLE file (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  filename   TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  purpose    TEXT NOT NULL,
  mime       TEXT,                         -- content type as sent; a hint only
  sha256     TEXT NOT NULL,                -- hex, of the bytes
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE INDEX file_by_tenant ON file (tenant_id, seq);
CREATE INDEX file_by_expiry ON file (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE upload (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL UNIQUE,
  tenant_id       TEXT NOT NULL,
  filename        TEXT NOT NULL,
  bytes           INTEGER NOT NULL,        -- announced size
  purpose         TEXT NOT NULL,
  mime            TEXT NOT NULL,
  status          TEXT NOT NULL CHECK (status IN ('pending', 'completed', 'cancelled', 'expired')),
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  file_expires_s  INTEGER,                 -- expires_after.seconds of the file to be
  file_id         TEXT
) STRICT;
CREATE INDEX upload_by_expiry ON upload (expires_at) WHERE status = 'pending';

CREATE TABLE upload_part (
  id         TEXT PRIMARY KEY,
  tenant_id  TEXT NOT NULL,
  upload_id  TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
  bytes      INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_part_by_upload ON upload_part (upload_id);

CREATE TABLE vector_store (
  seq                  INTEGER PRIMARY KEY AUTOINCREMENT,
  id                   TEXT NOT NULL UNIQUE,
  tenant_id            TEXT NOT NULL,
  key_id               TEXT,               -- the key that created it (quotas per key)
  name                 TEXT NOT NULL,
  description          TEXT,
  metadata             TEXT,               -- JSON object or NULL
  created_at           INTEGER NOT NULL,
  last_active_at       INTEGER NOT NULL,
  expires_days         INTEGER,
  expires_at           INTEGER,
  data_removed_at      INTEGER,            -- set when an expired store's data was reclaimed
  lifecycle            TEXT NOT NULL DEFAULT 'active' CHECK (lifecycle IN ('active', 'suspended', 'deleting')),
  embedding_model      TEXT NOT NULL,      -- the name as asked for, or the default's
  embedding_dimensions INTEGER,            -- only when asked for
  index_mode           TEXT NOT NULL DEFAULT 'auto' CHECK (index_mode IN ('auto', 'exact', 'hnsw')),
  live_generation      INTEGER,            -- generation.id that searches read
  -- Kept by the triggers below, so that they are right after any crash.
  n_in_progress        INTEGER NOT NULL DEFAULT 0,
  n_completed          INTEGER NOT NULL DEFAULT 0,
  n_failed             INTEGER NOT NULL DEFAULT 0,
  n_cancelled          INTEGER NOT NULL DEFAULT 0,
  usage_bytes          INTEGER NOT NULL DEFAULT 0,
  file_bytes           INTEGER NOT NULL DEFAULT 0,
  n_chunks             INTEGER NOT NULL DEFAULT 0,
  n_vectors            INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX vector_store_by_tenant ON vector_store (tenant_id, seq);
CREATE INDEX vector_store_by_key ON vector_store (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX vector_store_by_expiry ON vector_store (expires_at) WHERE expires_at IS NOT NULL;

-- An index generation: an immutable identity. Migration, rollback and compaction make another one beside it.
CREATE TABLE generation (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id      TEXT NOT NULL,
  store_id       TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  number         INTEGER NOT NULL,         -- 1, 2, … within the store; what clients see
  model          TEXT NOT NULL,            -- the model that really runs
  model_revision TEXT NOT NULL,
  dimensions     INTEGER NOT NULL,
  chunk_set      INTEGER NOT NULL,         -- generations with the same chunks share them
  state          TEXT NOT NULL CHECK (state IN ('live', 'building', 'retained', 'retired')),
  created_at     INTEGER NOT NULL,
  UNIQUE (store_id, number)
) STRICT;

CREATE TABLE store_file (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id      TEXT NOT NULL,
  store_id       TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  file_id        TEXT NOT NULL,
  filename       TEXT NOT NULL,            -- copied: a search must not join for it
  file_bytes     INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
  error_code     TEXT,
  error_message  TEXT,
  attributes     TEXT,                     -- JSON object or NULL
  max_tokens     INTEGER NOT NULL,
  overlap_tokens INTEGER NOT NULL,
  revision       INTEGER NOT NULL DEFAULT 1,   -- grows when it is indexed anew; chunks of older revisions are garbage
  chunked        INTEGER NOT NULL DEFAULT 0,   -- 1: every chunk row of this revision is there, only vectors may be missing
  usage_bytes    INTEGER NOT NULL DEFAULT 0,
  n_chunks       INTEGER NOT NULL DEFAULT 0,
  n_vectors      INTEGER NOT NULL DEFAULT 0,
  warnings       TEXT,                     -- JSON array or NULL
  UNIQUE (store_id, file_id)
) STRICT;
CREATE INDEX store_file_by_store ON store_file (store_id, seq);
CREATE INDEX store_file_by_status ON store_file (store_id, status, seq);
CREATE INDEX store_file_by_file ON store_file (file_id);

CREATE TRIGGER store_file_added AFTER INSERT ON store_file BEGIN
  UPDATE vector_store SET
    n_in_progress = n_in_progress + (NEW.status = 'in_progress'),
    n_completed   = n_completed + (NEW.status = 'completed'),
    n_failed      = n_failed + (NEW.status = 'failed'),
    n_cancelled   = n_cancelled + (NEW.status = 'cancelled'),
    usage_bytes   = usage_bytes + NEW.usage_bytes,
    file_bytes    = file_bytes + NEW.file_bytes,
    n_chunks      = n_chunks + NEW.n_chunks,
    n_vectors     = n_vectors + NEW.n_vectors
  WHERE id = NEW.store_id;
END;
CREATE TRIGGER store_file_removed AFTER DELETE ON store_file BEGIN
  UPDATE vector_store SET
    n_in_progress = n_in_progress - (OLD.status = 'in_progress'),
    n_completed   = n_completed - (OLD.status = 'completed'),
    n_failed      = n_failed - (OLD.status = 'failed'),
    n_cancelled   = n_cancelled - (OLD.status = 'cancelled'),
    usage_bytes   = usage_bytes - OLD.usage_bytes,
    file_bytes    = file_bytes - OLD.file_bytes,
    n_chunks      = n_chunks - OLD.n_chunks,
    n_vectors     = n_vectors - OLD.n_vectors
  WHERE id = OLD.store_id;
END;
CREATE TRIGGER store_file_changed AFTER UPDATE OF status, usage_bytes, n_chunks, n_vectors ON store_file BEGIN
  UPDATE vector_store SET
    n_in_progress = n_in_progress - (OLD.status = 'in_progress') + (NEW.status = 'in_progress'),
    n_completed   = n_completed - (OLD.status = 'completed') + (NEW.status = 'completed'),
    n_failed      = n_failed - (OLD.status = 'failed') + (NEW.status = 'failed'),
    n_cancelled   = n_cancelled - (OLD.status = 'cancelled') + (NEW.status = 'cancelled'),
    usage_bytes   = usage_bytes - OLD.usage_bytes + NEW.usage_bytes,
    n_chunks      = n_chunks - OLD.n_chunks + NEW.n_chunks,
    n_vectors     = n_vectors - OLD.n_vectors + NEW.n_vectors
  WHERE id = NEW.store_id;
END;

CREATE TABLE file_batch (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  cancelled  INTEGER NOT NULL DEFAULT 0    -- 1 once a cancel was asked for
) STRICT;

CREATE TABLE file_batch_member (
  batch_id   TEXT NOT NULL REFERENCES file_batch (id) ON DELETE CASCADE,
  store_file INTEGER NOT NULL REFERENCES store_file (seq) ON DELETE CASCADE,
  tenant_id  TEXT NOT NULL,
  PRIMARY KEY (batch_id, store_file)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_batch_member_by_file ON file_batch_member (store_file);

-- No foreign keys from here on: a detached file's rows are garbage that the janitor removes in small steps.
CREATE TABLE chunk (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- clients see chunk_<id in base 36>
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL,
  chunk_set  INTEGER NOT NULL,
  store_file INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  idx        INTEGER NOT NULL,             -- 0, 1, … within the file
  text       TEXT NOT NULL,
  tokens     INTEGER NOT NULL,             -- cl100k_base
  start_cp   INTEGER NOT NULL,             -- code points into the parsed text, end exclusive
  end_cp     INTEGER NOT NULL,
  page       INTEGER,
  page_end   INTEGER,
  heading    TEXT                          -- JSON array or NULL
) STRICT;
CREATE UNIQUE INDEX chunk_by_file ON chunk (store_file, chunk_set, revision, idx);

-- Keyword terms of a chunk, apart from its text so that loading an index reads only them.
CREATE TABLE chunk_terms (
  chunk_id  INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  terms     BLOB NOT NULL
) STRICT;

-- All windows of a chunk in one generation: float32 little endian, windows x dimensions, unit length.
CREATE TABLE vector (
  id         INTEGER PRIMARY KEY,
  tenant_id  TEXT NOT NULL,
  generation INTEGER NOT NULL,
  chunk_id   INTEGER NOT NULL,
  data       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX vector_by_chunk ON vector (chunk_id, generation);

-- Durable work. A finished job's row is deleted: what it did is in the rows it changed.
CREATE TABLE job (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id   TEXT NOT NULL,
  kind        TEXT NOT NULL,
  store_id    TEXT,
  subject     TEXT NOT NULL,               -- what it works on, e.g. a store_file.seq
  priority    INTEGER NOT NULL DEFAULT 1,  -- 0 before 1: a single file is not kept waiting by a batch
  attempt     INTEGER NOT NULL DEFAULT 0,
  due_ms      INTEGER NOT NULL,
  lease_owner TEXT,                        -- the process run that works on it
  lease_ms    INTEGER,                     -- until when; past it the job is due again
  payload     TEXT NOT NULL DEFAULT '{}',
  created_at  INTEGER NOT NULL,
  UNIQUE (kind, subject)
) STRICT;
CREATE INDEX job_due ON job (kind, priority, tenant_id, id) WHERE lease_owner IS NULL;

CREATE TABLE query_log (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  body       TEXT NOT NULL                 -- JSON
) STRICT;
CREATE INDEX query_log_by_store ON query_log (store_id, seq);
`;
