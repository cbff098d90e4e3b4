import type { Sql, Tx } from "./sql.ts";
import type { RemovedRows } from "./deletions.ts";
import type { FileTotals } from "./generation-files.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface NewChunk {
  idx: number;
  text: string;
  /** cl100k_base */
  tokens: number;
  /** Unicode code points into the parsed text, end exclusive. */
  start: number;
  end: number;
  page: number | null;
  pageEnd: number | null;
  /** 1-based lines of the parsed text, for documents without pages. */
  line: number | null;
  lineEnd: number | null;
  heading: readonly string[];
  /** Encoded keyword terms (index/analyzer.ts). */
  terms: Uint8Array;
}

/** What a search result shows of a chunk. */
export interface ChunkHit {
  id: number;
  file_id: string;
  filename: string;
  attributes: string | null;
  idx: number;
  text: string;
  start_cp: number;
  end_cp: number;
  page: number | null;
  page_end: number | null;
  line: number | null;
  line_end: number | null;
  heading: string | null;
}

export interface ChunkRow extends ChunkHit {
  tokens: number;
  store_id: string;
}

/** One chunk as an index loads it. */
export interface IndexedChunk {
  chunk_id: number;
  store_file: number;
  terms: Uint8Array;
  /** float32 little endian, windows x dimensions. */
  data: Uint8Array;
}

/** Also read by index-reads.ts. */
export const CHUNKS_FOR_INDEX = /*sql*/ `SELECT c.id AS chunk_id, c.store_file, t.terms, v.data FROM chunk c
           JOIN chunk_terms t ON t.chunk_id = c.id
           JOIN vector v ON v.chunk_id = c.id AND v.generation = ?5
           WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx >= ?6
           ORDER BY c.idx LIMIT ?7`;

const HIT_COLUMNS = `c.id, f.file_id, f.filename, f.attributes, c.idx, c.text, c.start_cp, c.end_cp, c.page, c.page_end, c.line, c.line_end, c.heading`;

/**
 * Chunks, their keyword terms and their vectors.
 * A chunk counts only while its (store_file, revision) is the file's current one; everything else is garbage
 * that the janitor removes. Written in slices, so that no transaction holds the thread for long.
 */
