import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { EmbedFailure } from "../embed/provider.ts";
import type { IndexLease } from "../index/registry.ts";
import type { Clock } from "../platform/clock.ts";
import { holdDiskSpace } from "../platform/disk-reserve.ts";
import type { Failpoint } from "../platform/failpoint.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobRow } from "../storage/jobs.ts";
import type { MigrationChanges, MigrationReport, MigrationRow } from "../storage/migration-table.ts";
import type { Tx } from "../storage/sql.ts";
import { type Tables, tablesOf } from "../storage/storage.ts";
import { cutOver, retireGeneration } from "../storage/cutover.ts";
import { catchUp, type CatchUpDeps, NO_PROGRESS } from "./catch-up.ts";
import { compareGenerations, type ReportDeps } from "./migration-report.ts";
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
export interface MigrateDeps extends CatchUpDeps, ReportDeps {
  dataDir: string;
  clock: Clock;
  failpoint: Failpoint;
  /** Loads an index ahead of its first search. */
  acquire(storeId: string, generation: number): Promise<IndexLease>;
  changed(storeId: string): void;
  /** The generation is out of use: its index leaves memory when its last reader has ended. */
  forgetIndex(storeId: string, generation: number): Promise<void>;
}

/** New files of so many chunks enter the store at once while it is built; others may have to wait. */
const FREE_CHUNKS = 256;
const VERIFY_RETRY_MS = 5_000;
const AWAY_RETRY_MS = [2_000, 5_000, 15_000];
const LONGEST_AWAY_MS = 60_000;
/** Free space that must be left when a migration begins, in proportion to what it will write. */
const FREE_SPACE_FACTOR = 2;
const SQLITE_FULL = "SQLITE_FULL";

export function createMigrateHandler(deps: MigrateDeps): JobHandler {
  return { kind: "migrate", concurrency: 2, run: (job, signal) => migrate(deps, job, signal) };
}

async function migrate(deps: MigrateDeps, job: JobRow, signal: AbortSignal): Promise<JobOutcome> {
  const { storage, changed } = deps;
  const read = () => storage.migrations.ofJob(job.tenant_id, job.subject);
  const row = await read();
  if (row === null) return { type: "done" };
  using reserve = holdDiskSpace(join(deps.dataDir, "tmp", `reserve-${row.id}`));
  try {
    return await step(deps, row, job.attempt, signal);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    reserve.release();
    await fail(
      deps,
      (await read()) ?? row,
      "insufficient_storage",
      "There was not enough disk space to build the new generation.",
    );
    return { type: "done" };
  } finally {
    changed(row.store_id);
  }
}

async function step(deps: MigrateDeps, row: MigrationRow, attempt: number, signal: AbortSignal): Promise<JobOutcome> {
  if (row.asked === "rollback") return await rollBack(deps, row, attempt, signal);
  if (row.asked === "cancel") return await cancel(deps, row);
  switch (row.status) {
    case "queued":
    case "building":
    case "catching_up":
    case "verifying":
    case "paused":
      return await build(deps, row, attempt, signal);
    case "ready":
      return row.asked === "promote" ? await promote(deps, row, attempt, signal) : { type: "done" };
    case "completed":
    case "rolled_back":
    case "cancelled":
    case "failed":
      return { type: "done" };
  }
}

