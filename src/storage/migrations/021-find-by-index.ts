/** Indexes for what was looked for through whole tables that grow. Frozen. */
export const sql = /*sql*/ `
-- With a store its batches go.
CREATE INDEX file_batch_by_store ON file_batch (store_id);

-- What is too old is looked for every few seconds; what belongs to a conversation is kept whatever its age, and was walked
-- over each time.
DROP INDEX response_by_time;
CREATE INDEX response_alone ON response (created_at) WHERE conversation IS NULL;

-- Uploads that have ended are kept for a while, then removed.
CREATE INDEX upload_ended ON upload (expires_at) WHERE status <> 'pending';
`;
