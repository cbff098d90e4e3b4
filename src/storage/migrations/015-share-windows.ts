/** Vectors of windows of a file, each kept once and shared by the chunks that contain it. Frozen. */
export const sql = /*sql*/ `
-- Tokens of a window, for a model that reads context: its vectors are those of windows. NULL: each chunk has its own.
ALTER TABLE generation ADD COLUMN window_tokens INTEGER;
-- How many of the vectors that stand before its own, in chunks of the same file before it, are the chunk's too.
ALTER TABLE vector ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
`;
