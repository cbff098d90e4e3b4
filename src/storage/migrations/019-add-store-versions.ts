/**
 * What became visible to searches of a store, counted and named, for servers that share a database. Here one server has
 * the database, and nothing is written of it. Frozen.
 */
export const sql = /*sql*/ `
ALTER TABLE vector_store ADD COLUMN version INTEGER NOT NULL DEFAULT 0; -- of the newest change

CREATE TABLE store_change (
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  version    INTEGER NOT NULL,                   -- of the store with it: each change is one, without gaps
  kind       TEXT NOT NULL,
  store_file INTEGER,
  generation INTEGER,
  at         INTEGER NOT NULL,                   -- unix seconds
  PRIMARY KEY (store_id, version)
) STRICT, WITHOUT ROWID;
`;
