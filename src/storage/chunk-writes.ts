import { bytesOf, CHUNK, CHUNK_ATTRIBUTES, type ChunkOwner, type NewChunk, type NewVectors } from "./chunks.ts";
import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Param, Sql, Tx } from "./sql.ts";
import { numbers } from "./dialect.ts";

export interface ChunkWrites {
  /**
   * Adds chunks of one file revision, in one transaction; returns their ids, in their order. None where the file was
   * detached or is of another revision by now: nobody would remove them again.
   */
  add(owner: ChunkOwner & { tenantId: TenantId; storeId: StoreId }, chunks: readonly NewChunk[]): Promise<ChunkId[]>;
  /** Vectors of chunks that were removed meanwhile are dropped. */
  addVectors(tenantId: TenantId, generation: GenerationId, vectors: readonly NewVectors[]): Promise<void>;
  /** Copies a file's chunks, with their terms and attributes, into another set; what the set had of the file goes first. */
  copyToSet(storeFile: StoreFileSeq, revision: number, from: ChunkSet, to: ChunkSet): Promise<void>;
}

const OF_TEXT = ["text", "tokens", "start_cp", "end_cp", "page", "page_end", "line", "line_end", "heading"] as const;
const INSERT_CHUNK = /*sql*/ `${CHUNK.into("tenant_id", "store_id", "chunk_set", "store_file", "revision", "idx", ...OF_TEXT)} RETURNING id`;
const INSERT_TERMS = /*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms) VALUES (?1, ?2, ?3)`;
const INSERT_ATTRIBUTES = CHUNK_ATTRIBUTES.into("chunk_id", "tenant_id", "store_id", "attributes");
const INSERT_VECTOR = /*sql*/ `INSERT INTO vector (tenant_id, generation, chunk_id, data, shared)
  SELECT ?1, CAST(?2 AS BIGINT), CAST(?3 AS BIGINT), ?4, CAST(?5 AS BIGINT) WHERE EXISTS (SELECT 1 FROM chunk WHERE id = ?3)
  ON CONFLICT (chunk_id, generation) DO UPDATE SET data = excluded.data, shared = excluded.shared`;
const REVISION_OF = /*sql*/ `SELECT revision FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
const IDS_OF_SET = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2`;
const COPY_CHUNKS = /*sql*/ `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, ${OF_TEXT.join(", ")})
  SELECT tenant_id, store_id, CAST(?4 AS BIGINT), store_file, revision, idx, ${OF_TEXT.join(", ")}
  FROM chunk WHERE store_file = ?1 AND revision = ?2 AND chunk_set = ?3 ORDER BY idx`;
const COPY_TERMS = /*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms)
  SELECT n.id, t.tenant_id, t.terms FROM chunk c
  JOIN chunk n ON n.store_file = c.store_file AND n.revision = c.revision AND n.idx = c.idx AND n.chunk_set = ?4
  JOIN chunk_terms t ON t.chunk_id = c.id
  WHERE c.store_file = ?1 AND c.revision = ?2 AND c.chunk_set = ?3`;

const COPY_ATTRIBUTES = /*sql*/ `INSERT INTO chunk_attributes (chunk_id, tenant_id, store_id, attributes)
  SELECT n.id, a.tenant_id, a.store_id, a.attributes FROM chunk c
  JOIN chunk n ON n.store_file = c.store_file AND n.revision = c.revision AND n.idx = c.idx AND n.chunk_set = ?4
  JOIN chunk_attributes a ON a.chunk_id = c.id
  WHERE c.store_file = ?1 AND c.revision = ?2 AND c.chunk_set = ?3`;

export function chunkWrites(sql: Sql): ChunkWrites {
  return {
    add: ({ tenantId, storeId, chunkSet, storeFile, revision }, chunks) =>
      sql.atomic(async (tx) => {
        const file = await tx.get<{ revision: number }>(REVISION_OF, [tenantId, storeFile]);
        if (file?.revision !== revision) return [];
        const own = [tenantId, storeId, chunkSet, storeFile, revision];
        // Sent one behind the other: a database elsewhere is waited for twice, not three times a chunk.
        const rows = await Promise.all(
          chunks.map((chunk) => tx.get<{ id: ChunkId }>(INSERT_CHUNK, [...own, ...valuesOf(chunk)])),
        );
        const ids = rows.map((row) => {
          if (row === null) throw new Error("INSERT … RETURNING gave no row");
          return row.id;
        });
        await Promise.all(
          chunks.flatMap(({ terms, attributes = null }, i) => {
            const id = ids[i] as ChunkId;
            const written = tx.run(INSERT_TERMS, [id, tenantId, terms]);
            if (attributes === null) return written;
            return [written, tx.run(INSERT_ATTRIBUTES, [id, tenantId, storeId, JSON.stringify(attributes)])];
          }),
        );
        return ids;
      }, "work"),
    addVectors: (tenantId, generation, vectors) =>
      sql.atomic(async (tx) => {
        const insert = ({ chunkId, data, shared = 0 }: NewVectors) =>
          tx.run(INSERT_VECTOR, [tenantId, generation, chunkId, bytesOf(data), shared]);
        await Promise.all(vectors.map(insert));
      }, "work"),
    copyToSet: (storeFile, revision, from, to) =>
      sql.atomic(async (tx) => {
        const own = (await tx.all<{ id: ChunkId }>(IDS_OF_SET, [storeFile, to])).map((row) => row.id);
        if (own.length > 0) await removeChunks(tx, own);
        await tx.run(COPY_CHUNKS, [storeFile, revision, from, to]);
        await tx.run(COPY_TERMS, [storeFile, revision, from, to]);
        await tx.run(COPY_ATTRIBUTES, [storeFile, revision, from, to]);
      }, "work"),
  };
}

/** As the columns of a text stand in {@link INSERT_CHUNK}. */
function valuesOf(chunk: NewChunk): Param[] {
  const { idx, text, tokens, start, end, page, pageEnd, line, lineEnd, heading } = chunk;
  const headings = heading.length === 0 ? null : JSON.stringify(heading);
  return [idx, text, tokens, start, end, page, pageEnd, line, lineEnd, headings];
}

const REMOVE_VECTORS = /*sql*/ `DELETE FROM vector WHERE chunk_id IN ${numbers(1)}`;
const REMOVE_TERMS = /*sql*/ `DELETE FROM chunk_terms WHERE chunk_id IN ${numbers(1)}`;
const REMOVE_ATTRIBUTES = /*sql*/ `DELETE FROM chunk_attributes WHERE chunk_id IN ${numbers(1)}`;
const REMOVE_CHUNKS = /*sql*/ `DELETE FROM chunk WHERE id IN ${numbers(1)}`;

/** Removes chunks with all that hangs on them; returns how many terms and vectors went. */
export async function removeChunks(tx: Tx, ids: readonly ChunkId[]): Promise<{ terms: number; vectors: number }> {
  const vectors = await tx.run(REMOVE_VECTORS, [JSON.stringify(ids)]);
  return { terms: await removeTexts(tx, ids), vectors };
}

/** Removes chunks with their terms and attributes and without their vectors; returns how many terms went. */
export async function removeTexts(tx: Tx, ids: readonly ChunkId[]): Promise<number> {
  const list = JSON.stringify(ids);
  const terms = await tx.run(REMOVE_TERMS, [list]);
  await tx.run(REMOVE_ATTRIBUTES, [list]);
  await tx.run(REMOVE_CHUNKS, [list]);
  return terms;
}
