import type { Db } from "./db.ts";

/** A chunk whose terms an older analyzer made. */
export interface AnalysedBefore {
  id: number;
  chunk_set: number;
  text: string;
  /** JSON array or null. */
  heading: string | null;
  terms: Uint8Array;
}

export interface ChunkTermsTable {
  /** Chunks of a file, in any set and revision, whose terms are of an analyzer before `version`. */
  analysedBefore(tenantId: string, storeFile: number, version: number, limit: number): AnalysedBefore[];
  /** Of chunks that are gone meanwhile nothing is written. */
  replace(chunks: readonly { id: number; terms: Uint8Array }[]): void;
}

/** The keyword terms of chunks, for bringing those of an older version to today's. They are written with their chunks. */
export function chunkTermsTable(db: Db): ChunkTermsTable {
  const { raw } = db;
  // The first byte of the terms is their version.
  const analysedBefore = raw.query<
    AnalysedBefore,
    [string, number, Uint8Array, number]
  >(/*sql*/ `SELECT c.id, c.chunk_set, c.text, c.heading, t.terms FROM chunk c JOIN chunk_terms t ON t.chunk_id = c.id
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND t.terms < ?3 LIMIT ?4`);
  const replace = raw.query<null, [number, Uint8Array]>(
    /*sql*/ `UPDATE chunk_terms SET terms = ?2 WHERE chunk_id = ?1`,
  );
  return {
    analysedBefore: (tenantId, storeFile, version, limit) =>
      analysedBefore.all(tenantId, storeFile, Uint8Array.of(version), limit),
    // A job writes them, which does it again.
    replace: (chunks) =>
      db.relaxed(() =>
        db.transaction(() => {
          for (const { id, terms } of chunks) replace.run(id, terms);
        }),
      ),
  };
}
