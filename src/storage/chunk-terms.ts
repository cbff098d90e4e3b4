import { CHUNK, CHUNK_TERMS } from "./chunks.ts";
import type { ChunkId, StoreFileSeq, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import type { RowOf } from "./table.ts";

const CHUNK_WITH_TERMS = CHUNK.pick("id", "chunk_set", "text", "heading")
  .as("c")
  .and(CHUNK_TERMS.pick("terms").as("t"));

/** A chunk whose terms an older analyzer made. */
export type AnalysedBefore = RowOf<typeof CHUNK_WITH_TERMS>;

/** The keyword terms of chunks, for bringing those of an older version to today's. They are written with their chunks. */
export interface ChunkTermsTable {
  /** Chunks of a file, in any set and revision, whose terms are of an analyzer before `version`. */
  analysedBefore(
    tenantId: TenantId,
    storeFile: StoreFileSeq,
    version: number,
    limit: number,
  ): Promise<AnalysedBefore[]>;
  /** Of chunks that are gone meanwhile nothing is written. `last`: the file of which these are the last. */
  replace(
    chunks: readonly { id: ChunkId; terms: Uint8Array }[],
    last: { tenantId: TenantId; seq: StoreFileSeq } | null,
  ): Promise<void>;
}

// The first byte of the terms is their version.
const ANALYSED_BEFORE = /*sql*/ `
  SELECT ${CHUNK_WITH_TERMS.list} FROM chunk c JOIN chunk_terms t ON t.chunk_id = c.id
  WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND t.terms < ?3 LIMIT ?4`;
// To a server that has not seen them nothing is wrong meanwhile, so other servers are told once a file.
const TELL = /*sql*/ `SELECT CAST(store_changed(tenant_id, store_id, ARRAY['terms'], ARRAY[seq], NULL) AS TEXT) AS told
  FROM store_file WHERE tenant_id = ?1 AND seq = ?2 AND status = 'completed'`;
const REPLACE = /*sql*/ `UPDATE chunk_terms SET terms = ?2 WHERE chunk_id = ?1`;

export function chunkTermsTable(sql: Sql): ChunkTermsTable {
  return {
    analysedBefore: (tenantId, storeFile, version, limit) =>
      CHUNK_WITH_TERMS.all(sql, ANALYSED_BEFORE, [tenantId, storeFile, Uint8Array.of(version), limit]),
    replace: (chunks, last) =>
      sql.atomic(async (tx) => {
        await Promise.all(chunks.map(({ id, terms }) => tx.run(REPLACE, [id, terms])));
        if (last !== null && tx.dialect === "postgres") await tx.get(TELL, [last.tenantId, last.seq]);
      }, "work"),
  };
}
