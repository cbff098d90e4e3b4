/** Conversations: answers, and items beside them, that belong together. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE conversation (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  key_id     TEXT NOT NULL,               -- the key that made it
  created_at INTEGER NOT NULL,
  metadata   TEXT NOT NULL                -- JSON
) STRICT;
CREATE INDEX conversation_by_tenant ON conversation (tenant_id, seq);

-- A conversation's items are those of its Responses that have ended, in order, and of Responses that nobody asked for and
-- nobody sees: what was added by itself is the input of one.
ALTER TABLE response ADD COLUMN conversation INTEGER REFERENCES conversation (seq) ON DELETE SET NULL;
CREATE INDEX response_by_conversation ON response (conversation) WHERE conversation IS NOT NULL;
ALTER TABLE response_item ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;  -- 1: taken out of its conversation
`;
