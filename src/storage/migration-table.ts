import type { ChunkId, GenerationId, JudgmentId, MigrationId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { boolean, type Changes, id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

export type MigrationStatus =
  | "queued"
  | "building"
  | "catching_up"
  | "verifying"
  | "ready"
  | "completed"
  | "rolled_back"
  | "cancelled"
  | "failed"
  | "paused";

/** One side of a migration as clients see it, kept so that it can be shown when its generation is gone. */
export interface KeptIdentity {
  /** The model that really runs. */
  model: string;
  model_revision: string;
  dimensions: number;
  /** The name as asked for. */
  embedding_model: string;
  embedding_dimensions: number | null;
  /** Of the generation, within the store; null until there is one. */
  number: number | null;
}

/** What a migration's report must show for the new generation to go live; what is not given is not asked. */
export interface Gate {
  min_recall?: number;
  min_overlap?: number;
  max_latency_ratio?: number;
}

/**
 * A query that the two generations answer differently, by where its words stand: what is deleted there is gone here too.
 * Chunks are named, best first.
 */
export interface KeptChange {
  query: { judgment: JudgmentId } | { logged: number; place: number } | { chunk: ChunkId };
  /** Share of the old ten best that are among the new ten best. */
  overlap: number;
  from: ChunkId[];
  to: ChunkId[];
}

/** How the new generation compares with the old one. */
export interface MigrationReport {
  queries: number;
  source: "log" | "generated" | "judged";
  /** Mean share of the old ten best that are among the new ten best. */
  overlap_at_10: number;
  /** Mean rank correlation (Spearman) of what both found. */
  rank_correlation: number;
  /** Share of sampled chunks that are the best answer to their own vector. */
  self_retrieval: number;
  counts: { from: number; to: number };
  latency_ms: { from: { p50: number; p95: number }; to: { p50: number; p95: number } };
  ndcg_at_10: { from: number; to: number } | null;
  recall_at_10: { from: number; to: number } | null;
  gate: "passed" | "missed" | "none";
  reasons: string[];
  /** Those that changed most, the most changed first; absent in reports of earlier versions. */
  changed?: KeptChange[];
}

export const MIGRATION = table("migration", {
  seq: integer(),
  id: id<MigrationId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  created_at: integer(),
  started_at: nullable(integer()),
  completed_at: nullable(integer()),
  status: text<MigrationStatus>(),
  from_generation: integer<GenerationId>(),
  to_generation: nullable(integer<GenerationId>()),
  from_identity: json<KeptIdentity>(),
  to_identity: json<KeptIdentity>(),
  /** Another chunking, or null for each file's own. */
  max_tokens: nullable(integer()),
  overlap_tokens: nullable(integer()),
  gate: nullable(json<Gate>()),
  /** It stops before the swap. */
  dry_run: boolean(),
  /** How long the old generation is kept for a rollback. */
  retain_hours: integer(),
  /** What the running job is to do next. */
  asked: nullable(text<"cancel" | "promote" | "rollback">()),
  files_done: integer(),
  chunks_done: integer(),
  /** Sent to the model. */
  tokens: integer(),
  report: nullable(json<MigrationReport>()),
  error_code: nullable(text()),
  error_message: nullable(text()),
  rollback_until: nullable(integer()),
  rolled_back_at: nullable(integer()),
  /** Chunks of new files that may still enter the store, which may be below 0; null: any number. */
  ingest_credit: nullable(integer()),
});

export type MigrationRow = RowOf<typeof MIGRATION>;

export interface NewMigration {
  id: MigrationId;
  tenantId: TenantId;
  storeId: StoreId;
  createdAt: number;
  fromGeneration: GenerationId;
  fromIdentity: KeptIdentity;
  toIdentity: KeptIdentity;
  maxTokens: number | null;
  overlapTokens: number | null;
  gate: Gate | null;
  dryRun: boolean;
  retainHours: number;
}

/** Columns that change while a migration runs. */
export type MigrationChanges = Changes<
  Pick<
    MigrationRow,
    | "started_at"
    | "completed_at"
    | "status"
    | "to_generation"
    | "to_identity"
    | "asked"
    | "files_done"
    | "chunks_done"
    | "tokens"
    | "report"
    | "error_code"
    | "error_message"
    | "rollback_until"
    | "rolled_back_at"
  >
>;

/** Migrations of stores. At most one of a store is unfinished. */
export interface MigrationsTable {
  insert(migration: NewMigration): Promise<MigrationRow>;
  get(tenantId: TenantId, storeId: StoreId, id: MigrationId): Promise<MigrationRow | null>;
  ofJob(tenantId: TenantId, id: MigrationId): Promise<MigrationRow | null>;
  /** The store's migration that has not ended, if there is one. */
  unfinished(tenantId: TenantId, storeId: StoreId): Promise<MigrationRow | null>;
  /** Up to 20 completed migrations of any tenant whose time for a rollback is over. */
  pastRetention(nowSeconds: number): Promise<MigrationRow[]>;
  update(tenantId: TenantId, id: MigrationId, changes: MigrationChanges): Promise<void>;
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery): Promise<Page<MigrationRow>>;
  /** How many chunks of new files may enter a store while its latest migration, or the rollback of that, goes on. */
  setCredit(tenantId: TenantId, storeId: StoreId, credit: number | null): Promise<void>;
  /** More, or less; nothing where any number may. */
  addCredit(tenantId: TenantId, storeId: StoreId, chunks: number): Promise<void>;
  capCredit(tenantId: TenantId, storeId: StoreId, most: number): Promise<void>;
  /** Whether it is not any number. */
  hasCredit(tenantId: TenantId, storeId: StoreId): Promise<boolean>;
}

const SELECT = /*sql*/ `SELECT ${MIGRATION.list} FROM migration`;
const BY_ID = /*sql*/ `${SELECT} WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
const OF_JOB = /*sql*/ `${SELECT} WHERE tenant_id = ?1 AND id = ?2`;
const UNFINISHED = /*sql*/ `${SELECT} WHERE tenant_id = ?1 AND store_id = ?2
  AND status IN ('queued', 'building', 'catching_up', 'verifying', 'ready', 'paused')`;
const PAST_RETENTION = /*sql*/ `${SELECT} WHERE rollback_until IS NOT NULL AND rollback_until <= ?1 AND status = 'completed' LIMIT 20`;
const LATEST = /*sql*/ `WHERE tenant_id = ?1
  AND seq = (SELECT max(seq) FROM migration WHERE tenant_id = ?1 AND store_id = ?2)`;
const SET_CREDIT = /*sql*/ `UPDATE migration SET ingest_credit = CAST(?3 AS BIGINT) ${LATEST}`;
const ADD_CREDIT = /*sql*/ `UPDATE migration SET ingest_credit = ingest_credit + CAST(?3 AS BIGINT) ${LATEST}`;
const CAP_CREDIT = /*sql*/ `UPDATE migration SET ingest_credit = CAST(?3 AS BIGINT) ${LATEST}
  AND ingest_credit > CAST(?3 AS BIGINT)`;
const HAS_CREDIT = /*sql*/ `SELECT 1 AS has FROM migration WHERE tenant_id = ?1 AND store_id = ?2
  AND ingest_credit IS NOT NULL LIMIT 1`;
const LISTED = /*sql*/ `migration WHERE tenant_id = ?1 AND store_id = ?2`;

export function migrationsTable(sql: Sql): MigrationsTable {
  return {
    insert: (migration) =>
      MIGRATION.insert(sql, {
        id: migration.id,
        tenant_id: migration.tenantId,
        store_id: migration.storeId,
        created_at: migration.createdAt,
        status: "queued",
        from_generation: migration.fromGeneration,
        from_identity: migration.fromIdentity,
        to_identity: migration.toIdentity,
        max_tokens: migration.maxTokens,
        overlap_tokens: migration.overlapTokens,
        gate: migration.gate,
        dry_run: migration.dryRun,
        retain_hours: migration.retainHours,
      }),
    get: (tenantId, storeId, id) => MIGRATION.get(sql, BY_ID, [tenantId, storeId, id]),
    ofJob: (tenantId, id) => MIGRATION.get(sql, OF_JOB, [tenantId, id]),
    unfinished: (tenantId, storeId) => MIGRATION.get(sql, UNFINISHED, [tenantId, storeId]),
    pastRetention: (nowSeconds) => MIGRATION.all(sql, PAST_RETENTION, [nowSeconds]),
    update: async (tenantId, id, changes) => void (await MIGRATION.update(sql, { tenant_id: tenantId, id }, changes)),
    list: (tenantId, storeId, page) => MIGRATION.page(sql, { from: LISTED, params: [tenantId, storeId] }, page),
    setCredit: async (tenantId, storeId, credit) => void (await sql.run(SET_CREDIT, [tenantId, storeId, credit])),
    addCredit: async (tenantId, storeId, chunks) => void (await sql.run(ADD_CREDIT, [tenantId, storeId, chunks])),
    capCredit: async (tenantId, storeId, most) => void (await sql.run(CAP_CREDIT, [tenantId, storeId, most])),
    hasCredit: async (tenantId, storeId) => (await sql.get(HAS_CREDIT, [tenantId, storeId])) !== null,
  };
}
