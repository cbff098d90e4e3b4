import { AppError } from "../../errors.ts";
import type { Filter } from "../../index/filter.ts";
import { matchesFilter } from "../../index/filter.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { parseFilter } from "../../search/filters.ts";
import { chunkIdOf, rowOfChunkId } from "../../search/search.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { Asking } from "../vector-stores/asking.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Chunk } from "./schema.ts";

export interface ChunksDeps extends Pick<Storage, "chunks" | "generations"> {
  access: StoreAccess;
  cursors: Cursors;
}

/** Files looked at between two reads. */
const SLICE = 1000;

/** Which chunks of a store are asked for. */
export interface ChunkList {
  file_id?: string;
  /** JSON text, as a query parameter carries it. */
  filters?: string;
}

/** What was indexed, chunk by chunk. */
export interface ChunksService {
  list(asking: Asking, wanted: ChunkList, cursor: Cursor): Promise<{ data: Chunk[]; hasMore: boolean }>;
}

export function chunksService({ chunks, generations, access, cursors }: ChunksDeps): ChunksService {
  /** The place of a chunk that the store has now. */
  async function placeOf(store: StoreRow, chunkSet: number, id: string): Promise<number | undefined> {
    const row = rowOfChunkId(id);
    if (row === null) return undefined;
    const here = { limit: 1, order: "asc", after: row - 1 } as const;
    const { rows } = await chunks.list(store.tenant_id, store.id, chunkSet, here, null);
    return rows[0]?.id === row ? row : undefined;
  }

  async function filesMatching(store: StoreRow, filter: Filter): Promise<string[]> {
    const matching: string[] = [];
    let after = 0;
    for (;;) {
      const files = await chunks.completedFiles(store.tenant_id, store.id, after, SLICE);
      for (const { file_id: fileId, filename, attributes, seq } of files) {
        const subject = { fileId, filename, attributes: attributes ?? {} };
        if (matchesFilter(filter, subject)) matching.push(fileId);
        after = seq;
      }
      if (files.length < SLICE) return matching;
    }
  }

  return {
    async list(asking, query, cursor) {
      const store = await access.open(asking);
      const generation = await generations.liveOf(store);
      if (generation === null) return { data: [], hasMore: false };
      const place = async (id: string) =>
        (await placeOf(store, generation.chunk_set, id)) ?? cursors.find(store.tenant_id, id);
      const page = await pageQuery(cursor, place, "chunk");
      const filter = query.filters === undefined ? null : parseFilter(readJson(query.filters), asking.rules);
      const matching = filter === null ? null : await filesMatching(store, filter);
      const only =
        query.file_id === undefined ? matching : [query.file_id].filter((id) => matching?.includes(id) ?? true);
      const { rows, hasMore } = await chunks.list(store.tenant_id, store.id, generation.chunk_set, page, only);
      cursors.remember(
        store.tenant_id,
        rows.map(({ id }) => ({ id: chunkIdOf(id), seq: id })),
      );
      return { data: rows.map(show), hasMore };
    },
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("invalid_value", "Invalid 'filters': it is not valid JSON.", { param: "filters", cause });
  }
}

function show(row: ChunkRow): Chunk {
  return {
    id: chunkIdOf(row.id),
    object: "vector_store.chunk",
    vector_store_id: row.store_id,
    file_id: row.file_id,
    filename: row.filename,
    chunk_index: row.idx,
    text: row.text,
    tokens: row.tokens,
    start_offset: row.start_cp,
    end_offset: row.end_cp,
    page: row.page,
    page_end: row.page_end,
    line: row.line,
    line_end: row.line_end,
    heading: row.heading ?? [],
    attributes: row.attributes ?? {},
  };
}
