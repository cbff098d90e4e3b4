import { join } from "node:path";
import { HOUR_SECONDS } from "../platform/clock.ts";
import { holdDiskSpace } from "../platform/disk-reserve.ts";
import { isDiskFull } from "../platform/disk-trust.ts";
import { pathPart } from "../platform/ids.ts";
import { cutOver, retireGeneration } from "../storage/cutover.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobRow } from "../storage/jobs.ts";
import type { MigrationChanges, MigrationReport, MigrationRow } from "../storage/migration-table.ts";
import { catchUp } from "./catch-up.ts";
import { type Planned, MigrationPlan, type MigrationPlanDeps } from "./migration-plan.ts";
import { MigrationProgress } from "./migration-progress.ts";
import { compareGenerations, type ReportDeps } from "./migration-report.ts";
import { retry, retryAfter } from "./retry.ts";
import { Rollback, type RollbackDeps } from "./rollback.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Moves a store to another model or chunking while it serves, and back.
 *
 *   queued -> building -> catching_up -> verifying -> (ready ->) completed -> rolled_back
 *
 * - A new generation is built beside the live one; searches read the live one until one transaction flips a row.
 * - Every step is found again in rows: a process that dies anywhere goes on from there, or, once `asked` says cancel,
 *   takes the new generation down.
 * - What the old generation holds stays for `retain_hours` and is kept up to date, so that a rollback is a flip too.
 */
export interface MigrateDeps extends RollbackDeps, ReportDeps, MigrationPlanDeps {
  changed(storeId: string): void;
  /** Resolves when other servers of the database that search the store have loaded the generation, or it was waited for long enough. */
  loadedElsewhere(generation: GenerationRow, signal: AbortSignal): Promise<void>;
}

/** New files of so many chunks enter the store at once while it is built; others may have to wait. */
const FREE_CHUNKS = 256;

/** Subject: a migration's id. */
export function createMigrateHandler(deps: MigrateDeps): JobHandler {
  return { kind: "migrate", concurrency: 2, run: (job, signal) => migrate(deps, job, signal) };
}

async function migrate(deps: MigrateDeps, job: JobRow, signal: AbortSignal): Promise<JobOutcome> {
  const row = await deps.storage.migrations.ofJob(job.tenant_id, job.subject);
  if (row === null) return { type: "done" };
  const run = new MigrationRun(deps, { row, attempt: job.attempt }, signal);
  using reserve = holdDiskSpace(join(deps.dataDir, "tmp", `reserve-${pathPart(row.id)}`));
  try {
    return await run.step();
  } catch (error) {
    if (!isLackOfRoom(error)) throw error;
    reserve.release();
    return await run.fail("insufficient_storage", "There was not enough disk space to build the new generation.");
  } finally {
    deps.changed(row.store_id);
  }
}

/** One run of one migration, from where its row says that it is. */
class MigrationRun {
  readonly #deps: MigrateDeps;
  readonly #row: MigrationRow;
  readonly #attempt: number;
  readonly #signal: AbortSignal;

  constructor(deps: MigrateDeps, { row, attempt }: { row: MigrationRow; attempt: number }, signal: AbortSignal) {
    this.#deps = deps;
    this.#row = row;
    this.#attempt = attempt;
    this.#signal = signal;
  }

