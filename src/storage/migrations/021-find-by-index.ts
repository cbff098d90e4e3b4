/** Indexes for what was looked for through whole tables that grow. Frozen. */
export const sql = /*sql*/ `
-- With a store its batches go.
CREATE INDEX file_batch_by_store ON file_batch (store_id);

-- What is too old is looked for every few seconds; what belongs to a conversation is kept whatever its age, and was walked
-- over each time.
DROP INDEX response_by_time;
CREATE INDEX response_alone ON response (created_at) WHERE conversation IS NULL;

-- Uploads that have ended are kept for a while, then removed; all of a tenant's go with it.
CREATE INDEX upload_ended ON upload (expires_at) WHERE status <> 'pending';
CREATE INDEX upload_by_tenant ON upload (tenant_id);

-- Stores with files in progress, looked through every few seconds for such as nothing works on.
CREATE INDEX vector_store_busy ON vector_store (id) WHERE n_in_progress > 0;

-- Records of deletions are kept for ever; the first tenant is asked for by every look whether the server is ready.
CREATE INDEX deletion_unended ON deletion (seq) WHERE completed_at IS NULL;
CREATE INDEX tenant_by_age ON tenant (created_at);
`;
