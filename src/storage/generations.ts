import type { Sql } from "./sql.ts";

export interface GenerationRow {
  id: number;
  tenant_id: string;
  store_id: string;
  /** 1, 2, … within the store. */
  number: number;
  model: string;
  model_revision: string;
  dimensions: number;
  chunk_set: number;
  state: "live" | "building" | "retained" | "retired";
  created_at: number;
}

const COLUMNS = "id, tenant_id, store_id, number, model, model_revision, dimensions, chunk_set, state, created_at";

export type GenerationsTable = ReturnType<typeof generationsTable>;

/** Index generations: which model made the vectors of a store, and which of them searches read. */
export function generationsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO generation (tenant_id, store_id, number, model, model_revision, dimensions, chunk_set, state, created_at)
             VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM generation WHERE store_id = ?2), ?3, ?4, ?5,
                     coalesce(?6, 0), ?7, ?8) RETURNING ${COLUMNS}`;
  // A new set of chunks is named after the generation that first made it.
  const ownChunkSet = /*sql*/ `UPDATE generation SET chunk_set = id WHERE id = ?1 AND chunk_set = 0`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE tenant_id = ?1 AND id = ?2`;
  const ofStore = /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY number`;
  const setState = /*sql*/ `UPDATE generation SET state = ?3 WHERE tenant_id = ?1 AND id = ?2`;
  const liveOfOtherRevision = /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE state = 'live' AND model = ?1 AND model_revision <> ?2`;
  const inUse = /*sql*/ `SELECT id, store_id FROM generation WHERE state <> 'retired'`;
  const modelsInUse = /*sql*/ `SELECT model, count(DISTINCT store_id) AS stores FROM generation WHERE state <> 'retired' GROUP BY model`;

  // Without a tenant: for indexes, which are asked for by stores that were found under their tenant.
  const anyById = /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE id = ?1`;
  const idsOfStore = /*sql*/ `SELECT id FROM generation WHERE store_id = ?1 AND state <> 'retired'`;

  return {
    byId: (id: number): Promise<GenerationRow | null> => sql.get<GenerationRow>(anyById, [id]),
    idsOfStore: async (storeId: string): Promise<number[]> =>
      (await sql.all<{ id: number }>(idsOfStore, [storeId])).map((row) => row.id),
    /** `chunkSet` null: a new set of chunks. */
    async insert(generation: {
      tenantId: string;
      storeId: string;
      model: string;
      modelRevision: string;
      dimensions: number;
      chunkSet: number | null;
      state: GenerationRow["state"];
      createdAt: number;
    }): Promise<GenerationRow> {
      const { tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt } = generation;
      const values = [tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt];
      return await sql.atomic(async (tx) => {
        const row = await tx.get<GenerationRow>(insert, values);
        if (row === null) throw new Error("INSERT … RETURNING gave no row");
        if (chunkSet !== null) return row;
        await tx.run(ownChunkSet, [row.id]);
        return { ...row, chunk_set: row.id };
      });
    },
    get: (tenantId: string, id: number): Promise<GenerationRow | null> => sql.get<GenerationRow>(byId, [tenantId, id]),
    ofStore: (tenantId: string, storeId: string): Promise<GenerationRow[]> =>
      sql.all<GenerationRow>(ofStore, [tenantId, storeId]),
    setState: async (tenantId: string, id: number, state: GenerationRow["state"]) => {
      await sql.run(setState, [tenantId, id, state]);
    },
    /** Live generations of every tenant made by another revision of a model. */
    liveOfOtherRevision: (model: string, revision: string): Promise<GenerationRow[]> =>
      sql.all<GenerationRow>(liveOfOtherRevision, [model, revision]),
    /** Generations of every tenant that are not retired. */
    inUse: (): Promise<{ id: number; store_id: string }[]> => sql.all<{ id: number; store_id: string }>(inUse),
    /** Model ids with the number of stores that need them, of every tenant (a model in use is not removed). */
    modelsInUse: () => sql.all<{ model: string; stores: number }>(modelsInUse),
  };
}
