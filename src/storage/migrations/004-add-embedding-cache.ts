/** Vectors of texts that were embedded before. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE embedding_cache (
  seq        INTEGER PRIMARY KEY,          -- the oldest are trimmed first
  tenant_id  TEXT NOT NULL,
  file_id    TEXT NOT NULL,                -- the file whose text it was; goes with it
  revision   TEXT NOT NULL,                -- of the model
  dimensions INTEGER NOT NULL,
  sha256     BLOB NOT NULL,                -- of the text
  vectors    BLOB NOT NULL                 -- windows x dimensions, float32
) STRICT;
CREATE UNIQUE INDEX embedding_cache_by_text ON embedding_cache (tenant_id, revision, dimensions, sha256);
CREATE INDEX embedding_cache_by_file ON embedding_cache (file_id);

-- Kept by the triggers below.
CREATE TABLE embedding_cache_size (
  tenant_id TEXT PRIMARY KEY,
  entries   INTEGER NOT NULL,
  bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER embedding_cached AFTER INSERT ON embedding_cache BEGIN
  INSERT INTO embedding_cache_size (tenant_id, entries, bytes) VALUES (NEW.tenant_id, 1, length(NEW.vectors))
    ON CONFLICT (tenant_id) DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER embedding_forgotten AFTER DELETE ON embedding_cache BEGIN
  UPDATE embedding_cache_size SET entries = entries - 1, bytes = bytes - length(OLD.vectors)
    WHERE tenant_id = OLD.tenant_id;
  DELETE FROM embedding_cache_size WHERE tenant_id = OLD.tenant_id AND entries <= 0;
END;
`;
