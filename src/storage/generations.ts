import type { ChunkSet, GenerationId, StoreId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { untilCommit } from "./until-commit.ts";
import type { StoreRow } from "./stores.ts";
import { id, integer, nullable, type RowOf, table, text } from "./table.ts";

export const GENERATION = table("generation", {
  id: integer<GenerationId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  /** 1, 2, … within the store; what clients see. */
  number: integer(),
  /** The model that really runs. */
  model: text(),
  model_revision: text(),
  dimensions: integer(),
  /** Generations with the same chunks share them. */
  chunk_set: integer<ChunkSet>(),
  state: text<"live" | "building" | "retained" | "retired">(),
  created_at: integer(),
  /** Its vectors are those of the files' windows of about so many tokens, each kept once; null: each chunk has its own. */
  window_tokens: nullable(integer()),
});

export type GenerationRow = RowOf<typeof GENERATION>;

export interface NewGeneration {
  tenantId: TenantId;
  storeId: StoreId;
  model: string;
  modelRevision: string;
  dimensions: number;
  /** Null: a new set of chunks. */
  chunkSet: ChunkSet | null;
  state: GenerationRow["state"];
  createdAt: number;
  windowTokens: number | null;
}

/** Index generations: which model made the vectors of a store, and which of them searches read. */
export interface GenerationsTable {
  insert(generation: NewGeneration): Promise<GenerationRow>;
  get(tenantId: TenantId, id: GenerationId): Promise<GenerationRow | null>;
  /** The generation of the store that searches read; null while it has none. */
  liveOf(store: Pick<StoreRow, "tenant_id" | "live_generation">): Promise<GenerationRow | null>;
  ofStore(tenantId: TenantId, storeId: StoreId): Promise<GenerationRow[]>;
  setState(tenantId: TenantId, id: GenerationId, state: GenerationRow["state"]): Promise<void>;
  /** Live generations of every tenant made by another revision of a model. */
  liveOfOtherRevision(model: string, revision: string): Promise<GenerationRow[]>;
  /** Generations of every tenant that are not retired. */
  inUse(): Promise<Pick<GenerationRow, "id" | "store_id">[]>;
  /** Model ids with the number of stores that need them, of every tenant (a model in use is not removed). */
  modelsInUse(): Promise<{ model: string; stores: number }[]>;
  // Without a tenant: for indexes, which are asked for by stores that were found under their tenant.
  byId(id: GenerationId): Promise<GenerationRow | null>;
  idsOfStore(storeId: StoreId): Promise<GenerationId[]>;
}

const INSERT = /*sql*/ `INSERT INTO generation (tenant_id, store_id, number, model, model_revision, dimensions, chunk_set, state, created_at, window_tokens)
  VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM generation WHERE store_id = ?2), ?3, ?4, ?5,
          coalesce(CAST(?6 AS BIGINT), 0), ?7, ?8, ?9) RETURNING ${GENERATION.list}`;
// A new set of chunks is named after the generation that first made it.
const OWN_CHUNK_SET = /*sql*/ `UPDATE generation SET chunk_set = id WHERE id = ?1 AND chunk_set = 0`;
const SELECT = /*sql*/ `SELECT ${GENERATION.list} FROM generation`;
const BY_ID = /*sql*/ `${SELECT} WHERE tenant_id = ?1 AND id = ?2`;
const ANY_BY_ID = /*sql*/ `${SELECT} WHERE id = ?1`;
const OF_STORE = /*sql*/ `${SELECT} WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY number`;
const LIVE_OF_OTHER_REVISION = /*sql*/ `${SELECT} WHERE state = 'live' AND model = ?1 AND model_revision <> ?2`;
const IN_USE = /*sql*/ `SELECT id, store_id FROM generation WHERE state <> 'retired'`;
const MODELS_IN_USE = /*sql*/ `SELECT model, count(DISTINCT store_id) AS stores FROM generation WHERE state <> 'retired' GROUP BY model`;
const IDS_OF_STORE = /*sql*/ `SELECT id FROM generation WHERE store_id = ?1 AND state <> 'retired'`;

export function generationsTable(sql: Sql): GenerationsTable {
  const get = untilCommit(sql, (tenantId: TenantId, id: GenerationId) => GENERATION.get(sql, BY_ID, [tenantId, id]));
  return {
    insert: ({ tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt, windowTokens }) =>
      sql.atomic(async (tx) => {
        const values = [tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt, windowTokens];
        const row = await GENERATION.get(tx, INSERT, values);
        if (row === null) throw new Error("INSERT … RETURNING gave no row");
        if (chunkSet !== null) return row;
        await tx.run(OWN_CHUNK_SET, [row.id]);
        return { ...row, chunk_set: row.id as number };
      }),
    get,
    liveOf: async ({ tenant_id: tenantId, live_generation: live }) =>
      live === null ? null : await get(tenantId, live),
    ofStore: (tenantId, storeId) => GENERATION.all(sql, OF_STORE, [tenantId, storeId]),
    setState: async (tenantId, id, state) =>
      void (await GENERATION.update(sql, { tenant_id: tenantId, id }, { state })),
    liveOfOtherRevision: (model, revision) => GENERATION.all(sql, LIVE_OF_OTHER_REVISION, [model, revision]),
    inUse: () => sql.all(IN_USE),
    modelsInUse: () => sql.all(MODELS_IN_USE),
    byId: (id) => GENERATION.get(sql, ANY_BY_ID, [id]),
    idsOfStore: async (storeId) => (await sql.all<{ id: GenerationId }>(IDS_OF_STORE, [storeId])).map((row) => row.id),
  };
}
