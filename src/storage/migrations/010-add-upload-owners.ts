/** The key of an upload in parts, texts put in beside a file count for its tenant, an operator's limits on a key. Frozen. */
export const sql = /*sql*/ `
ALTER TABLE upload ADD COLUMN key_id TEXT;   -- the key that began it; NULL for those of older versions
CREATE INDEX upload_part_by_tenant ON upload_part (tenant_id);

-- JSON: what an operator allowed this key at most (names of quotas, and expires_at); only an operator may go beyond it.
ALTER TABLE api_key ADD COLUMN operator_limits TEXT NOT NULL DEFAULT '{}';

-- Bytes of the texts that came with vectors, not from a document: they count for the tenant as its files do.
ALTER TABLE store_file ADD COLUMN content_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN content_bytes INTEGER NOT NULL DEFAULT 0;   -- of the file in all stores; kept by the triggers below

CREATE TRIGGER store_file_content_changed AFTER UPDATE OF content_bytes ON store_file WHEN NEW.content_bytes <> OLD.content_bytes BEGIN
  UPDATE file SET content_bytes = content_bytes - OLD.content_bytes + NEW.content_bytes WHERE id = NEW.file_id;
END;
CREATE TRIGGER store_file_content_removed AFTER DELETE ON store_file WHEN OLD.content_bytes <> 0 BEGIN
  UPDATE file SET content_bytes = content_bytes - OLD.content_bytes WHERE id = OLD.file_id;
END;
CREATE TRIGGER file_content_changed AFTER UPDATE OF content_bytes ON file BEGIN
  UPDATE usage SET bytes = bytes - OLD.content_bytes + NEW.content_bytes WHERE owner = NEW.tenant_id;
END;
DROP TRIGGER file_removed;
CREATE TRIGGER file_removed AFTER DELETE ON file BEGIN
  UPDATE usage SET files = files - 1, bytes = bytes - OLD.bytes WHERE owner IN (OLD.tenant_id, OLD.key_id);
  UPDATE usage SET bytes = bytes - OLD.content_bytes WHERE owner = OLD.tenant_id;
  DELETE FROM usage WHERE owner IN (OLD.tenant_id, OLD.key_id) AND files <= 0;
END;
`;
