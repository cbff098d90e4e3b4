/** What a data directory was made with; one that has been used was made with the table of English words. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE instance (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  default_model TEXT NOT NULL              -- of clients that named none, when the directory was made
) STRICT;
INSERT INTO instance (one, default_model) SELECT 1, 'lectern-embed-en' WHERE EXISTS (SELECT 1 FROM tenant);
`;
