import { unitsOf } from "../platform/code-points.ts";
import type { ChunkRow } from "../storage/chunks.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { Tables } from "../storage/storage.ts";

/** Chunks read at a time. */
const SLICE = 500;

/** A piece of a text: code points `start_cp` to `end_cp` (exclusive) of the whole. */
export interface Piece {
  text: string;
  start_cp: number;
  end_cp: number;
}

/**
 * The text that overlapping chunks were cut from, beginning at code point `from`; offsets of chunks count its code
 * points. Chunks hold no white space at their ends, so a gap between two is filled with line ends.
 */
export function joinChunks(pieces: Iterable<Piece>, from = 0): string {
  const parts: string[] = [];
  let reached = from;
  for (const { text, start_cp: start, end_cp: end } of pieces) {
    if (end <= reached) continue;
    if (start > reached) parts.push("\n".repeat(start - reached));
    parts.push(start < reached ? text.slice(unitsOf(text, reached - start)) : text);
    reached = end;
  }
  return parts.join("");
}

/** All chunks of a file, in their order. */
export async function chunksOf(
  chunks: Pick<Tables["chunks"], "list">,
  row: StoreFileRow,
  chunkSet: number,
): Promise<ChunkRow[]> {
  const rows: ChunkRow[] = [];
  let after: number | undefined;
  for (;;) {
    const query = { limit: SLICE, order: "asc" as const, after };
    const slice = await chunks.list(row.tenant_id, row.store_id, chunkSet, query, [row.file_id]);
    rows.push(...slice.rows);
    after = slice.rows.at(-1)?.id;
    if (!slice.hasMore) return rows;
  }
}
