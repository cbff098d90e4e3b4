/** Attributes that a chunk has of its own, beside its file's. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE chunk_attributes (                  -- of such chunks only
  chunk_id   INTEGER PRIMARY KEY,
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL,
  attributes TEXT NOT NULL                       -- JSON object; hides the file's of the same names
) STRICT;
CREATE INDEX chunk_attributes_by_store ON chunk_attributes (store_id, chunk_id);
`;