  async step(): Promise<JobOutcome> {
    const { asked, status } = this.#row;
    if (asked === "rollback") return await new Rollback(this.#deps, this.#row, this.#signal).run(this.#attempt);
    if (asked === "cancel") return await this.#cancel();
    switch (status) {
      case "queued":
      case "building":
      case "catching_up":
      case "verifying":
      case "paused":
        return await this.#build();
      case "ready":
        return asked === "promote" ? await this.#promote() : { type: "done" };
      case "completed":
      case "rolled_back":
      case "cancelled":
      case "failed":
        return { type: "done" };
    }
  }

  async fail(code: string, message: string): Promise<JobOutcome> {
    await this.#endUnfinished({ status: "failed", error_code: code, error_message: message });
    return { type: "done" };
  }

  async #build(): Promise<JobOutcome> {
    const { acquire, failpoint } = this.#deps;
    const planned = await this.#plan();
    if (planned.type !== "planned") return planned;
    const { from, to } = planned;
    failpoint("migrate:planned");

    await this.#set({ status: "building", error_code: null, error_message: null });
    const added = await this.#addEverything(to);
    if (added !== null) return added;
    failpoint("migrate:built");

    // Loaded before the swap, so that the first search afterwards does not wait for it.
    await this.#set({ status: "catching_up" });
    using lease = await acquire(this.#row.store_id, to.id);
    const again = await this.#addEverything(to);
    if (again !== null) return again;

    await this.#set({ status: "verifying" });
    using current = await acquire(this.#row.store_id, from.id);
    const compared = { from, to, fromIndex: current.index, toIndex: lease.index, gate: this.#row.gate };
    const report = await compareGenerations(this.#deps, compared, this.#signal);
    if (report === null) return this.#signal.aborted ? { type: "interrupted" } : retry("migration_report");
    failpoint("migrate:verified");
    if (this.#row.dry_run || report.gate === "missed") {
      const completed_at = this.#deps.clock.nowSeconds();
      await this.#set({ status: "ready", report, completed_at });
      return { type: "done" };
    }
    return await this.#swap(planned, report);
  }

  async #promote(): Promise<JobOutcome> {
    const planned = await this.#plan();
    if (planned.type !== "planned") return planned;
    using _lease = await this.#deps.acquire(this.#row.store_id, planned.to.id);
    return await this.#swap(planned, this.#row.report);
  }

  async #plan(): Promise<Planned | JobOutcome> {
    const plan = await new MigrationPlan(this.#deps, this.#row).make(this.#signal);
    switch (plan.type) {
      case "planned":
      case "interrupted":
        return plan;
      case "away":
        return await this.#pause(plan);
      case "failed":
        return await this.fail(plan.code, plan.message);
    }
  }

  /** Null when the generation has everything; otherwise how this run of the job ends. */
  async #addEverything(to: GenerationRow): Promise<JobOutcome | null> {
    const { max_tokens: maxTokens, overlap_tokens: overlapTokens } = this.#row;
    const current = (await this.#current()) ?? this.#row;
    const strategy = maxTokens === null ? null : { maxTokens, overlapTokens: overlapTokens ?? 0 };
    const progress = new MigrationProgress(this.#deps, current);
    const freeChunks = current.status === "building" ? FREE_CHUNKS : 0;
    const result = await catchUp(this.#deps, { generation: to, strategy, progress, freeChunks }, this.#signal);
    switch (result.type) {
      case "done":
        return null;
      case "interrupted":
        return { type: "interrupted" };
      case "away":
        return await this.#pause(result);
      case "failed":
        return await this.fail("embedding_provider_error", `The new generation could not be built: ${result.detail}`);
    }
  }

  /** Flips the live generation as soon as nothing is missing in the new one. */
  async #swap(planned: Planned, report: MigrationReport | null): Promise<JobOutcome> {
    const { failpoint, loadedElsewhere } = this.#deps;
    await loadedElsewhere(planned.to, this.#signal);
    if (this.#signal.aborted) return { type: "interrupted" };
    for (;;) {
      const behind = await this.#addEverything(planned.to);
      if (behind !== null) return behind;
      failpoint("migrate:before-cutover");
      const outcome = await this.#flip(planned, report);
      if (outcome === "cancel") return await this.#cancel();
      if (outcome === "behind") continue;
      failpoint("migrate:after-cutover");
      return { type: "done" };
    }
  }

  async #flip({ from, to }: Planned, report: MigrationReport | null): Promise<"flipped" | "behind" | "cancel"> {
    const { storage, clock } = this.#deps;
    const { tenant_id: tenantId, id, retain_hours: retainHours } = this.#row;
    const wanted = this.#row.to_identity;
    const identity = { embeddingModel: wanted.embedding_model, embeddingDimensions: wanted.embedding_dimensions };
    const now = clock.nowSeconds();
    return await storage.transaction(async (tables) => {
      const current = await tables.migrations.ofJob(tenantId, id);
      if (current?.asked === "cancel") return "cancel";
      if (!(await cutOver(tables, from, to, identity))) return "behind";
      await tables.migrations.update(tenantId, id, {
        status: "completed",
        report,
        completed_at: now,
        rollback_until: now + retainHours * HOUR_SECONDS,
        asked: null,
      });
      return "flipped";
    });
  }

  /** Waits for a model that is away, and goes on by itself. */
  async #pause({ detail, retryAfterMs }: { detail: string; retryAfterMs: number | undefined }): Promise<JobOutcome> {
    await this.#set({ status: "paused", error_code: "embedding_model_unavailable", error_message: detail });
    return retryAfter(retryAfterMs, "migration_model", this.#attempt);
  }

  async #cancel(): Promise<JobOutcome> {
    await this.#endUnfinished({ status: "cancelled", error_code: null, error_message: null });
    this.#deps.failpoint("migrate:cancelled");
    return { type: "done" };
  }

  /** Ends a migration before its swap: the new generation goes, the store never noticed. */
  async #endUnfinished(changes: MigrationChanges): Promise<void> {
    const { storage, clock, forgetIndex } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId, id } = this.#row;
    await storage.transaction(async (tables, tx) => {
      const current = await tables.migrations.ofJob(tenantId, id);
      const ended = { ...changes, completed_at: clock.nowSeconds(), to_generation: null, asked: null };
      await tables.migrations.update(tenantId, id, ended);
      if (current?.to_generation == null) return;
      const to = await tables.generations.get(tenantId, current.to_generation);
      if (to === null || to.state === "live") return;
      await retireGeneration(tables, to);
      tx.onCommit(() => void forgetIndex(storeId, to.id));
    });
  }

  async #current(): Promise<MigrationRow | null> {
    return await this.#deps.storage.migrations.ofJob(this.#row.tenant_id, this.#row.id);
  }

  async #set(changes: MigrationChanges): Promise<void> {
    await this.#deps.storage.migrations.update(this.#row.tenant_id, this.#row.id, changes);
  }
}

/** A database that cannot be written counts, too: what was built can be given back in any case. */
function isLackOfRoom(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return isDiskFull(error) || code.startsWith("SQLITE_IOERR_WRITE");
}
