import { questionFrom } from "../../search/questions.ts";
import type { ChunkHit } from "../../storage/chunks.ts";
import type { KeptChange, MigrationRow } from "../../storage/migration-table.ts";
import type { Storage } from "../../storage/storage.ts";
import type { MigrationChange } from "./schema.ts";

export type ShowChangesDeps = Pick<Storage, "chunks" | "judgments" | "queryLog">;

/** Code points of a passage that are shown of it. */
const EXCERPT = 240;

/**
 * The queries that changed most, with what both indexes found. A report keeps only where they stand: what has been deleted
 * since, of queries and of passages, is left out.
 */
export async function showChanges(deps: ShowChangesDeps, row: MigrationRow): Promise<MigrationChange[]> {
  const shown: MigrationChange[] = [];
  for (const change of row.report?.changed ?? []) {
    const query = await queryOf(deps, row, change.query);
    if (query === null) continue;
    const rows = await deps.chunks.hits(row.tenant_id, [...new Set([...change.from, ...change.to])]);
    const byId = new Map(rows.map((hit) => [hit.id, showHit(hit)]));
    const side = (ids: readonly number[]) => ids.flatMap((id) => byId.get(id) ?? []);
    shown.push({ query, overlap_at_10: change.overlap, from: side(change.from), to: side(change.to) });
  }
  return shown;
}

async function queryOf(
  { chunks, judgments, queryLog }: ShowChangesDeps,
  { tenant_id: tenantId, store_id: storeId }: MigrationRow,
  at: KeptChange["query"],
): Promise<string | null> {
  if ("judgment" in at) return (await judgments.get(tenantId, storeId, at.judgment))?.query ?? null;
  if ("logged" in at) return (await queryLog.asked(tenantId, storeId, at.logged))?.[at.place] ?? null;
  const text = (await chunks.texts(tenantId, [at.chunk])).get(at.chunk);
  return text === undefined ? null : questionFrom(text);
}

function showHit({ file_id, filename, start_cp, end_cp, text }: ChunkHit): MigrationChange["from"][number] {
  // Twice as many units hold as many code points, whatever they are.
  const beginning = [...text.slice(0, 2 * EXCERPT)].slice(0, EXCERPT).join("");
  return { file_id, filename, start_offset: start_cp, end_offset: end_cp, excerpt: beginning };
}
