import { AppError } from "../../errors.ts";
import type { Filter } from "../../index/filter.ts";
import { matchesFilter } from "../../index/filter.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { parseFilter } from "../../search/filters.ts";
import { chunkIdOf, rowOfChunkId } from "../search/results.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Chunk } from "./schema.ts";

export interface ChunksDeps extends Pick<Storage, "chunks" | "generations"> {
  access: StoreAccess;
}

export type ChunksService = ReturnType<typeof chunksService>;

/** Files looked at between two reads. */
const SLICE = 1000;

/** What was indexed, chunk by chunk. */
export function chunksService({ chunks, generations, access }: ChunksDeps) {
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
    /** `filters` is JSON text, as a query parameter carries it. */
    async list(
      caller: Caller,
      storeId: string,
      query: { file_id?: string; filters?: string },
      cursor: Cursor,
      rules: DialectRules,
    ): Promise<{ data: Chunk[]; hasMore: boolean }> {
      const store = await access.open(caller, storeId, rules);
      const generation = await generations.liveOf(store);
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
