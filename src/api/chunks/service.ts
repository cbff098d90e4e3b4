import { AppError } from "../../errors.ts";
import { FILE_ID_KEY, type Filter } from "../../index/filter.ts";
import { answerOfIntact } from "../../index/intact.ts";
import type { SearchDeps } from "../../search/search.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import { type Page, pageBounds, type PageQuery, toPage } from "../../storage/page.ts";
import type { RowIds } from "../../storage/shown-ids.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { parseFilter } from "../../search/filters.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Chunk } from "./schema.ts";

export interface ChunksDeps extends Pick<Storage, "chunks" | "generations" | "shownIds"> {
  indexes: SearchDeps["indexes"];
  access: StoreAccess;
  cursors: Cursors;
}

/** Chunks taken from the index at once at most, where it has many that do not count. */
const MOST_TAKEN = 1024;

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

export function chunksService(deps: ChunksDeps): ChunksService {
  const { chunks, generations, access, cursors } = deps;
  const { chunks: ids } = deps.shownIds;

  /** The place of a chunk that the store has now. */
  async function placeOf(store: StoreRow, chunkSet: number, id: string): Promise<number | undefined> {
    const row = ids.rowOf(id);
    if (row === null) return undefined;
    const here = { limit: 1, order: "asc", after: row - 1 } as const;
    const { rows } = await chunks.list(store.tenant_id, store.id, chunkSet, here, null);
    return rows[0]?.id === row ? row : undefined;
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
      const { rows, hasMore } =
        filter === null
          ? await chunks.list(store.tenant_id, store.id, generation.chunk_set, page, fileOf(query))
          : await filteredPage(deps, { store, generation }, { filter: within(query, filter), page });
      cursors.remember(
        store.tenant_id,
        rows.map(({ id }) => ({ id: ids.idOf(id), seq: id })),
      );
      return { data: rows.map((row) => show(row, ids)), hasMore };
    },
  };
}

function fileOf({ file_id: file }: ChunkList): string[] | null {
  return file === undefined ? null : [file];
}

function within({ file_id: file }: ChunkList, filter: Filter): Filter {
  return file === undefined ? filter : { op: "and", filters: [{ op: "eq", key: FILE_ID_KEY, value: file }, filter] };
}

/** Files are chosen as in a search, by the index. What it has of files that are not completed is left out. */
async function filteredPage(
  { chunks, indexes }: ChunksDeps,
  { store, generation }: { store: StoreRow; generation: GenerationRow },
  { filter, page }: { filter: Filter; page: PageQuery },
): Promise<Page<ChunkRow>> {
  const rows: ChunkRow[] = [];
  const { direction, limit, ...bounds } = pageBounds(page);
  for (let take = limit; rows.length < limit; take = Math.min(take * 4, MOST_TAKEN)) {
    const acquire = () => indexes.acquire(store, generation.id);
    using lease = await acquire();
    const kept = { ...bounds, direction, limit: take };
    const found = await answerOfIntact(lease, acquire, (index) => index.chunksKept(filter, kept));
    const read = await chunks.listed(generation.tenant_id, found);
    rows.push(...(direction === "ASC" ? read : read.toReversed()));
    const last = found.at(-1);
    if (last === undefined || found.length < take) break;
    if (direction === "ASC") bounds.above = last;
    else bounds.below = last;
  }
  return toPage(rows.slice(0, limit), page);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("invalid_value", "Invalid 'filters': it is not valid JSON.", { param: "filters", cause });
  }
}

function show(row: ChunkRow, ids: RowIds): Chunk {
  return {
    id: ids.idOf(row.id),
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