export function chunksTable(sql: Sql) {
  const insertChunk = /*sql*/ `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) RETURNING id`;
  const insertTerms = /*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms) VALUES (?1, ?2, ?3)`;
  const insertVector = /*sql*/ `INSERT INTO vector (tenant_id, generation, chunk_id, data)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM chunk WHERE id = ?3)
             ON CONFLICT (chunk_id, generation) DO UPDATE SET data = excluded.data`;
  const revisionOf = /*sql*/ `SELECT revision FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
  const withoutVector = /*sql*/ `SELECT c.id, c.idx, c.text, c.tokens, c.start_cp AS start, c.end_cp AS end FROM chunk c
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx > ?7
               AND NOT EXISTS (SELECT 1 FROM vector v WHERE v.chunk_id = c.id AND v.generation = ?5)
             ORDER BY c.idx LIMIT ?6`;
  const places = /*sql*/ `SELECT start_cp AS start, end_cp AS end FROM chunk
             WHERE tenant_id = ?1 AND store_file = ?2 AND chunk_set = ?3 AND revision = ?4 AND idx BETWEEN ?5 AND ?6`;
  const totals = /*sql*/ `SELECT count(*) AS chunks, count(v.id) AS vectors, coalesce(sum(octet_length(c.text)), 0) AS text_bytes,
                    coalesce(sum(octet_length(v.data)), 0) AS vector_bytes
             FROM chunk c LEFT JOIN vector v ON v.chunk_id = c.id AND v.generation = ?5
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4`;
  const completedFiles = /*sql*/ `SELECT seq, file_id, filename, attributes, revision FROM store_file
             WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND seq > ?3 ORDER BY seq LIMIT ?4`;
  const hits = /*sql*/ `SELECT ${HIT_COLUMNS} FROM json_each(?2) j JOIN chunk c ON c.id = j.value
             JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
             WHERE c.tenant_id = ?1`;
  const neighbours = /*sql*/ `SELECT n.idx, n.text, n.start_cp, n.end_cp, n.page, n.page_end, n.line, n.line_end FROM chunk c
             JOIN chunk n ON n.store_file = c.store_file AND n.chunk_set = c.chunk_set AND n.revision = c.revision
             WHERE c.tenant_id = ?1 AND c.id = ?2 AND n.idx BETWEEN c.idx - ?3 AND c.idx + ?4 ORDER BY n.idx`;
  // The files in which every k-th chunk of a store lies: from files alone, because there may be millions of chunks.
  const sampledFiles = /*sql*/ `SELECT * FROM (
               SELECT seq, revision, n_chunks, sum(n_chunks) OVER (ORDER BY seq) - n_chunks AS before,
                      max(1, sum(n_chunks) OVER () / ?3) AS step
               FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND n_chunks > 0)
             WHERE (before + step - 1) / step < (before + n_chunks + step - 1) / step`;
  const chunkAt = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3
               AND idx = CAST(?4 * (SELECT max(idx) + 1 FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3) AS INTEGER)`;
  const texts = /*sql*/ `SELECT c.text FROM json_each(?1) j JOIN chunk c ON c.id = j.value`;
  const vectorOf = /*sql*/ `SELECT data FROM vector WHERE chunk_id = ?1 AND generation = ?2`;
  const garbage = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND revision < ?2 LIMIT ?3`;
  const removeVectors = /*sql*/ `DELETE FROM vector WHERE chunk_id IN (SELECT value FROM json_each(?1))`;
  const removeTerms = /*sql*/ `DELETE FROM chunk_terms WHERE chunk_id IN (SELECT value FROM json_each(?1))`;
  const removeChunks = /*sql*/ `DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?1))`;
  const chunkIdsOfFile = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND id > ?3 ORDER BY id LIMIT 500`;
  const chunkIdsOfSet = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2`;
  const copyChunks = /*sql*/ `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading)
             SELECT tenant_id, store_id, ?4, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading
             FROM chunk WHERE store_file = ?1 AND revision = ?2 AND chunk_set = ?3 ORDER BY idx`;
  const copyTerms = /*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms)
             SELECT n.id, t.tenant_id, t.terms FROM chunk c
             JOIN chunk n ON n.store_file = c.store_file AND n.revision = c.revision AND n.idx = c.idx AND n.chunk_set = ?4
             JOIN chunk_terms t ON t.chunk_id = c.id
             WHERE c.store_file = ?1 AND c.revision = ?2 AND c.chunk_set = ?3`;
  const removeVectorsOf = /*sql*/ `DELETE FROM vector WHERE generation = ?1 AND chunk_id IN (SELECT value FROM json_each(?2))`;
  const orphanFiles = /*sql*/ `SELECT DISTINCT c.tenant_id, c.store_file FROM chunk c LEFT JOIN store_file f ON f.seq = c.store_file
             WHERE f.seq IS NULL OR c.revision < f.revision OR f.status IN ('failed', 'cancelled') LIMIT ?1`;

  async function sample(tenantId: string, storeId: string, chunkSet: number, count: number): Promise<number[]> {
    const ids: number[] = [];
    for (const { seq, revision, n_chunks, before, step } of await sql.all<{
      seq: number;
      revision: number;
      n_chunks: number;
      before: number;
      step: number;
    }>(sampledFiles, [tenantId, storeId, count])) {
      for (let at = Math.ceil(before / step) * step; at < before + n_chunks && ids.length < count; at += step) {
        // Another set of chunks of the same file has more or fewer of them.
        const row = await sql.get<{ id: number }>(chunkAt, [seq, chunkSet, revision, (at - before) / n_chunks]);
        if (row !== null) ids.push(row.id);
      }
    }
    return ids;
  }

  return {
    /**
     * Adds chunks of one file revision, in one transaction. None where the file was detached or is of another revision
     * by now: nobody would remove them again.
     */
    async add(
      owner: { tenantId: string; storeId: string; chunkSet: number; storeFile: number; revision: number },
      chunks: readonly NewChunk[],
    ): Promise<void> {
      return await sql.atomic(async (tx) => {
        const file = await tx.get<{ revision: number }>(revisionOf, [owner.tenantId, owner.storeFile]);
        if (file?.revision !== owner.revision) return;
        for (const chunk of chunks) {
          const heading = chunk.heading.length === 0 ? null : JSON.stringify(chunk.heading);
          const row = await tx.get<{ id: number }>(insertChunk, [
            owner.tenantId,
            owner.storeId,
            owner.chunkSet,
            owner.storeFile,
            owner.revision,
            chunk.idx,
            chunk.text,
            chunk.tokens,
            chunk.start,
            chunk.end,
            chunk.page,
            chunk.pageEnd,
            chunk.line,
            chunk.lineEnd,
            heading,
          ]);
          if (row === null) throw new Error("INSERT … RETURNING gave no row");
          await tx.run(insertTerms, [row.id, owner.tenantId, chunk.terms]);
        }
      }, "work");
    },
    /** Chunks of a file revision, after the one in place `afterIdx`, that have no vector in this generation yet, in order. */
    withoutVector: (tenantId: string, at: ChunkOwner, generation: number, limit: number, afterIdx = -1) =>
      sql.all<{ id: number; idx: number; text: string; tokens: number; start: number; end: number }>(withoutVector, [
        tenantId,
        at.storeFile,
        at.chunkSet,
        at.revision,
        generation,
        limit,
        afterIdx,
      ]),
    /** Where the chunks `fromIdx` to `toIdx` of a file begin and end, in code points. */
    places: (tenantId: string, at: ChunkOwner, fromIdx: number, toIdx: number) =>
      sql.all<{ start: number; end: number }>(places, [
        tenantId,
        at.storeFile,
        at.chunkSet,
        at.revision,
        fromIdx,
        toIdx,
      ]),
    /** Vectors of chunks that were removed meanwhile are dropped. */
    async addVectors(
      tenantId: string,
      generation: number,
      vectors: readonly { chunkId: number; data: Float32Array }[],
    ): Promise<void> {
      return await sql.atomic(async (tx) => {
        for (const { chunkId, data } of vectors)
          await tx.run(insertVector, [tenantId, generation, chunkId, bytesOf(data)]);
      }, "work");
    },
    totals: async (tenantId: string, at: ChunkOwner, generation: number) =>
      (await sql.get<{ chunks: number; vectors: number; text_bytes: number; vector_bytes: number }>(totals, [
        tenantId,
        at.storeFile,
        at.chunkSet,
        at.revision,
        generation,
      ])) ?? {
        chunks: 0,
        vectors: 0,
        text_bytes: 0,
        vector_bytes: 0,
      },
    /** What is kept of a file revision, once all of it is embedded. */
    async fileTotals(
      tenantId: string,
      at: ChunkOwner,
      generation: { id: number; dimensions: number },
    ): Promise<FileTotals> {
      const sums = await sql.get<{ chunks: number; vectors: number; text_bytes: number; vector_bytes: number }>(
        totals,
        [tenantId, at.storeFile, at.chunkSet, at.revision, generation.id],
      );
      if (sums === null) return { chunks: 0, vectors: 0, usageBytes: 0 };
      return {
        chunks: sums.chunks,
        vectors: Math.round(sums.vector_bytes / Float32Array.BYTES_PER_ELEMENT / generation.dimensions),
        usageBytes: sums.text_bytes + sums.vector_bytes,
      };
    },
    /** A slice of a file's chunks with terms and vectors, from `fromIdx` on. */
    forIndex: (
      tenantId: string,
      at: ChunkOwner,
      generation: number,
      fromIdx: number,
      limit: number,
    ): Promise<IndexedChunk[]> =>
      sql.all<IndexedChunk>(CHUNKS_FOR_INDEX, [
        tenantId,
        at.storeFile,
        at.chunkSet,
        at.revision,
        generation,
        fromIdx,
        limit,
      ]),
    /** Completed files of a store after `afterSeq`, for loading an index. */
    completedFiles: (tenantId: string, storeId: string, afterSeq: number, limit: number) =>
      sql.all<{ seq: number; file_id: string; filename: string; attributes: string | null; revision: number }>(
        completedFiles,
        [tenantId, storeId, afterSeq, limit],
      ),
    /** The chunks of these ids that still count, in no particular order. */
    hits: (tenantId: string, ids: readonly number[]): Promise<ChunkHit[]> =>
      sql.all<ChunkHit>(hits, [tenantId, JSON.stringify(ids)]),
    /** Ids of up to `count` chunks spread evenly over a store. */
    sampleIds: sample,
    sampleTexts: async (tenantId: string, storeId: string, chunkSet: number, count: number): Promise<string[]> =>
      (await sql.all<{ text: string }>(texts, [JSON.stringify(await sample(tenantId, storeId, chunkSet, count))])).map(
        (row) => row.text,
      ),
    /** A chunk with up to `before` and `after` neighbours of the same file, in order. */
    neighbours: (tenantId: string, id: number, before: number, after: number) =>
      sql.all<Pick<ChunkHit, "idx" | "text" | "start_cp" | "end_cp" | "page" | "page_end" | "line" | "line_end">>(
        neighbours,
        [tenantId, id, before, after],
      ),
    /** All windows of a chunk, windows x dimensions; null when it is gone. */
    vector: async (chunkId: number, generation: number): Promise<Float32Array | null> => {
      const row = await sql.get<{ data: Uint8Array }>(vectorOf, [chunkId, generation]);
      return row === null ? null : floatsOf(row.data);
    },
    async list(
      tenantId: string,
      storeId: string,
      chunkSet: number,
      page: PageQuery,
      files: readonly string[] | null,
    ): Promise<Page<ChunkRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<ChunkRow>(
        /*sql*/ `SELECT ${HIT_COLUMNS}, c.tokens, c.store_id FROM store_file f
                   JOIN chunk c ON c.store_file = f.seq AND c.revision = f.revision AND c.chunk_set = ?3
                   WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed'
                     AND (?4 IS NULL OR f.file_id IN (SELECT value FROM json_each(?4)))
                     AND c.id > ?5 AND c.id < ?6 ORDER BY c.id ${direction} LIMIT ?7`,
        [tenantId, storeId, chunkSet, files === null ? null : JSON.stringify(files), above, below, limit],
      );
      return toPage(rows, page);
    },
    /**
     * Removes up to `limit` chunks of a file older than `belowRevision` with all that hangs on them; returns how many.
     * `note` is told what went, in the same transaction; then it was deleted for good and is overwritten.
     */
    async removeSome(storeFile: number, belowRevision: number, limit: number, note?: NoteRemoved): Promise<number> {
      return await sql.atomic(async (tx) => {
        if (note !== undefined) tx.erase();
        const ids = (await tx.all<{ id: number }>(garbage, [storeFile, belowRevision, limit])).map((row) => row.id);
        if (ids.length === 0) return 0;
        const list = JSON.stringify(ids);
        const vectors = await tx.run(removeVectors, [list]);
        const terms = await tx.run(removeTerms, [list]);
        await tx.run(removeChunks, [list]);
        await note?.({ chunkIds: ids, terms, vectors }, tx);
        return ids.length;
      }, "work");
    },
    /**
     * Removes up to 500 of a file's vectors in one generation, and the chunks with them if `withChunks`. Returns the last
     * chunk id seen, to go on from, or null when there is no more.
     */
    async removeFromGeneration(
      generation: { id: number; chunk_set: number },
      storeFile: number,
      afterId: number,
      withChunks: boolean,
    ): Promise<number | null> {
      return await sql.atomic(async (tx) => {
        const rows = await tx.all<{ id: number }>(chunkIdsOfFile, [storeFile, generation.chunk_set, afterId]);
        const ids = rows.map((row) => row.id);
        if (ids.length === 0) return null;
        const list = JSON.stringify(ids);
        await tx.run(removeVectorsOf, [generation.id, list]);
        if (withChunks) {
          await tx.run(removeTerms, [list]);
          await tx.run(removeChunks, [list]);
        }
        return ids.at(-1) ?? null;
      }, "work");
    },
    /** Copies a file's chunks, with their terms, into another set; what the set had of the file goes first. */
    async copyToSet(storeFile: number, revision: number, from: number, to: number): Promise<void> {
      return await sql.atomic(async (tx) => {
        const own = (await tx.all<{ id: number }>(chunkIdsOfSet, [storeFile, to])).map((row) => row.id);
        if (own.length > 0) {
          const list = JSON.stringify(own);
          await tx.run(removeVectors, [list]);
          await tx.run(removeTerms, [list]);
          await tx.run(removeChunks, [list]);
        }
        await tx.run(copyChunks, [storeFile, revision, from, to]);
        await tx.run(copyTerms, [storeFile, revision, from, to]);
      }, "work");
    },
    /** Files (by `store_file.seq`) that left garbage behind; a full scan, for start and `doctor` only. */
    filesWithGarbage: (limit: number) => sql.all<{ tenant_id: string; store_file: number }>(orphanFiles, [limit]),
  };
}

/** Told what was removed, in the transaction that removes it. */
export type NoteRemoved = (removed: RemovedRows, tx: Tx) => Promise<void>;

export interface ChunkOwner {
  storeFile: number;
  chunkSet: number;
  revision: number;
}

function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

/** A BLOB's bytes need not be aligned to four; then they are copied. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const floats = new Float32Array(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  new Uint8Array(floats.buffer).set(bytes);
  return floats;
}
