import type { Db } from "./db.ts";
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

const HIT_COLUMNS = `c.id, f.file_id, f.filename, f.attributes, c.idx, c.text, c.start_cp, c.end_cp, c.page, c.page_end, c.line, c.line_end, c.heading`;

/**
 * Chunks, their keyword terms and their vectors.
 * A chunk counts only while its (store_file, revision) is the file's current one; everything else is garbage
 * that the janitor removes. Written in slices, so that no transaction holds the thread for long.
 */
export function chunksTable(db: Db) {
  const { raw } = db;
  const insertChunk = raw.query<
    { id: number },
    [
      string,
      string,
      number,
      number,
      number,
      number,
      string,
      number,
      number,
      number,
      number | null,
      number | null,
      number | null,
      number | null,
      string | null,
    ]
  >(/*sql*/ `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) RETURNING id`);
  const insertTerms = raw.query<null, [number, string, Uint8Array]>(
    /*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms) VALUES (?1, ?2, ?3)`,
  );
  const insertVector = raw.query<
    null,
    [string, number, number, Uint8Array]
  >(/*sql*/ `INSERT INTO vector (tenant_id, generation, chunk_id, data)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM chunk WHERE id = ?3)
             ON CONFLICT (chunk_id, generation) DO UPDATE SET data = excluded.data`);
  const revisionOf = raw.query<{ revision: number }, [string, number]>(
    /*sql*/ `SELECT revision FROM store_file WHERE tenant_id = ?1 AND seq = ?2`,
  );
  const withoutVector = raw.query<
    { id: number; idx: number; text: string; tokens: number; start: number; end: number },
    [string, number, number, number, number, number, number]
  >(/*sql*/ `SELECT c.id, c.idx, c.text, c.tokens, c.start_cp AS start, c.end_cp AS end FROM chunk c
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx > ?7
               AND NOT EXISTS (SELECT 1 FROM vector v WHERE v.chunk_id = c.id AND v.generation = ?5)
             ORDER BY c.idx LIMIT ?6`);
  const places = raw.query<
    { start: number; end: number },
    [string, number, number, number, number, number]
  >(/*sql*/ `SELECT start_cp AS start, end_cp AS end FROM chunk
             WHERE tenant_id = ?1 AND store_file = ?2 AND chunk_set = ?3 AND revision = ?4 AND idx BETWEEN ?5 AND ?6`);
  const totals = raw.query<
    { chunks: number; vectors: number; text_bytes: number; vector_bytes: number },
    [string, number, number, number, number]
  >(/*sql*/ `SELECT count(*) AS chunks, count(v.id) AS vectors, coalesce(sum(octet_length(c.text)), 0) AS text_bytes,
                    coalesce(sum(octet_length(v.data)), 0) AS vector_bytes
             FROM chunk c LEFT JOIN vector v ON v.chunk_id = c.id AND v.generation = ?5
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4`);
  const ofFile = raw.query<
    IndexedChunk,
    [string, number, number, number, number, number, number]
  >(/*sql*/ `SELECT c.id AS chunk_id, c.store_file, t.terms, v.data FROM chunk c
             JOIN chunk_terms t ON t.chunk_id = c.id
             JOIN vector v ON v.chunk_id = c.id AND v.generation = ?5
             WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx >= ?6
             ORDER BY c.idx LIMIT ?7`);
  const completedFiles = raw.query<
    { seq: number; file_id: string; filename: string; attributes: string | null; revision: number },
    [string, string, number, number]
  >(/*sql*/ `SELECT seq, file_id, filename, attributes, revision FROM store_file
             WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND seq > ?3 ORDER BY seq LIMIT ?4`);
  const hits = raw.query<
    ChunkHit,
    [string, string]
  >(/*sql*/ `SELECT ${HIT_COLUMNS} FROM json_each(?2) j JOIN chunk c ON c.id = j.value
             JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
             WHERE c.tenant_id = ?1`);
  const neighbours = raw.query<
    Pick<ChunkHit, "idx" | "text" | "start_cp" | "end_cp" | "page" | "page_end" | "line" | "line_end">,
    [string, number, number, number]
  >(/*sql*/ `SELECT n.idx, n.text, n.start_cp, n.end_cp, n.page, n.page_end, n.line, n.line_end FROM chunk c
             JOIN chunk n ON n.store_file = c.store_file AND n.chunk_set = c.chunk_set AND n.revision = c.revision
             WHERE c.tenant_id = ?1 AND c.id = ?2 AND n.idx BETWEEN c.idx - ?3 AND c.idx + ?4 ORDER BY n.idx`);
  // The files in which every k-th chunk of a store lies: from files alone, because there may be millions of chunks.
  const sampledFiles = raw.query<
    { seq: number; revision: number; n_chunks: number; before: number; step: number },
    [string, string, number]
  >(/*sql*/ `SELECT * FROM (
               SELECT seq, revision, n_chunks, sum(n_chunks) OVER (ORDER BY seq) - n_chunks AS before,
                      max(1, sum(n_chunks) OVER () / ?3) AS step
               FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND n_chunks > 0)
             WHERE (before + step - 1) / step < (before + n_chunks + step - 1) / step`);
  const chunkAt = raw.query<
    { id: number },
    [number, number, number, number]
  >(/*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3
               AND idx = CAST(?4 * (SELECT max(idx) + 1 FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3) AS INTEGER)`);
  const texts = raw.query<{ text: string }, [string]>(
    /*sql*/ `SELECT c.text FROM json_each(?1) j JOIN chunk c ON c.id = j.value`,
  );
  const vectorOf = raw.query<{ data: Uint8Array }, [number, number]>(
    /*sql*/ `SELECT data FROM vector WHERE chunk_id = ?1 AND generation = ?2`,
  );
  const vectorsOf = raw.query<null, [string, number]>(
    /*sql*/ `SELECT chunk_id, data FROM vector WHERE chunk_id IN (SELECT value FROM json_each(?1)) AND generation = ?2`,
  );
  const termsOf = raw.query<null, [string]>(
    /*sql*/ `SELECT chunk_id, terms FROM chunk_terms WHERE chunk_id IN (SELECT value FROM json_each(?1))`,
  );
  const garbage = raw.query<{ id: number }, [number, number, number]>(
    /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND revision < ?2 LIMIT ?3`,
  );
  const removeVectors = raw.query<null, [string]>(
    /*sql*/ `DELETE FROM vector WHERE chunk_id IN (SELECT value FROM json_each(?1))`,
  );
  const removeTerms = raw.query<null, [string]>(
    /*sql*/ `DELETE FROM chunk_terms WHERE chunk_id IN (SELECT value FROM json_each(?1))`,
  );
  const removeChunks = raw.query<null, [string]>(
    /*sql*/ `DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?1))`,
  );
  const chunkIdsOfFile = raw.query<{ id: number }, [number, number, number]>(
    /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND id > ?3 ORDER BY id LIMIT 500`,
  );
  const chunkIdsOfSet = raw.query<{ id: number }, [number, number]>(
    /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2`,
  );
  const copyChunks = raw.query<
    null,
    [number, number, number, number]
  >(/*sql*/ `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading)
             SELECT tenant_id, store_id, ?4, store_file, revision, idx, text, tokens, start_cp, end_cp, page, page_end, line, line_end, heading
             FROM chunk WHERE store_file = ?1 AND revision = ?2 AND chunk_set = ?3 ORDER BY idx`);
  const copyTerms = raw.query<
    null,
    [number, number, number, number]
  >(/*sql*/ `INSERT INTO chunk_terms (chunk_id, tenant_id, terms)
             SELECT n.id, t.tenant_id, t.terms FROM chunk c
             JOIN chunk n ON n.store_file = c.store_file AND n.revision = c.revision AND n.idx = c.idx AND n.chunk_set = ?4
             JOIN chunk_terms t ON t.chunk_id = c.id
             WHERE c.store_file = ?1 AND c.revision = ?2 AND c.chunk_set = ?3`);
  const removeVectorsOf = raw.query<null, [number, string]>(
    /*sql*/ `DELETE FROM vector WHERE generation = ?1 AND chunk_id IN (SELECT value FROM json_each(?2))`,
  );
  const orphanFiles = raw.query<
    { tenant_id: string; store_file: number },
    [number]
  >(/*sql*/ `SELECT DISTINCT c.tenant_id, c.store_file FROM chunk c LEFT JOIN store_file f ON f.seq = c.store_file
             WHERE f.seq IS NULL OR c.revision < f.revision OR f.status IN ('failed', 'cancelled') LIMIT ?1`);

  function sample(tenantId: string, storeId: string, chunkSet: number, count: number): number[] {
    const ids: number[] = [];
    for (const { seq, revision, n_chunks, before, step } of sampledFiles.all(tenantId, storeId, count)) {
      for (let at = Math.ceil(before / step) * step; at < before + n_chunks && ids.length < count; at += step) {
        // Another set of chunks of the same file has more or fewer of them.
        const row = chunkAt.get(seq, chunkSet, revision, (at - before) / n_chunks);
        if (row !== null) ids.push(row.id);
      }
    }
    return ids;
  }

  // Written and removed by jobs, which do it again; a request's own transaction makes it durable with the rest.
  const relaxedTransaction = <T>(fn: () => T): T => db.relaxed(() => db.transaction(fn));

  return {
    /**
     * Adds chunks of one file revision, in one transaction. None where the file was detached or is of another revision
     * by now: nobody would remove them again.
     */
    add(
      owner: { tenantId: string; storeId: string; chunkSet: number; storeFile: number; revision: number },
      chunks: readonly NewChunk[],
    ) {
      relaxedTransaction(() => {
        if (revisionOf.get(owner.tenantId, owner.storeFile)?.revision !== owner.revision) return;
        for (const chunk of chunks) {
          const heading = chunk.heading.length === 0 ? null : JSON.stringify(chunk.heading);
          const row = insertChunk.get(
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
          );
          if (row === null) throw new Error("INSERT … RETURNING gave no row");
          insertTerms.run(row.id, owner.tenantId, chunk.terms);
        }
      });
    },
    /** Chunks of a file revision, after the one in place `afterIdx`, that have no vector in this generation yet, in order. */
    withoutVector: (tenantId: string, at: ChunkOwner, generation: number, limit: number, afterIdx = -1) =>
      withoutVector.all(tenantId, at.storeFile, at.chunkSet, at.revision, generation, limit, afterIdx),
    /** Where the chunks `fromIdx` to `toIdx` of a file begin and end, in code points. */
    places: (tenantId: string, at: ChunkOwner, fromIdx: number, toIdx: number) =>
      places.all(tenantId, at.storeFile, at.chunkSet, at.revision, fromIdx, toIdx),
    /** Vectors of chunks that were removed meanwhile are dropped. */
    addVectors(tenantId: string, generation: number, vectors: readonly { chunkId: number; data: Float32Array }[]) {
      relaxedTransaction(() => {
        for (const { chunkId, data } of vectors) insertVector.run(tenantId, generation, chunkId, bytesOf(data));
      });
    },
    totals: (tenantId: string, at: ChunkOwner, generation: number) =>
      totals.get(tenantId, at.storeFile, at.chunkSet, at.revision, generation) ?? {
        chunks: 0,
        vectors: 0,
        text_bytes: 0,
        vector_bytes: 0,
      },
    /** What is kept of a file revision, once all of it is embedded. */
    fileTotals(tenantId: string, at: ChunkOwner, generation: { id: number; dimensions: number }): FileTotals {
      const sums = totals.get(tenantId, at.storeFile, at.chunkSet, at.revision, generation.id);
      if (sums === null) return { chunks: 0, vectors: 0, usageBytes: 0 };
      return {
        chunks: sums.chunks,
        vectors: Math.round(sums.vector_bytes / Float32Array.BYTES_PER_ELEMENT / generation.dimensions),
        usageBytes: sums.text_bytes + sums.vector_bytes,
      };
    },
    /** A slice of a file's chunks with terms and vectors, from `fromIdx` on. */
    forIndex: (tenantId: string, at: ChunkOwner, generation: number, fromIdx: number, limit: number): IndexedChunk[] =>
      ofFile.all(tenantId, at.storeFile, at.chunkSet, at.revision, generation, fromIdx, limit),
    /** Completed files of a store after `afterSeq`, for loading an index. */
    completedFiles: (tenantId: string, storeId: string, afterSeq: number, limit: number) =>
      completedFiles.all(tenantId, storeId, afterSeq, limit),
    /** The chunks of these ids that still count, in no particular order. */
    hits: (tenantId: string, ids: readonly number[]): ChunkHit[] => hits.all(tenantId, JSON.stringify(ids)),
    /** Ids of up to `count` chunks spread evenly over a store. */
    sampleIds: sample,
    sampleTexts: (tenantId: string, storeId: string, chunkSet: number, count: number): string[] =>
      texts.all(JSON.stringify(sample(tenantId, storeId, chunkSet, count))).map((row) => row.text),
    /** A chunk with up to `before` and `after` neighbours of the same file, in order. */
    neighbours: (tenantId: string, id: number, before: number, after: number) =>
      neighbours.all(tenantId, id, before, after),
    /** All windows of a chunk, windows x dimensions; null when it is gone. */
    vector: (chunkId: number, generation: number): Float32Array | null => {
      const row = vectorOf.get(chunkId, generation);
      return row === null ? null : floatsOf(row.data);
    },
    /** The same of many chunks, in the order asked: a quarter of the time. */
    vectors: (chunkIds: readonly number[], generation: number): (Float32Array | null)[] =>
      inOrder(chunkIds, vectorsOf.values(JSON.stringify(chunkIds), generation), floatsOf),
    /** Encoded keyword terms of chunks, in the order asked; null for one that is gone. */
    terms: (chunkIds: readonly number[]): (Uint8Array | null)[] =>
      inOrder(chunkIds, termsOf.values(JSON.stringify(chunkIds)), (terms) => terms),
    list(
      tenantId: string,
      storeId: string,
      chunkSet: number,
      page: PageQuery,
      files: readonly string[] | null,
    ): Page<ChunkRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          ChunkRow,
          [string, string, number, string | null, number, number, number]
        >(/*sql*/ `SELECT ${HIT_COLUMNS}, c.tokens, c.store_id FROM store_file f
                   JOIN chunk c ON c.store_file = f.seq AND c.revision = f.revision AND c.chunk_set = ?3
                   WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed'
                     AND (?4 IS NULL OR f.file_id IN (SELECT value FROM json_each(?4)))
                     AND c.id > ?5 AND c.id < ?6 ORDER BY c.id ${direction} LIMIT ?7`)
        .all(tenantId, storeId, chunkSet, files === null ? null : JSON.stringify(files), above, below, limit);
      return toPage(rows, page);
    },
    /**
     * Removes up to `limit` chunks of a file older than `belowRevision` with all that hangs on them; returns how many.
     * `note` is told what went, in the same transaction; then it was deleted for good and is overwritten.
     */
    removeSome(storeFile: number, belowRevision: number, limit: number, note?: (removed: RemovedRows) => void): number {
      const erase =
        note === undefined ? relaxedTransaction : <T>(fn: () => T) => db.erasing(() => relaxedTransaction(fn));
      return erase(() => {
        const ids = garbage.all(storeFile, belowRevision, limit).map((row) => row.id);
        if (ids.length === 0) return 0;
        const list = JSON.stringify(ids);
        const vectors = removeVectors.run(list).changes;
        const terms = removeTerms.run(list).changes;
        removeChunks.run(list);
        note?.({ chunkIds: ids, terms, vectors });
        return ids.length;
      });
    },
    /**
     * Removes up to 500 of a file's vectors in one generation, and the chunks with them if `withChunks`. Returns the last
     * chunk id seen, to go on from, or null when there is no more.
     */
    removeFromGeneration(
      generation: { id: number; chunk_set: number },
      storeFile: number,
      afterId: number,
      withChunks: boolean,
    ): number | null {
      return relaxedTransaction(() => {
        const ids = chunkIdsOfFile.all(storeFile, generation.chunk_set, afterId).map((row) => row.id);
        if (ids.length === 0) return null;
        const list = JSON.stringify(ids);
        removeVectorsOf.run(generation.id, list);
        if (withChunks) {
          removeTerms.run(list);
          removeChunks.run(list);
        }
        return ids.at(-1) ?? null;
      });
    },
    /** Copies a file's chunks, with their terms, into another set; what the set had of the file goes first. */
    copyToSet(storeFile: number, revision: number, from: number, to: number) {
      relaxedTransaction(() => {
        const own = chunkIdsOfSet.all(storeFile, to).map((row) => row.id);
        if (own.length > 0) {
          const list = JSON.stringify(own);
          removeVectors.run(list);
          removeTerms.run(list);
          removeChunks.run(list);
        }
        copyChunks.run(storeFile, revision, from, to);
        copyTerms.run(storeFile, revision, from, to);
      });
    },
    /** Files (by `store_file.seq`) that left garbage behind; a full scan, for start and `doctor` only. */
    filesWithGarbage: (limit: number) => orphanFiles.all(limit),
  };
}

export interface ChunkOwner {
  storeFile: number;
  chunkSet: number;
  revision: number;
}

function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

/** What `read` makes of the BLOB of each id; rows are pairs of id and BLOB in any order. */
function inOrder<T>(
  ids: readonly number[],
  rows: (string | bigint | number | boolean | Uint8Array | null)[][],
  read: (bytes: Uint8Array) => T,
): (T | null)[] {
  const found = new Map<unknown, Uint8Array>();
  for (const [id, bytes] of rows) if (bytes instanceof Uint8Array) found.set(id, bytes);
  return ids.map((id) => {
    const bytes = found.get(id);
    return bytes === undefined ? null : read(bytes);
  });
}

/** A BLOB's bytes need not be aligned to four; then they are copied. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const floats = new Float32Array(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  new Uint8Array(floats.buffer).set(bytes);
  return floats;
}
