import { joinChunks } from "../file-text.ts";
import { placeOf } from "../../search/place.ts";
import type { Hit } from "../../search/search.ts";
import type { SearchResult } from "./schema.ts";

/** One hit as clients see it, its neighbours joined to one text. */
export function resultOf(
  { chunk: row, ranked, neighbours }: Hit,
  { explain, chunkId }: { explain: boolean; chunkId: string },
): SearchResult {
  const first = neighbours[0] ?? row;
  const last = neighbours.at(-1) ?? row;
  const text = neighbours.length === 0 ? row.text : joinChunks(neighbours, first.start_cp);
  return {
    file_id: row.file_id,
    filename: row.filename,
    score: ranked.score,
    attributes: row.attributes ?? {},
    content: [{ type: "text", text }],
    object: "vector_store.search_result",
    type: "file_content",
    chunk_id: chunkId,
    chunk_index: row.idx,
    ...placeOf(first, last),
    heading: row.heading ?? [],
    ...(explain
      ? {
          scores: {
            vector: ranked.vector,
            keyword: ranked.keyword,
            fused: ranked.fused,
            rescored: ranked.rescored ?? null,
          },
        }
      : {}),
  };
}
