/** Indexes for what was looked for through whole tables that grow. Frozen. */
export const sql = /*sql*/ `
DROP INDEX response_by_time;
CREATE INDEX response_alone ON response (created_at) WHERE conversation IS NULL;

CREATE INDEX upload_ended ON upload (expires_at) WHERE status <> 'pending';

CREATE INDEX deletion_unended ON deletion (seq) WHERE completed_at IS NULL;
CREATE INDEX tenant_by_age ON tenant (created_at, rowid);
`;
