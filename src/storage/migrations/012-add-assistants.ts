/** Assistants, threads with their messages, runs with their steps, and which files these hold text of. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE assistant (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  key_id     TEXT NOT NULL,              -- the key that made it
  created_at INTEGER NOT NULL,
  definition TEXT NOT NULL               -- JSON: what clients see of it besides
) STRICT;
CREATE INDEX assistant_by_tenant ON assistant (tenant_id, seq);

CREATE TABLE thread (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  tenant_id      TEXT NOT NULL,
  key_id         TEXT NOT NULL,          -- the key that made it
  created_at     INTEGER NOT NULL,
  used_at        INTEGER NOT NULL,       -- when something was last put into it
  next_number    INTEGER NOT NULL,       -- number of its next message, from 0; never used twice
  metadata       TEXT NOT NULL,          -- JSON
  tool_resources TEXT NOT NULL           -- JSON
) STRICT;
CREATE INDEX thread_by_tenant ON thread (tenant_id, seq);
CREATE INDEX thread_by_use ON thread (used_at);

CREATE TABLE run (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL UNIQUE,
  tenant_id       TEXT NOT NULL,
  key_id          TEXT NOT NULL,         -- the key that made it
  thread          INTEGER NOT NULL REFERENCES thread (seq) ON DELETE CASCADE,
  thread_id       TEXT NOT NULL,
  assistant_id    TEXT NOT NULL,
  status          TEXT NOT NULL
                  CHECK (status IN ('queued', 'in_progress', 'requires_action', 'cancelling', 'cancelled', 'failed',
                                    'completed', 'incomplete', 'expired')),
  created_at      INTEGER NOT NULL,
  started_at      INTEGER,
  expires_at      INTEGER NOT NULL,
  cancelling_at   INTEGER,               -- when it was cancelled while it was worked on
  ended_at        INTEGER,               -- when it reached a status that it keeps
  metadata        TEXT NOT NULL,         -- JSON
  request         TEXT NOT NULL,         -- JSON: what it was asked, with the assistant's where the request says nothing
  required_action TEXT,                  -- JSON: calls whose outputs it waits for
  outcome         TEXT                   -- JSON: how it ended; NULL until then
) STRICT;
CREATE INDEX run_by_thread ON run (thread, seq);
CREATE UNIQUE INDEX run_active ON run (thread)
  WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');
CREATE INDEX run_by_expiry ON run (expires_at)
  WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

CREATE TABLE thread_message (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  tenant_id     TEXT NOT NULL,
  thread        INTEGER NOT NULL REFERENCES thread (seq) ON DELETE CASCADE,
  thread_id     TEXT NOT NULL,
  number        INTEGER NOT NULL,        -- in its thread, from 0
  role          TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  created_at    INTEGER NOT NULL,
  run_id        TEXT,                    -- the run that wrote it; NULL where it was posted
  assistant_id  TEXT,
  status        TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'incomplete')),
  completed_at  INTEGER,
  incomplete_at INTEGER,
  reason        TEXT,                    -- why it is incomplete
  content       TEXT NOT NULL,           -- JSON: its parts
  attachments   TEXT NOT NULL,           -- JSON
  metadata      TEXT NOT NULL            -- JSON
) STRICT;
CREATE INDEX thread_message_by_thread ON thread_message (thread, seq);
CREATE INDEX thread_message_by_run ON thread_message (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE run_step (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant_id  TEXT NOT NULL,
  run        INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  status     TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled', 'expired')),
  created_at INTEGER NOT NULL,
  ended_at   INTEGER,                    -- when it left in_progress
  error      TEXT,                       -- JSON
  details    TEXT NOT NULL,              -- JSON: the message that it made, or calls with what came of them
  usage      TEXT                        -- JSON: tokens; NULL while in progress
) STRICT;
CREATE INDEX run_step_by_run ON run_step (run, seq);

CREATE TABLE thread_source (
  seq       INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  store_id  TEXT NOT NULL,
  file_id   TEXT NOT NULL,
  step      INTEGER REFERENCES run_step (seq) ON DELETE CASCADE,        -- the step that holds text of the file
  message   INTEGER REFERENCES thread_message (seq) ON DELETE CASCADE,  -- or the message that does
  results   INTEGER NOT NULL,            -- passages of it whose text is in the step
  quotes    INTEGER NOT NULL,            -- quotations of it beside the message's citations
  cited     INTEGER NOT NULL             -- 1: the message's text cites it
) STRICT;
CREATE INDEX thread_source_by_file ON thread_source (file_id);
CREATE INDEX thread_source_by_store ON thread_source (store_id);
CREATE INDEX thread_source_by_step ON thread_source (step) WHERE step IS NOT NULL;
CREATE INDEX thread_source_by_message ON thread_source (message) WHERE message IS NOT NULL;
`;
