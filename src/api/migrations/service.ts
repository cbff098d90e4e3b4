import { AppError } from "../../errors.ts";
import { newId } from "../../platform/ids.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { KeptIdentity, MigrationRow } from "../../storage/migration-table.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { ChosenModel, ModelCatalog } from "../../models/model-catalog.ts";
import type { Cursor } from "../../http/openai.ts";
import { readStrategy, showStrategy } from "../attaching/input.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { notFound } from "../../http/not-found.ts";
import { pageQuery } from "../../http/page-query.ts";
import { assertCancellable, assertPromotable, notRollbackable } from "./refusals.ts";
import { showChanges, type ShowChangesDeps } from "./changes.ts";
import { estimate, type EstimateDeps } from "./estimate.ts";
import type { EstimateBody, MigrateBody, Migration, MigrationChange, MigrationEstimate } from "./schema.ts";
import { showIdentity, showMigration, type ShowMigrationDeps } from "./show.ts";

export interface MigrationsDeps
  extends ShowMigrationDeps, ShowChangesDeps, EstimateDeps, Pick<Storage, "transaction" | "migrations"> {
  access: StoreAccess;
  models: ModelCatalog;
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

/** Changing the embedding model (or the chunking) of a store that goes on serving, and going back. */
export interface MigrationsService {
  start(asking: Asking, body: MigrateBody): Promise<Migration>;
  /** What it would take; nothing is begun. */
  estimate(asking: Asking, body: EstimateBody, signal: AbortSignal): Promise<MigrationEstimate>;
  get(asking: Asking, id: string): Promise<Migration>;
  list(asking: Asking, cursor: Cursor): Promise<MigrationPage>;
  /** The queries of its report that changed most. */
  changes(asking: Asking, id: string): Promise<MigrationChange[]>;
  /** Nothing is left of it. */
  cancel(asking: Asking, id: string): Promise<Migration>;
  /** Goes live although it is a dry run or missed its gate. */
  promote(asking: Asking, id: string): Promise<Migration>;
  /** Instant while the old generation is up to date; otherwise it is brought up to date first. */
  rollback(asking: Asking, id: string): Promise<Migration>;
}

export function migrationsService(deps: MigrationsDeps): MigrationsService {
  return new Migrations(deps);
}

/** What is asked of a migration's job, and under which condition. */
interface Ask {
  asked: "cancel" | "promote" | "rollback";
  /** Throws where it may not be asked for. */
  check: (row: MigrationRow) => void;
}

class Migrations implements MigrationsService {
  readonly #deps: MigrationsDeps;

  constructor(deps: MigrationsDeps) {
    this.#deps = deps;
  }

  async start(asking: Asking, body: MigrateBody): Promise<Migration> {
    const { access, clock, models, transaction, wakeJobs } = this.#deps;
    await access.usable(asking);
    const to = identityOf(chosen(models, body), body);
    const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
    const row = await transaction(async (tables, tx) => {
      const store = await access.usable(asking, tables.stores);
      const live = await liveGeneration(tables, store);
      await refuseSecond(tables, store, "is being migrated already");
      const inserted = await tables.migrations.insert({
        id: newId("mig_"),
        tenantId: store.tenant_id,
        storeId: store.id,
        createdAt: clock.nowSeconds(),
        fromGeneration: live.id,
        fromIdentity: identityNow(store, live),
        toIdentity: to,
        maxTokens: strategy?.maxTokens ?? null,
        overlapTokens: strategy?.overlapTokens ?? null,
        gate: body.gate ?? null,
        dryRun: body.dry_run ?? false,
        retainHours: body.retain_hours ?? DEFAULT_RETAIN_HOURS,
      });
      await this.#schedule(tables, inserted);
      tx.onCommit(() => wakeJobs());
      return inserted;
    });
    return await showMigration(this.#deps, row);
  }

  async estimate(asking: Asking, body: EstimateBody, signal: AbortSignal): Promise<MigrationEstimate> {
    const store = await this.#deps.access.usable(asking);
    const model = chosen(this.#deps.models, body);
    const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
    const live = await liveGeneration(this.#deps, store);
    const made = await estimate(this.#deps, { store, live, model, strategy }, signal);
    return {
      object: "vector_store.migration_estimate",
      vector_store_id: store.id,
      to: {
        ...showIdentity(identityOf(model, body)),
        chunking_strategy: strategy === null ? null : showStrategy(strategy),
      },
      chunks: made.chunks,
      tokens: made.tokens,
      memory_bytes: made.memoryBytes,
      seconds: made.seconds,
      cost_usd: made.costUsd,
      sampled_chunks: made.sampled,
    };
  }

  async changes(asking: Asking, id: string): Promise<MigrationChange[]> {
    const store = await this.#deps.access.visible(asking);
    return await showChanges(this.#deps, await find(this.#deps.migrations, store, id));
  }

  async get(asking: Asking, id: string): Promise<Migration> {
    return await this.#show(await this.#deps.access.visible(asking), id);
  }

  async list(asking: Asking, cursor: Cursor): Promise<MigrationPage> {
    const { access, migrations } = this.#deps;
    const store = await access.visible(asking);
    const seqOf = async (id: string) => (await migrations.get(store.tenant_id, store.id, id))?.seq;
    const query = await pageQuery(cursor, seqOf, "migration");
    const { rows, hasMore } = await migrations.list(store.tenant_id, store.id, query);
    return { data: await Promise.all(rows.map((row) => showMigration(this.#deps, row))), hasMore };
  }

  async cancel(asking: Asking, id: string): Promise<Migration> {
    const store = await this.#deps.access.open(asking);
    await this.#ask(store, id, { asked: "cancel", check: assertCancellable });
    return await this.#show(store, id);
  }

  async promote(asking: Asking, id: string): Promise<Migration> {
    const store = await this.#deps.access.usable(asking);
    await this.#ask(store, id, { asked: "promote", check: assertPromotable });
    return await this.#show(store, id);
  }

  async rollback(asking: Asking, id: string): Promise<Migration> {
    const { access, clock, migrations, rollBackNow, notify, wakeJobs } = this.#deps;
    const store = await access.usable(asking);
    const row = await find(migrations, store, id);
    const possible =
      row.status === "completed" && row.rollback_until !== null && row.rollback_until > clock.nowSeconds();
    if (!possible || store.live_generation !== row.to_generation) throw notRollbackable(row, store);
    await refuseSecond(this.#deps, store, "is being migrated");
    if (await rollBackNow(row)) {
      notify(store.id);
      wakeJobs();
    } else {
      await this.#ask(store, id, {
        asked: "rollback",
        check: (now) => {
          // Another request may have been quicker.
          if (now.status !== "completed") throw notRollbackable(now, store);
        },
      });
    }
    return await this.#show(store, id);
  }

  async #show(store: StoreRow, id: string): Promise<Migration> {
    return await showMigration(this.#deps, await find(this.#deps.migrations, store, id));
  }

  /** Tells the migration's job what to do next; in one transaction with what the job must find, and with what allows it. */
  async #ask(store: StoreRow, id: string, { asked, check }: Ask): Promise<void> {
    await this.#deps.transaction(async (tables, tx) => {
      const row = await find(tables.migrations, store, id);
      check(row);
      await tables.migrations.update(row.tenant_id, row.id, { asked });
      await this.#schedule(tables, row);
      tx.onCommit(() => {
        this.#deps.interrupt(row.id);
        this.#deps.wakeJobs();
      });
    });
  }

  async #schedule({ jobs }: Pick<Tables, "jobs">, row: MigrationRow): Promise<void> {
    await jobs.insert({
      tenantId: row.tenant_id,
      kind: "migrate",
      storeId: row.store_id,
      subject: row.id,
      priority: 0,
      dueMs: this.#deps.clock.nowMs(),
    });
  }
}

async function find(from: Pick<Tables["migrations"], "get">, store: StoreRow, id: string): Promise<MigrationRow> {
  const row = await from.get(store.tenant_id, store.id, id);
  if (row === null) throw notFound("migration", id, { param: "migration_id" });
  return row;
}

/** One migration of a store at a time; `state` says what the store does now. */
async function refuseSecond({ migrations }: Pick<Tables, "migrations">, store: StoreRow, state: string): Promise<void> {
  const other = await migrations.unfinished(store.tenant_id, store.id);
  if (other === null) return;
  throw new AppError(
    "migration_in_progress",
    `Vector store '${store.id}' ${state} ('${other.id}'). Wait for its end, or cancel it.`,
  );
}

async function liveGeneration({ generations }: Pick<Tables, "generations">, store: StoreRow): Promise<GenerationRow> {
  const live = await generations.liveOf(store);
  if (live !== null) return live;
  throw new AppError("vector_store_unavailable", `Vector store '${store.id}' has no index yet.`);
}

function identityNow(store: StoreRow, live: GenerationRow): KeptIdentity {
  return {
    model: live.model,
    model_revision: live.model_revision,
    dimensions: live.dimensions,
    embedding_model: store.embedding_model,
    embedding_dimensions: store.embedding_dimensions,
    number: live.number,
  };
}

const REFUSALS = {
  unknown: "invalid_embedding_model",
  reranker: "invalid_embedding_model",
  unavailable: "embedding_model_unavailable",
  dimensions: "invalid_dimensions",
} as const;

/** The model that the body asks for. Throws where there is none. */
function chosen(models: ModelCatalog, body: EstimateBody): ChosenModel {
  const choice = models.choose(body.embedding_model, body.dimensions ?? null);
  if (choice.ok) return choice;
  const param = choice.reason === "dimensions" ? "dimensions" : "embedding_model";
  throw new AppError(REFUSALS[choice.reason], choice.message, { param });
}

/** What the body asks for; the new generation has no number yet. */
function identityOf({ name, model, revision, dimensions }: ChosenModel, body: EstimateBody): KeptIdentity {
  return {
    model,
    model_revision: revision,
    dimensions,
    embedding_model: name,
    embedding_dimensions: body.dimensions ?? null,
    number: null,
  };
}
