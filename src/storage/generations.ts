import type { Db } from "./db.ts";

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
export function generationsTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    GenerationRow,
    [string, string, string, string, number, number | null, string, number]
  >(/*sql*/ `INSERT INTO generation (tenant_id, store_id, number, model, model_revision, dimensions, chunk_set, state, created_at)
             VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM generation WHERE store_id = ?2), ?3, ?4, ?5,
                     coalesce(?6, 0), ?7, ?8) RETURNING ${COLUMNS}`);
  // A new set of chunks is named after the generation that first made it.
  const ownChunkSet = raw.query<null, [number]>(
    /*sql*/ `UPDATE generation SET chunk_set = id WHERE id = ?1 AND chunk_set = 0`,
  );
  const byId = raw.query<GenerationRow, [string, number]>(
    /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE tenant_id = ?1 AND id = ?2`,
  );
  const ofStore = raw.query<GenerationRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY number`,
  );
  const setState = raw.query<null, [string, number, string]>(
    /*sql*/ `UPDATE generation SET state = ?3 WHERE tenant_id = ?1 AND id = ?2`,
  );
  const liveOfOtherRevision = raw.query<GenerationRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM generation WHERE state = 'live' AND model = ?1 AND model_revision <> ?2`,
  );
  const inUse = raw.query<{ id: number; store_id: string }, []>(
    /*sql*/ `SELECT id, store_id FROM generation WHERE state <> 'retired'`,
  );
  const modelsInUse = raw.query<{ model: string; stores: number }, []>(
    /*sql*/ `SELECT model, count(DISTINCT store_id) AS stores FROM generation WHERE state <> 'retired' GROUP BY model`,
  );

  // Without a tenant: for indexes, which are asked for by stores that were found under their tenant.
  const anyById = raw.query<GenerationRow, [number]>(/*sql*/ `SELECT ${COLUMNS} FROM generation WHERE id = ?1`);
  const idsOfStore = raw.query<{ id: number }, [string]>(
    /*sql*/ `SELECT id FROM generation WHERE store_id = ?1 AND state <> 'retired'`,
  );

  return {
    byId: (id: number): GenerationRow | null => anyById.get(id),
    idsOfStore: (storeId: string): number[] => idsOfStore.all(storeId).map((row) => row.id),
    /** `chunkSet` null: a new set of chunks. */
    insert(generation: {
      tenantId: string;
      storeId: string;
      model: string;
      modelRevision: string;
      dimensions: number;
      chunkSet: number | null;
      state: GenerationRow["state"];
      createdAt: number;
    }): GenerationRow {
      const { tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt } = generation;
      const row = insert.get(tenantId, storeId, model, modelRevision, dimensions, chunkSet, state, createdAt);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      if (chunkSet !== null) return row;
      ownChunkSet.run(row.id);
      return { ...row, chunk_set: row.id };
    },
    get: (tenantId: string, id: number): GenerationRow | null => byId.get(tenantId, id),
    ofStore: (tenantId: string, storeId: string): GenerationRow[] => ofStore.all(tenantId, storeId),
    setState: (tenantId: string, id: number, state: GenerationRow["state"]) => {
      setState.run(tenantId, id, state);
    },
    /** Live generations of every tenant made by another revision of a model. */
    liveOfOtherRevision: (model: string, revision: string): GenerationRow[] => liveOfOtherRevision.all(model, revision),
    /** Generations of every tenant that are not retired. */
    inUse: (): { id: number; store_id: string }[] => inUse.all(),
    /** Model ids with the number of stores that need them, of every tenant (a model in use is not removed). */
    modelsInUse: () => modelsInUse.all(),
  };
}
