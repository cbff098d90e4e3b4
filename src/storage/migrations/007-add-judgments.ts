/** Judged queries of stores, and how well the stores answered them. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE evaluation (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  tenant_id     TEXT NOT NULL,
  store_id      TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  created_at    INTEGER NOT NULL,
  completed_at  INTEGER,
  status        TEXT NOT NULL CHECK (status IN ('queued', 'in_progress', 'completed', 'failed')),
  modes         TEXT NOT NULL,             -- JSON array
  k             INTEGER NOT NULL,
  generation    INTEGER NOT NULL,          -- number within the store: of the one that answered
  queries       INTEGER NOT NULL,
  own           INTEGER NOT NULL,          -- 1: it brought its own judged queries, which go when it ends
  missing       INTEGER NOT NULL DEFAULT 0,
  metrics       TEXT,                      -- JSON by mode, or NULL until it is completed
  error_code    TEXT,
  error_message TEXT
) STRICT;
CREATE INDEX evaluation_by_store ON evaluation (store_id, seq);

CREATE TABLE judgment (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  evaluation INTEGER NOT NULL,             -- evaluation.seq of the one that brought it; 0: it belongs to the store
  created_at INTEGER NOT NULL,
  query      TEXT NOT NULL,
  relevant   TEXT NOT NULL                 -- JSON array of {file, chunk, grade}
) STRICT;
CREATE UNIQUE INDEX judgment_by_query ON judgment (store_id, evaluation, query);
CREATE INDEX judgment_by_store ON judgment (store_id, evaluation, seq);
`;
