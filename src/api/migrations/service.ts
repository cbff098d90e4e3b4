import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { KeptIdentity, MigrationRow } from "../../storage/migration-table.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { ModelCatalog } from "../models/service.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { readStrategy, showStrategy } from "../vector-store-files/input.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { MigrateBody, Migration } from "./schema.ts";

export interface MigrationsDeps extends Pick<
  Storage,
  "db" | "stores" | "generations" | "generationFiles" | "migrations" | "jobs"
> {
  clock: Clock;
  access: StoreAccess;
  models: ModelCatalog;
  /** US dollars for a million tokens of this model; null for one that runs here. */
  priceOf: (model: string) => number | null;
  wakeJobs: () => void;
  /** Interrupts the job of a migration, so that it sees what was asked for. */
  interrupt: (migrationId: string) => void;
  /** The flip of a rollback, if the old generation has everything. */
  rollBackNow: (migration: MigrationRow) => Promise<boolean>;
  notify: (storeId: string) => void;
}

export interface MigrationPage {
  data: Migration[];
  hasMore: boolean;
}

const DEFAULT_RETAIN_HOURS = 168;
const CANCELLABLE: ReadonlySet<string> = new Set(["queued", "building", "catching_up", "verifying", "ready", "paused"]);

export type MigrationsService = ReturnType<typeof migrationsService>;

