/** Where in its text a chunk of a document without pages lies. Chunks of before have no lines. Frozen. */
export const sql = /*sql*/ `
ALTER TABLE chunk ADD COLUMN line INTEGER;      -- 1-based
ALTER TABLE chunk ADD COLUMN line_end INTEGER;
`;
