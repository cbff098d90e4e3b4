/**
 * The query log knows how many bytes it has, and the numbers of rows are shown to nobody: what clients see in their place
 * is made with a secret. Frozen.
 */
export const sql = /*sql*/ `
-- Kept by the triggers below. The sizes of rows are read from their heads, however large they are.
CREATE TABLE query_log_size (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  bytes INTEGER NOT NULL
) STRICT;
INSERT INTO query_log_size (one, bytes)
  SELECT 1, coalesce(sum(octet_length(body) + coalesce(octet_length(query), 0)), 0) FROM query_log;
CREATE TRIGGER query_logged AFTER INSERT ON query_log BEGIN
  UPDATE query_log_size SET bytes = bytes + octet_length(NEW.body) + coalesce(octet_length(NEW.query), 0);
END;
CREATE TRIGGER query_forgotten AFTER DELETE ON query_log BEGIN
  UPDATE query_log_size SET bytes = bytes - octet_length(OLD.body) - coalesce(octet_length(OLD.query), 0);
END;

CREATE TABLE shown_id (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  secret        BLOB NOT NULL,             -- 32 random bytes
  plain_chunks  INTEGER NOT NULL,          -- chunks up to this one were shown by their number, and answer to it
  plain_queries INTEGER NOT NULL           -- the same of logged queries
) STRICT;
INSERT INTO shown_id (one, secret, plain_chunks, plain_queries) SELECT 1, randomblob(32),
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'chunk'), 0),
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'query_log'), 0);
`;
