/** Analyzer version 2: every store's chunks are analysed again, in the background, by a job each. Frozen. */
export const sql = /*sql*/ `
INSERT INTO job (tenant_id, kind, store_id, subject, priority, due_ms, payload, created_at)
SELECT tenant_id, 'reanalyze', id, id, 1, 0, '{}', created_at FROM vector_store
WHERE lifecycle <> 'deleting' AND (n_completed > 0 OR n_in_progress > 0);
`;
