import { AppError } from "../../errors.ts";
import type { Filter } from "../../index/filter.ts";
import { matchesFilter } from "../../index/filter.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { parseFilter } from "../../search/filters.ts";
import { chunkIdOf, rowOfChunkId } from "../search/results.ts";
import type { Attributes } from "../vector-store-files/schema.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Chunk } from "./schema.ts";

export interface ChunksDeps extends Pick<Storage, "chunks" | "generations"> {
  access: StoreAccess;
  cursors: Cursors;
}

export type ChunksService = ReturnType<typeof chunksService>;

/** Files looked at between two reads. */
const SLICE = 1000;

/** What was indexed, chunk by chunk. */
export function chunksService({ chunks, generations, access, cursors }: ChunksDeps) {
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

  /** The place of a chunk that the store has now. */
  function placeOf(store: StoreRow, chunkSet: number, id: string): number | undefined {
    const row = rowOfChunkId(id);
    if (row === null) return undefined;
    const here = { limit: 1, order: "asc", after: row - 1 } as const;
    return chunks.list(store.tenant_id, store.id, chunkSet, here, null).rows[0]?.id === row ? row : undefined;
  }

  function filesMatching(store: StoreRow, filter: Filter): string[] {
    const matching: string[] = [];
    let after = 0;
    for (;;) {
      const files = chunks.completedFiles(store.tenant_id, store.id, after, SLICE);
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
    /** `filters` is JSON text, as a query parameter carries it. */
    list(
      caller: Caller,
      storeId: string,
      query: { file_id?: string; filters?: string },
      cursor: Cursor,
      rules: DialectRules,
    ): { data: Chunk[]; hasMore: boolean } {
      const store = access.open(caller, storeId, rules);
      const generation =
        store.live_generation === null ? null : generations.get(store.tenant_id, store.live_generation);
      if (generation === null) return { data: [], hasMore: false };
      const place = (id: string) => placeOf(store, generation.chunk_set, id) ?? cursors.find(store.tenant_id, id);
      const page = pageQuery(cursor, place, "chunk");
      const filter = query.filters === undefined ? null : parseFilter(readJson(query.filters), rules);
      const matching = filter === null ? null : filesMatching(store, filter);
      const only =
        query.file_id === undefined ? matching : [query.file_id].filter((id) => matching?.includes(id) ?? true);
      const { rows, hasMore } = chunks.list(store.tenant_id, store.id, generation.chunk_set, page, only);
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
