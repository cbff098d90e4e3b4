import { AppError } from "../../errors.ts";
import type { Filter } from "../../index/filter.ts";
import { matchesFilter } from "../../index/filter.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursor } from "../../http/openai.ts";
import { parseFilter } from "../../search/filters.ts";
import { chunkIdOf, rowOfChunkId } from "../search/results.ts";
import type { Attributes } from "../vector-store-files/schema.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { Asking } from "../vector-stores/asking.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Chunk } from "./schema.ts";

export interface ChunksDeps extends Pick<Storage, "chunks" | "generations"> {
  access: StoreAccess;
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

export function chunksService({ chunks, generations, access }: ChunksDeps): ChunksService {
  async function filesMatching(store: StoreRow, filter: Filter): Promise<string[]> {
    const matching: string[] = [];
    let after = 0;
    for (;;) {
      const files = await chunks.completedFiles(store.tenant_id, store.id, after, SLICE);
      for (const { file_id: fileId, filename, attributes, seq } of files) {
        const subject = {
          fileId,
          filename,
          attributes: attributes === null ? {} : (JSON.parse(attributes) as Attributes),
        };
        if (matchesFilter(filter, subject)) matching.push(fileId);
        after = seq;
      }
      if (files.length < SLICE) return matching;
    }
  }

  return {
    async list(asking, query, cursor) {
      const store = await access.open(asking);
      const generation =
        store.live_generation === null ? null : await generations.get(store.tenant_id, store.live_generation);
      if (generation === null) return { data: [], hasMore: false };
      const page = await pageQuery(cursor, (id) => rowOfChunkId(id) ?? undefined, {
        code: "invalid_value",
        message: (id) => `Invalid chunk id: '${id}'. Expected an ID that begins with 'chunk_'.`,
      });
      const matching =
        query.filters === undefined ? null : await filesMatching(store, parseFilter(readJson(query.filters)));
      const only =
        query.file_id === undefined ? matching : [query.file_id].filter((id) => matching?.includes(id) ?? true);
      const { rows, hasMore } = await chunks.list(store.tenant_id, store.id, generation.chunk_set, page, only);
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
    heading: row.heading === null ? [] : (JSON.parse(row.heading) as string[]),
    attributes: row.attributes === null ? {} : (JSON.parse(row.attributes) as Attributes),
  };
}
