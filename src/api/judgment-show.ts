import type { FileId } from "../storage/ids.ts";
import type { Relevant } from "../storage/judgments.ts";
import type { RowIds } from "../storage/shown-ids.ts";
import type { ShownRelevant } from "./judgment-schema.ts";

/** Names of files of a store, by id. */
export type FileNames = ReadonlyMap<FileId, { filename: string }>;

/** What is judged for a query, as clients see it. */
export function showRelevant(relevant: readonly Relevant[], names: FileNames, chunkIds: RowIds): ShownRelevant[] {
  return relevant.map(({ file, chunk, grade }) => ({
    file_id: file,
    filename: names.get(file ?? "")?.filename ?? null,
    ...(chunk === null ? {} : { chunk_id: chunkIds.idOf(chunk) }),
    grade,
  }));
}