async function build(deps: MigrateDeps, row: MigrationRow, attempt: number, signal: AbortSignal): Promise<JobOutcome> {
  const { clock, failpoint } = deps;
  const set = setter(deps.storage, row);
  const planned = await plan(deps, row, attempt, signal);
  if (planned.type !== "planned") return planned;
  const { from, to } = planned;
  failpoint("migrate:planned");

  await set({ status: "building", error_code: null, error_message: null });
  const added = await addEverything(deps, row, to, attempt, signal);
  if (added !== null) return added;
  failpoint("migrate:built");

  // Loaded before the swap, so that the first search afterwards does not wait for it.
  await set({ status: "catching_up" });
  using lease = await deps.acquire(row.store_id, to.id);
  const again = await addEverything(deps, row, to, attempt, signal);
  if (again !== null) return again;

  await set({ status: "verifying" });
  using current = await deps.acquire(row.store_id, from.id);
  const report = await compareGenerations(
    deps,
    { from, to, fromIndex: current.index, toIndex: lease.index },
    row.gate,
    signal,
  );
  if (report === null) return signal.aborted ? { type: "interrupted" } : { type: "retry", inMs: VERIFY_RETRY_MS };
  failpoint("migrate:verified");
  if (row.dry_run || report.gate === "missed") {
    await set({ status: "ready", report, completed_at: clock.nowSeconds() });
    return { type: "done" };
  }
  return await swap(deps, row, { from, to }, report, attempt, signal);
}

type Planned = { type: "planned"; from: GenerationRow; to: GenerationRow };

