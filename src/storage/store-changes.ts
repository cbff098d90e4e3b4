import type { GenerationId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { GenerationRow } from "./generations.ts";
import type { Sql } from "./sql.ts";
import type { StoreRow } from "./stores.ts";
import { id, integer, nullable, type RowOf, table, text } from "./table.ts";
import { DATABASE_SECONDS, texts } from "./dialect.ts";

/**
 * Of a file: `completed` it is found now (or by other chunks than before), `grown` it has more chunks, `attributes` it has
 * others, `removed` it is not found any more, `terms` it is found by more words, `entered` it is whole in a generation that
 * is not live. Of a generation: `next` it may soon be live, `live`, `retired`. `mode`: the store's index is to be of another
 * kind. `everything`: more than is worth naming.
 */
export type ChangeKind =
  | "completed"
  | "grown"
  | "attributes"
  | "removed"
  | "terms"
  | "entered"
  | "next"
  | "live"
  | "retired"
  | "mode"
  | "everything";

export const STORE_CHANGE = table("store_change", {
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  /** Of the store with it: each change is one, without gaps. */
  version: integer(),
  kind: text<ChangeKind>(),
  store_file: nullable(integer<StoreFileSeq>()),
  generation: nullable(integer<GenerationId>()),
  /** Unix seconds, by the database's clock. */
  at: integer(),
});

/** Changes of one kind to the same. */
export type Changed = Pick<RowOf<typeof STORE_CHANGE>, "kind" | "store_file" | "generation"> & { n: number };

/** Whether these are all changes after version `from` up to version `to`, each by its name. */
export function tellAll(changes: readonly Changed[], from: number, to: number): boolean {
  const told = changes.reduce((sum, { n }) => sum + n, 0);
  return told === to - from && changes.every(({ kind }) => kind !== "everything");
}

export type StoreVersion = Pick<StoreRow, "tenant_id" | "id" | "version" | "lifecycle">;

/**
 * What became visible to searches of stores, for servers that share a database. It is written by the database itself
 * (migrations/postgres/019-store-versions.ts); one that a server has for itself has none.
 */
export interface StoreChangesTable {
  /**
   * What changed in the generation's store after version `from` up to version `to`, of up to `limit` files or others; what
   * entered other generations is told without the files. Where their `n` are together fewer than the versions in between,
   * there is more, or it is known no more.
   */
  since(
    generation: Pick<GenerationRow, "tenant_id" | "store_id" | "id">,
    { from, to, limit }: { from: number; to: number; limit: number },
  ): Promise<Changed[]>;
  /** Seconds since the generation was taken out of use; null where that is not known any more, or was never told. */
  retiredFor(tenantId: TenantId, generation: GenerationId): Promise<number | null>;
  /** Removes up to `limit` changes older than `seconds`; returns how many (for the janitor). */
  trim(seconds: number, limit: number): Promise<number>;
  // Without a tenant: for indexes in memory, which are of stores that were found under their tenant.
  versions(storeIds: readonly StoreId[]): Promise<StoreVersion[]>;
}

const SINCE = /*sql*/ `SELECT kind, store_file, generation, count(*) AS n FROM
    (SELECT version, kind, generation, CASE WHEN kind = 'entered' AND generation <> ?6 THEN NULL ELSE store_file END AS store_file
     FROM store_change WHERE tenant_id = ?1 AND store_id = ?2 AND version > ?3 AND version <= ?4) told
  GROUP BY kind, store_file, generation ORDER BY max(version) LIMIT ?5`;
const VERSIONS = /*sql*/ `SELECT tenant_id, id, version, lifecycle FROM vector_store WHERE id IN ${texts(1)}`;
const RETIRED_FOR = /*sql*/ `SELECT ${DATABASE_SECONDS} - max(at) AS seconds FROM store_change
  WHERE tenant_id = ?1 AND generation = ?2 AND kind = 'retired'`;
const TRIM = /*sql*/ `DELETE FROM store_change WHERE (tenant_id, store_id, version) IN
  (SELECT tenant_id, store_id, version FROM store_change WHERE at < ${DATABASE_SECONDS} - ?1 ORDER BY at LIMIT ?2)`;

export function storeChangesTable(sql: Sql): StoreChangesTable {
  const isWritten = sql.dialect === "postgres";
  return {
    since: ({ tenant_id: tenantId, store_id: storeId, id: generation }, { from, to, limit }) =>
      sql.all(SINCE, [tenantId, storeId, from, to, limit, generation]),
    async retiredFor(tenantId, generation) {
      if (!isWritten) return null;
      return (await sql.get<{ seconds: number | null }>(RETIRED_FOR, [tenantId, generation]))?.seconds ?? null;
    },
    trim: async (seconds, limit) => (isWritten ? await sql.run(TRIM, [seconds, limit]) : 0),
    versions: (storeIds) => sql.all(VERSIONS, [JSON.stringify(storeIds)]),
  };
}
