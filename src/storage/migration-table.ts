import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

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

/** One side of a migration as clients see it, kept (as JSON) so that it can be shown when its generation is gone. */
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
  min_recall?: number | undefined;
  min_overlap?: number | undefined;
  max_latency_ratio?: number | undefined;
}

export interface MigrationRow {
  seq: number;
  id: string;
  tenant_id: string;
  store_id: string;
  created_at: number;
  started_at: number | null;
  completed_at: number | null;
  status: MigrationStatus;
  from_generation: number;
  to_generation: number | null;
  from_identity: string;
  to_identity: string;
  max_tokens: number | null;
  overlap_tokens: number | null;
  gate: string | null;
  dry_run: number;
  retain_hours: number;
  asked: "cancel" | "promote" | "rollback" | null;
  files_done: number;
  chunks_done: number;
  tokens: number;
  report: string | null;
  error_code: string | null;
  error_message: string | null;
  rollback_until: number | null;
  rolled_back_at: number | null;
}

const COLUMNS = `seq, id, tenant_id, store_id, created_at, started_at, completed_at, status, from_generation, to_generation,
  from_identity, to_identity, max_tokens, overlap_tokens, gate, dry_run, retain_hours, asked, files_done, chunks_done, tokens,
  report, error_code, error_message, rollback_until, rolled_back_at`;

/** Columns that change while a migration runs. */
export type MigrationChanges = Partial<
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

const CHANGEABLE = new Set<string>([
  "started_at",
  "completed_at",
  "status",
  "to_generation",
  "to_identity",
  "asked",
  "files_done",
  "chunks_done",
  "tokens",
  "report",
  "error_code",
  "error_message",
  "rollback_until",
  "rolled_back_at",
]);

export type MigrationsTable = ReturnType<typeof migrationsTable>;

/** Migrations of stores. At most one of a store is unfinished. */
export function migrationsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO migration (id, tenant_id, store_id, created_at, status, from_generation, from_identity, to_identity,
               max_tokens, overlap_tokens, gate, dry_run, retain_hours)
             VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING ${COLUMNS}`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM migration WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
  const ofJob = /*sql*/ `SELECT ${COLUMNS} FROM migration WHERE tenant_id = ?1 AND id = ?2`;
  const unfinished = /*sql*/ `SELECT ${COLUMNS} FROM migration WHERE tenant_id = ?1 AND store_id = ?2
             AND status IN ('queued', 'building', 'catching_up', 'verifying', 'ready', 'paused')`;
  const retained = /*sql*/ `SELECT ${COLUMNS} FROM migration WHERE rollback_until IS NOT NULL AND rollback_until <= ?1 AND status = 'completed' LIMIT 20`;

  return {
    insert: async (m: {
      id: string;
      tenantId: string;
      storeId: string;
      createdAt: number;
      fromGeneration: number;
      fromIdentity: string;
      toIdentity: string;
      maxTokens: number | null;
      overlapTokens: number | null;
      gate: string | null;
      dryRun: boolean;
      retainHours: number;
    }): Promise<MigrationRow> => {
      const row = await sql.get<MigrationRow>(insert, [
        m.id,
        m.tenantId,
        m.storeId,
        m.createdAt,
        m.fromGeneration,
        m.fromIdentity,
        m.toIdentity,
        m.maxTokens,
        m.overlapTokens,
        m.gate,
        m.dryRun ? 1 : 0,
        m.retainHours,
      ]);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, id: string): Promise<MigrationRow | null> =>
      sql.get<MigrationRow>(byId, [tenantId, storeId, id]),
    ofJob: (tenantId: string, id: string): Promise<MigrationRow | null> => sql.get<MigrationRow>(ofJob, [tenantId, id]),
    /** The store's migration that has not ended, if there is one. */
    unfinished: (tenantId: string, storeId: string): Promise<MigrationRow | null> =>
      sql.get<MigrationRow>(unfinished, [tenantId, storeId]),
    /** Up to 20 completed migrations of any tenant whose time for a rollback is over. */
    pastRetention: (nowSeconds: number): Promise<MigrationRow[]> => sql.all<MigrationRow>(retained, [nowSeconds]),
    async update(tenantId: string, id: string, changes: MigrationChanges) {
      const set = Object.entries(changes).filter(([column, value]) => CHANGEABLE.has(column) && value !== undefined);
      if (set.length === 0) return;
      const assignments = set.map(([column], i) => `${column} = ?${i + 3}`).join(", ");
      await sql.run(/*sql*/ `UPDATE migration SET ${assignments} WHERE tenant_id = ?1 AND id = ?2`, [
        tenantId,
        id,
        ...set.map(([, value]) => value as string | number | null),
      ]);
    },
    async list(tenantId: string, storeId: string, page: PageQuery): Promise<Page<MigrationRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<MigrationRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM migration WHERE tenant_id = ?1 AND store_id = ?2 AND seq > ?3 AND seq < ?4
                   ORDER BY seq ${direction} LIMIT ?5`,
        [tenantId, storeId, above, below, limit],
      );
      return toPage(rows, page);
    },
  };
}
