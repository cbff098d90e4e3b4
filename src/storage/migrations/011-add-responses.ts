/** Answers, the items they were given and gave, and which files these hold text of. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE response (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  tenant_id    TEXT NOT NULL,
  key_id       TEXT NOT NULL,              -- the key that made it
  parent       INTEGER,                    -- response.seq whose items come before its own
  previous_id  TEXT,                       -- as named by the client, whatever became of it
  status       TEXT NOT NULL
               CHECK (status IN ('queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled')),
  background   INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  completed_at INTEGER,
  request      TEXT NOT NULL,              -- JSON: what clients see of what was asked
  question     TEXT,                       -- JSON: what is to be answered in the background; NULL once it ended
  outcome      TEXT                        -- JSON: how it ended; NULL until then
) STRICT;
CREATE INDEX response_by_tenant ON response (tenant_id, seq);
CREATE INDEX response_by_parent ON response (parent) WHERE parent IS NOT NULL;
CREATE INDEX response_by_time ON response (created_at);
CREATE INDEX response_unfinished ON response (status) WHERE status IN ('queued', 'in_progress');

CREATE TABLE response_item (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  response  INTEGER NOT NULL REFERENCES response (seq) ON DELETE CASCADE,
  side      TEXT NOT NULL CHECK (side IN ('input', 'output')),
  type      TEXT NOT NULL,
  body      TEXT NOT NULL                  -- JSON
) STRICT;
CREATE UNIQUE INDEX response_item_by_id ON response_item (tenant_id, id);
CREATE INDEX response_item_by_response ON response_item (response, side, seq);

CREATE TABLE response_source (
  item      INTEGER NOT NULL REFERENCES response_item (seq) ON DELETE CASCADE,
  store_id  TEXT NOT NULL,
  file_id   TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  results   INTEGER NOT NULL,              -- passages of it whose text is in the item
  quotes    INTEGER NOT NULL,              -- quotations of it beside citations
  cited     INTEGER NOT NULL,              -- 1: the item's text cites it
  PRIMARY KEY (item, store_id, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX response_source_by_file ON response_source (file_id);
CREATE INDEX response_source_by_store ON response_source (store_id);

ALTER TABLE deletion ADD COLUMN results INTEGER NOT NULL DEFAULT 0;  -- passages in answers whose text was emptied
`;
