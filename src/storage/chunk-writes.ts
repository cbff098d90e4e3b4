import {
  bytesOf,
  CHUNK,
  CHUNK_ATTRIBUTES,
  CHUNK_TERMS,
  type ChunkOwner,
  type NewChunk,
  type NewVectors,
  VECTOR,
} from "./chunks.ts";
import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { AddRows, Param, Sql, Tx } from "./sql.ts";
import { numbers } from "./dialect.ts";

export interface ChunkWrites {
  /**
   * Adds chunks of one file revision, in one transaction; returns their ids, in their order. None where the file was
   * detached or is of another revision by now: nobody would remove them again.
   */
  add(owner: ChunksOwner, chunks: readonly NewChunk[]): Promise<ChunkId[]>;
  /** Vectors of chunks that were removed meanwhile are dropped. */
  addVectors(tenantId: TenantId, generation: GenerationId, vectors: readonly NewVectors[]): Promise<void>;
  /** Copies a file's chunks, with their terms and attributes, into another set; what the set had of the file goes first. */
  copyToSet(storeFile: StoreFileSeq, revision: number, from: ChunkSet, to: ChunkSet): Promise<void>;
}

type ChunksOwner = ChunkOwner & { tenantId: TenantId; storeId: StoreId };

const OF_TEXT = ["text", "tokens", "start_cp", "end_cp", "page", "page_end", "line", "line_end", "heading"] as const;
const OF_CHUNK = ["tenant_id", "store_id", "chunk_set", "store_file", "revision", "idx", ...OF_TEXT] as const;
const OF_TERMS = ["chunk_id", "tenant_id", "terms"] as const;
const OF_ATTRIBUTES = ["chunk_id", "tenant_id", "store_id", "attributes"] as const;
const INSERT_CHUNK = /*sql*/ `${CHUNK.into(...OF_CHUNK)} RETURNING id`;
const INSERT_TERMS = CHUNK_TERMS.into(...OF_TERMS);
const INSERT_ATTRIBUTES = CHUNK_ATTRIBUTES.into(...OF_ATTRIBUTES);
const INSERT_VECTOR = /*sql*/ `INSERT INTO vector (tenant_id, generation, chunk_id, data, shared)
  SELECT ?1, CAST(?2 AS BIGINT), CAST(?3 AS BIGINT), ?4, CAST(?5 AS BIGINT) WHERE EXISTS (SELECT 1 FROM chunk WHERE id = ?3)
  ON CONFLICT (chunk_id, generation) DO UPDATE SET data = excluded.data, shared = excluded.shared`;
/** From so many rows on they are added together, where the engine has a form for that. */
const MANY = 4;
const MANY_CHUNKS = CHUNK.many("id", ...OF_CHUNK);
const MANY_TERMS = CHUNK_TERMS.many(...OF_TERMS);
const MANY_ATTRIBUTES = CHUNK_ATTRIBUTES.many(...OF_ATTRIBUTES);
const MANY_VECTORS = VECTOR.many("tenant_id", "generation", "chunk_id", "data", "shared");
const NEXT_IDS = /*sql*/ `SELECT nextval(pg_get_serial_sequence('chunk', 'id')) AS id FROM generate_series(1, CAST(?1 AS BIGINT))`;
/** Which of these chunks are there, and which have a vector in a generation already. */
const ARE_THERE = /*sql*/ `SELECT c.id, CASE WHEN v.chunk_id IS NULL THEN 0 ELSE 1 END AS has_vector FROM chunk c
  LEFT JOIN vector v ON v.chunk_id = c.id AND v.generation = ?1 WHERE c.id IN ${numbers(2)}`;
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
    add: (owner, chunks) =>
      sql.atomic(async (tx) => {
        const { tenantId, storeId, storeFile, revision } = owner;
        const file = await tx.get<{ revision: number }>(REVISION_OF, [tenantId, storeFile]);
        const ids: ChunkId[] = [];
        if (file?.revision !== revision) return ids;
        if (tx.addRows !== null && chunks.length >= MANY) return await addMany(tx, tx.addRows, owner, chunks);
        for (const chunk of chunks) {
          const row = await tx.get<{ id: ChunkId }>(INSERT_CHUNK, ofChunk(owner, chunk));
          if (row === null) throw new Error("INSERT … RETURNING gave no row");
          await tx.run(INSERT_TERMS, [row.id, tenantId, chunk.terms]);
          const { attributes } = chunk;
          if (attributes != null)
            await tx.run(INSERT_ATTRIBUTES, [row.id, tenantId, storeId, JSON.stringify(attributes)]);
          ids.push(row.id);
        }
        return ids;
      }, "work"),
    addVectors: (tenantId, generation, vectors) =>
      sql.atomic(async (tx) => {
        const row = ({ chunkId, data, shared = 0 }: NewVectors) => [
          tenantId,
          generation,
          chunkId,
          bytesOf(data),
          shared,
        ];
        let rest = vectors;
        if (tx.addRows !== null && vectors.length >= MANY) {
          const known = await withTheirVectors(tx, generation, vectors);
          const news = vectors.filter(({ chunkId }) => known.get(chunkId) === false);
          if (news.length > 0) await tx.addRows(MANY_VECTORS, news.map(row));
          rest = vectors.filter(({ chunkId }) => known.get(chunkId) === true);
        }
        for (const one of rest) await tx.run(INSERT_VECTOR, row(one));
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

function ofChunk({ tenantId, storeId, chunkSet, storeFile, revision }: ChunksOwner, chunk: NewChunk): Param[] {
  const { idx, text, tokens, start, end, page, pageEnd, line, lineEnd, heading } = chunk;
  const headings = heading.length === 0 ? null : JSON.stringify(heading);
  const place = [start, end, page, pageEnd, line, lineEnd];
  return [tenantId, storeId, chunkSet, storeFile, revision, idx, text, tokens, ...place, headings];
}

/** All together: of rows that are sent one by one, the sending is what takes the time. */
async function addMany(tx: Tx, addRows: AddRows, owner: ChunksOwner, chunks: readonly NewChunk[]): Promise<ChunkId[]> {
  const { tenantId, storeId } = owner;
  const ids = (await tx.all<{ id: ChunkId }>(NEXT_IDS, [chunks.length])).map(({ id }) => id).sort((a, b) => a - b);
  const rows = chunks.map((chunk, i) => ({ id: ids[i] ?? 0, chunk }));
  await addRows(
    MANY_CHUNKS,
    rows.map(({ id, chunk }) => [id, ...ofChunk(owner, chunk)]),
  );
  await addRows(
    MANY_TERMS,
    rows.map(({ id, chunk }) => [id, tenantId, chunk.terms]),
  );
  const own = rows.flatMap(({ id, chunk: { attributes } }) =>
    attributes == null ? [] : [[id, tenantId, storeId, JSON.stringify(attributes)]],
  );
  if (own.length > 0) await addRows(MANY_ATTRIBUTES, own);
  return ids;
}

/** Of those of the chunks that are there, whether they have vectors in the generation. */
async function withTheirVectors(
  tx: Tx,
  generation: GenerationId,
  vectors: readonly NewVectors[],
): Promise<Map<ChunkId, boolean>> {
  const ids = vectors.map(({ chunkId }) => chunkId);
  const rows = await tx.all<{ id: ChunkId; has_vector: number }>(ARE_THERE, [generation, JSON.stringify(ids)]);
  return new Map(rows.map(({ id, has_vector }) => [id, has_vector === 1]));
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
