/** By what a commit whose answer was lost is told; SQLite's migration of the same version explains the columns. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE commit_mark (
  writer TEXT COLLATE "C" PRIMARY KEY,
  word   TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
`;
