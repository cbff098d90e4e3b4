/** What each of several servers has committed last. Beside a file there is one server, and the table is empty. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE commit_mark (
  writer TEXT PRIMARY KEY,                       -- a server
  word   TEXT NOT NULL                           -- of its last transaction that was committed
) STRICT;
`;