/** Checks room and model, and makes the generation's row; found again when it was made before. */
async function plan(
  deps: MigrateDeps,
  row: MigrationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<Planned | JobOutcome> {
  const { storage, clock } = deps;
  const from = await storage.generations.get(row.tenant_id, row.from_generation);
  if (from === null) return await fail(deps, row, "internal_error", "The generation to migrate from is gone.");
  if (row.to_generation !== null) {
    const to = await storage.generations.get(row.tenant_id, row.to_generation);
    return to === null
      ? await fail(deps, row, "internal_error", "The new generation is gone.")
      : { type: "planned", from, to };
  }
  const wanted = row.to_identity;
  const room = await enoughRoom(deps, row, wanted.dimensions);
  if (!room)
    return await fail(
      deps,
      row,
      "insufficient_storage",
      "There is not enough free disk space for a second generation beside the live one.",
    );
  const model = { id: wanted.model, revision: wanted.model_revision, dimensions: wanted.dimensions };
  const probe = await deps.embed.embed(model, ["A probe before the work begins."], signal, null);
  if (!probe.ok) {
    if (probe.reason === "aborted") return { type: "interrupted" };
    const detail = `The model '${wanted.model}' does not answer: ${probe.detail}`;
    if (isPassing(probe)) return pause(deps, row, { detail, retryAfterMs: probe.retryAfterMs }, attempt);
    const isWrong = probe.reason === "rejected" || probe.reason === "too_long";
    return await fail(deps, row, isWrong ? "embedding_provider_error" : "embedding_model_unavailable", detail);
  }
  const to = await storage.transaction(async (tables) => {
    const generation = await tables.generations.insert({
      tenantId: row.tenant_id,
      storeId: row.store_id,
      model: wanted.model,
      modelRevision: wanted.model_revision,
      dimensions: wanted.dimensions,
      chunkSet: row.max_tokens === null ? from.chunk_set : null,
      state: "building",
      createdAt: clock.nowSeconds(),
    });
    await setter(tables, row)({ to_generation: generation.id, started_at: clock.nowSeconds() });
    return generation;
  });
  return { type: "planned", from, to };
}

/** Whether waiting can help. */
function isPassing(failure: EmbedFailure): boolean {
  return failure.reason === "overloaded" || (failure.reason === "unavailable" && failure.isLasting !== true);
}

/** Waits for a model that is away, and goes on by itself. */
async function pause(
  deps: MigrateDeps,
  row: MigrationRow,
  { detail, retryAfterMs }: { detail: string; retryAfterMs: number | undefined },
  attempt: number,
): Promise<JobOutcome> {
  await setter(
    deps.storage,
    row,
  )({ status: "paused", error_code: "embedding_model_unavailable", error_message: detail });
  return { type: "retry", inMs: retryAfterMs ?? awayRetryMs(attempt) };
}

function awayRetryMs(attempt: number): number {
  return AWAY_RETRY_MS[Math.min(attempt, AWAY_RETRY_MS.length) - 1] ?? LONGEST_AWAY_MS;
}

async function enoughRoom(deps: MigrateDeps, row: MigrationRow, dimensions: number): Promise<boolean> {
  const store = await deps.storage.stores.get(row.tenant_id, row.store_id);
  if (store === null) return false;
  const vectors = store.n_vectors * dimensions * 4;
  const needed = row.max_tokens === null ? vectors : vectors + store.usage_bytes;
  const { bavail, bsize } = await statfs(deps.dataDir);
  return bavail * bsize >= needed * FREE_SPACE_FACTOR;
}

/** Null when the generation has everything; otherwise how this run of the job ends. */
async function addEverything(
  deps: MigrateDeps,
  row: MigrationRow,
  to: GenerationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<JobOutcome | null> {
  const { storage, failpoint } = deps;
  const current = (await storage.migrations.ofJob(row.tenant_id, row.id)) ?? row;
  let { files_done, chunks_done, tokens } = current;
  const progress = {
    chunked: () => failpoint("migrate:file-chunked"),
    async file(tables: Tables, tx: Tx) {
      await setter(tables, row)({ files_done: ++files_done });
      tx.onCommit(() => failpoint("migrate:file-done"));
    },
    async chunks(count: number, tables: Tables, tx: Tx) {
      await setter(tables, row)({ chunks_done: (chunks_done += count) });
      tx.onCommit(() => failpoint("migrate:vectors-added"));
    },
    async tokens(count: number, tx: Tx | null) {
      const add = (tables: Tables) => setter(tables, row)({ tokens: (tokens += count) });
      await (tx === null ? storage.transaction(add, "work") : add(tablesOf(tx)));
    },
  };
  const strategy =
    row.max_tokens === null ? null : { maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens ?? 0 };
  const freeChunks = current.status === "building" ? FREE_CHUNKS : 0;
  const result = await catchUp(deps, to, { strategy, progress, freeChunks }, signal);
  switch (result.type) {
    case "done":
      return null;
    case "interrupted":
      return { type: "interrupted" };
    case "away":
      return pause(deps, row, result, attempt);
    case "failed":
      return await fail(
        deps,
        row,
        "embedding_provider_error",
        `The new generation could not be built: ${result.detail}`,
      );
  }
}

async function promote(
  deps: MigrateDeps,
  row: MigrationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const planned = await plan(deps, row, attempt, signal);
  if (planned.type !== "planned") return planned;
  using _lease = await deps.acquire(row.store_id, planned.to.id);
  return await swap(deps, row, planned, row.report, attempt, signal);
}

/** Flips the live generation as soon as nothing is missing in the new one. */
async function swap(
  deps: MigrateDeps,
  row: MigrationRow,
  { from, to }: { from: GenerationRow; to: GenerationRow },
  report: MigrationReport | null,
  attempt: number,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { storage, clock, failpoint } = deps;
  const wanted = row.to_identity;
  const identity = { embeddingModel: wanted.embedding_model, embeddingDimensions: wanted.embedding_dimensions };
  for (;;) {
    const behind = await addEverything(deps, row, to, attempt, signal);
    if (behind !== null) return behind;
    failpoint("migrate:before-cutover");
    const now = clock.nowSeconds();
    const outcome = await storage.transaction(async (tables) => {
      const current = await tables.migrations.ofJob(row.tenant_id, row.id);
      if (current?.asked === "cancel") return "cancel";
      if (!(await cutOver(tables, from, to, identity))) return "behind";
      await setter(
        tables,
        row,
      )({
        status: "completed",
        report,
        completed_at: now,
        rollback_until: now + row.retain_hours * 3600,
        asked: null,
      });
      return "flipped";
    });
    if (outcome === "cancel") return await cancel(deps, row);
    if (outcome === "behind") continue;
    failpoint("migrate:after-cutover");
    return { type: "done" };
  }
}

/** The old generation is brought up to date, if it is not already, and goes live again. */
async function rollBack(
  deps: MigrateDeps,
  row: MigrationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { storage } = deps;
  const old = await storage.generations.get(row.tenant_id, row.from_generation);
  const live = row.to_generation === null ? null : await storage.generations.get(row.tenant_id, row.to_generation);
  if (row.status !== "completed" || old === null || live === null) return { type: "done" };
  using _lease = await deps.acquire(row.store_id, old.id);
  for (;;) {
    const result = await catchUp(deps, old, { strategy: null, progress: NO_PROGRESS, freeChunks: 0 }, signal);
    if (result.type === "interrupted") return { type: "interrupted" };
    if (result.type !== "done") {
      await setter(deps.storage, row)({ error_code: "embedding_model_unavailable", error_message: result.detail });
      return { type: "retry", inMs: awayRetryMs(attempt) };
    }
    if (await flipBack(deps, row, live, old)) break;
    // Another request was quicker.
    if ((await storage.migrations.ofJob(row.tenant_id, row.id))?.status !== "completed") return { type: "done" };
  }
  await deps.forgetIndex(row.store_id, live.id);
  return { type: "done" };
}

/**
 * The flip of a rollback alone; false when files are missing in the old generation, or when it was rolled back meanwhile.
 * Also used by the API, to be instant.
 */
export async function flipBack(
  { storage, clock, failpoint }: Pick<MigrateDeps, "storage" | "clock" | "failpoint">,
  row: MigrationRow,
  live: GenerationRow,
  old: GenerationRow,
): Promise<boolean> {
  const was = row.from_identity;
  const identity = { embeddingModel: was.embedding_model, embeddingDimensions: was.embedding_dimensions };
  failpoint("migrate:before-rollback");
  const flipped = await storage.transaction(async (tables) => {
    // What one rollback has retired is being removed: another must not make it a generation to go back to.
    const current = await tables.migrations.ofJob(row.tenant_id, row.id);
    if (current?.status !== "completed" || !(await cutOver(tables, live, old, identity))) return false;
    await tables.migrations.update(row.tenant_id, row.id, {
      status: "rolled_back",
      rolled_back_at: clock.nowSeconds(),
      rollback_until: null,
      asked: null,
      error_code: null,
      error_message: null,
    });
    await retireGeneration(tables, live);
    return true;
  });
  if (flipped) failpoint("migrate:after-rollback");
  return flipped;
}

async function cancel(deps: MigrateDeps, row: MigrationRow): Promise<JobOutcome> {
  await endUnfinished(deps, row, { status: "cancelled", error_code: null, error_message: null });
  deps.failpoint("migrate:cancelled");
  return { type: "done" };
}

async function fail(deps: MigrateDeps, row: MigrationRow, code: string, message: string): Promise<JobOutcome> {
  await endUnfinished(deps, row, { status: "failed", error_code: code, error_message: message });
  return { type: "done" };
}

/** Ends a migration before its swap: the new generation goes, the store never noticed. */
async function endUnfinished(deps: MigrateDeps, row: MigrationRow, changes: MigrationChanges): Promise<void> {
  const { storage, clock } = deps;
  await storage.transaction(async (tables, tx) => {
    const current = await tables.migrations.ofJob(row.tenant_id, row.id);
    await setter(tables, row)({ ...changes, completed_at: clock.nowSeconds(), to_generation: null, asked: null });
    if (current?.to_generation == null) return;
    const to = await tables.generations.get(row.tenant_id, current.to_generation);
    if (to === null || to.state === "live") return;
    await retireGeneration(tables, to);
    tx.onCommit(() => void deps.forgetIndex(row.store_id, to.id));
  });
}

function setter({ migrations }: Pick<Tables, "migrations">, row: MigrationRow) {
  return (changes: MigrationChanges) => migrations.update(row.tenant_id, row.id, changes);
}

function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code === SQLITE_FULL || code === "ENOSPC" || code.startsWith("SQLITE_IOERR_WRITE");
}
