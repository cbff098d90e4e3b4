import type { Sql } from "./sql.ts";

/** A chunk whose terms an older analyzer made. */
export interface AnalysedBefore {
  id: number;
  chunk_set: number;
  text: string;
  /** JSON array or null. */
  heading: string | null;
  terms: Uint8Array;
}

/** The keyword terms of chunks, for bringing those of an older version to today's. They are written with their chunks. */
export interface ChunkTermsTable {
  /** Chunks of a file, in any set and revision, whose terms are of an analyzer before `version`. */
  analysedBefore(tenantId: string, storeFile: number, version: number, limit: number): Promise<AnalysedBefore[]>;
  /** Of chunks that are gone meanwhile nothing is written. */
  replace(chunks: readonly { id: number; terms: Uint8Array }[]): Promise<void>;
}

// The first byte of the terms is their version.
const ANALYSED_BEFORE = /*sql*/ `
  SELECT c.id, c.chunk_set, c.text, c.heading, t.terms FROM chunk c JOIN chunk_terms t ON t.chunk_id = c.id
  WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND t.terms < ?3 LIMIT ?4`;
const REPLACE = /*sql*/ `UPDATE chunk_terms SET terms = ?2 WHERE chunk_id = ?1`;

export function chunkTermsTable(sql: Sql): ChunkTermsTable {
  return {
    analysedBefore: (tenantId, storeFile, version, limit) =>
      sql.all<AnalysedBefore>(ANALYSED_BEFORE, [tenantId, storeFile, Uint8Array.of(version), limit]),
    replace: (chunks) =>
      sql.atomic(async (tx) => {
        for (const { id, terms } of chunks) await tx.run(REPLACE, [id, terms]);
      }, "work"),
  };
}
