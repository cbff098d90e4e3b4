/** What evaluations found for each of a store's judged queries. Frozen. */
export const sql = /*sql*/ `
CREATE TABLE evaluation_result (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT, -- of a mode: the later, the worse it became
  tenant_id  TEXT NOT NULL,
  store_id   TEXT NOT NULL REFERENCES vector_store (id) ON DELETE CASCADE,
  evaluation INTEGER NOT NULL REFERENCES evaluation (seq) ON DELETE CASCADE,
  judgment   INTEGER NOT NULL REFERENCES judgment (seq) ON DELETE CASCADE,
  mode       TEXT NOT NULL,
  scores     TEXT NOT NULL,                     -- JSON {ndcg, recall, mrr, before}
  hits       TEXT NOT NULL                      -- JSON array of {file, chunk, grade}, best first
) STRICT;
CREATE INDEX evaluation_result_by_mode ON evaluation_result (evaluation, mode, seq);
CREATE INDEX evaluation_result_by_judgment ON evaluation_result (judgment);
CREATE INDEX evaluation_result_by_store ON evaluation_result (store_id, evaluation);
`;