/** Changing the embedding model (or the chunking) of a store that goes on serving, and going back. */
export function migrationsService(deps: MigrationsDeps) {
  const { db, generations, generationFiles, migrations, jobs, clock, access } = deps;

  function find(store: StoreRow, id: string): MigrationRow {
    const row = migrations.get(store.tenant_id, store.id, id);
    if (row === null)
      throw new AppError("migration_not_found", `No migration found with id '${id.slice(0, 100)}'`, {
        param: "migration_id",
      });
    return row;
  }

  /** Tells the migration's job what to do next; in one transaction with what the job must find. */
  function ask(row: MigrationRow, asked: "cancel" | "promote" | "rollback"): void {
    db.transaction(() => {
      migrations.update(row.tenant_id, row.id, { asked });
      schedule(row);
    });
    deps.interrupt(row.id);
    deps.wakeJobs();
  }

  function schedule(row: MigrationRow): void {
    jobs.insert({
      tenantId: row.tenant_id,
      kind: "migrate",
      storeId: row.store_id,
      subject: row.id,
      priority: 0,
      dueMs: clock.nowMs(),
    });
  }

  function show(row: MigrationRow): Migration {
    const from = JSON.parse(row.from_identity) as KeptIdentity;
    const to = JSON.parse(row.to_identity) as KeptIdentity;
    const generation = row.to_generation === null ? null : generations.get(row.tenant_id, row.to_generation);
    const strategy =
      row.max_tokens === null
        ? null
        : showStrategy({ maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens ?? 0 });
    return {
      id: row.id,
      object: "vector_store.migration",
      vector_store_id: row.store_id,
      created_at: row.created_at,
      started_at: row.started_at,
      completed_at: row.completed_at,
      status: row.status,
      from: { ...showIdentity(from), chunking_strategy: null },
      to: { ...showIdentity({ ...to, number: generation?.number ?? to.number }), chunking_strategy: strategy },
      progress: progressOf(row, generation, to),
      gate: row.gate === null ? null : (JSON.parse(row.gate) as Migration["gate"]),
      dry_run: row.dry_run === 1,
      report: row.report === null ? null : (JSON.parse(row.report) as Migration["report"]),
      last_error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
      rollback_until: row.rollback_until,
      rolled_back_at: row.rolled_back_at,
    };
  }

  function progressOf(row: MigrationRow, generation: GenerationRow | null, to: KeptIdentity): Migration["progress"] {
    const building = generation?.state === "building";
    const behind = building ? generationFiles.countMissing(generation) : { files: 0, chunks: 0 };
    const end = row.completed_at ?? clock.nowSeconds();
    const seconds = row.started_at === null ? 0 : Math.max(1, end - row.started_at);
    const rate = seconds === 0 ? 0 : row.chunks_done / seconds;
    const price = deps.priceOf(to.model);
    return {
      chunks_done: row.chunks_done,
      chunks_total: row.chunks_done + behind.chunks,
      files_behind: behind.files,
      tokens: row.tokens,
      chunks_per_second: Math.round(rate * 10) / 10,
      eta_seconds: building && rate > 0 ? Math.ceil(behind.chunks / rate) : null,
      cost_usd: price === null ? null : (row.tokens / 1_000_000) * price,
    };
  }

  return {
    start(caller: Caller, storeId: string, body: MigrateBody, rules: DialectRules): Migration {
      const store = access.usable(caller, storeId, rules);
      const live = store.live_generation === null ? null : generations.get(store.tenant_id, store.live_generation);
      if (live === null) throw new AppError("vector_store_unavailable", `Vector store '${storeId}' has no index yet.`);
      const choice = deps.models.choose(body.embedding_model, body.dimensions ?? null);
      if (!choice.ok) {
        const code = {
          unknown: "invalid_embedding_model",
          reranker: "invalid_embedding_model",
          unavailable: "embedding_model_unavailable",
          dimensions: "invalid_dimensions",
        } as const;
        const param = choice.reason === "dimensions" ? "dimensions" : "embedding_model";
        throw new AppError(code[choice.reason], choice.message, { param });
      }
      const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
      const from: KeptIdentity = {
        model: live.model,
        model_revision: live.model_revision,
        dimensions: live.dimensions,
        embedding_model: store.embedding_model,
        embedding_dimensions: store.embedding_dimensions,
        number: live.number,
      };
      const to: KeptIdentity = {
        model: choice.model,
        model_revision: choice.revision,
        dimensions: choice.dimensions,
        embedding_model: choice.name,
        embedding_dimensions: body.dimensions ?? null,
        number: null,
      };
      const row = db.transaction(() => {
        const other = migrations.unfinished(store.tenant_id, store.id);
        if (other !== null) {
          throw new AppError(
            "migration_in_progress",
            `Vector store '${storeId}' is being migrated already ('${other.id}'). Wait for its end, or cancel it.`,
          );
        }
        const inserted = migrations.insert({
          id: newId("mig_"),
          tenantId: store.tenant_id,
          storeId: store.id,
          createdAt: clock.nowSeconds(),
          fromGeneration: live.id,
          fromIdentity: JSON.stringify(from),
          toIdentity: JSON.stringify(to),
          maxTokens: strategy?.maxTokens ?? null,
          overlapTokens: strategy?.overlapTokens ?? null,
          gate: body.gate == null ? null : JSON.stringify(body.gate),
          dryRun: body.dry_run ?? false,
          retainHours: body.retain_hours ?? DEFAULT_RETAIN_HOURS,
        });
        schedule(inserted);
        return inserted;
      });
      deps.wakeJobs();
      return show(row);
    },

    get(caller: Caller, storeId: string, id: string, rules: DialectRules): Migration {
      return show(find(access.visible(caller, storeId, rules), id));
    },

    list(caller: Caller, storeId: string, cursor: Cursor, rules: DialectRules): MigrationPage {
      const store = access.visible(caller, storeId, rules);
      const seqOf = (id: string) => migrations.get(store.tenant_id, store.id, id)?.seq;
      const query = pageQuery(cursor, seqOf, "migration");
      const page = migrations.list(store.tenant_id, store.id, query);
      return { data: page.rows.map(show), hasMore: page.hasMore };
    },

    cancel(caller: Caller, storeId: string, id: string, rules: DialectRules): Migration {
      const row = find(access.open(caller, storeId, rules), id);
      if (!CANCELLABLE.has(row.status)) {
        throw new AppError(
          "migration_not_cancellable",
          `The migration '${id}' is ${row.status.replaceAll("_", " ")} and cannot be cancelled.`,
        );
      }
      ask(row, "cancel");
      return show(find(access.open(caller, storeId, rules), id));
    },

    promote(caller: Caller, storeId: string, id: string, rules: DialectRules): Migration {
      const row = find(access.usable(caller, storeId, rules), id);
      if (row.status !== "ready") {
        throw new AppError(
          "migration_not_promotable",
          `The migration '${id}' is ${row.status.replaceAll("_", " ")}; only one that is ready can be promoted.`,
        );
      }
      ask(row, "promote");
      return show(find(access.usable(caller, storeId, rules), id));
    },

    /** Instant while the old generation is up to date; otherwise it is brought up to date first. */
    async rollback(caller: Caller, storeId: string, id: string, rules: DialectRules): Promise<Migration> {
      const store = access.usable(caller, storeId, rules);
      const row = find(store, id);
      const possible =
        row.status === "completed" && row.rollback_until !== null && row.rollback_until > clock.nowSeconds();
      if (!possible || store.live_generation !== row.to_generation) {
        throw new AppError(
          "migration_not_rollbackable",
          `The migration '${id}' cannot be rolled back: ${reasonAgainst(row, store)}.`,
        );
      }
      const other = migrations.unfinished(store.tenant_id, store.id);
      if (other !== null)
        throw new AppError(
          "migration_in_progress",
          `Vector store '${storeId}' is being migrated ('${other.id}'). Wait for its end, or cancel it.`,
        );
      if (await deps.rollBackNow(row)) deps.notify(storeId);
      else ask(row, "rollback");
      deps.wakeJobs();
      return show(find(access.usable(caller, storeId, rules), id));
    },
  };
}

function reasonAgainst(row: MigrationRow, store: StoreRow): string {
  if (row.status === "rolled_back") return "it was rolled back already";
  if (row.status !== "completed") return `it is ${row.status.replaceAll("_", " ")}`;
  if (store.live_generation !== row.to_generation) return "a later migration is live";
  return "the time for it is over";
}

function showIdentity(identity: KeptIdentity): Omit<Migration["from"], "chunking_strategy"> {
  const { number, embedding_model, model_revision, dimensions } = identity;
  return { generation: number, embedding_model, model_revision, dimensions };
}
