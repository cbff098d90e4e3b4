import type { Config } from "../config/config.ts";
import { createBuildGraphHandler } from "../jobs/build-graph.ts";
import { cachedPassages, type EmbedPassages } from "../jobs/cached-passages.ts";
import { type CatchUpDeps, createCatchUpHandler, scheduleCatchUp } from "../jobs/catch-up.ts";
import { EXTRACTIVE_MODEL } from "../answers/limits.ts";
import { answererOf } from "../answers/run-outcome.ts";
import type { LiveAnswers } from "../answers/live-answers.ts";
import type { Responding } from "../answers/responding.ts";
import { createAnswerHandler } from "../jobs/answer.ts";
import { endedElsewhere, endKey, WORK } from "../jobs/elsewhere.ts";
import { createEvaluateHandler } from "../jobs/evaluate.ts";
import { createFinishDeletionHandler } from "../jobs/finish-deletion.ts";
import { createIngestHandler } from "../jobs/ingest.ts";
import { IngestBrake } from "../jobs/ingest-brake.ts";
import { LocalWork } from "../jobs/local-work.ts";
import { SharedBrake } from "../jobs/shared-brake.ts";
import { Janitor } from "../jobs/janitor.ts";
import { createMigrateHandler, type MigrateDeps } from "../jobs/migrate.ts";
import type { FileProgress, ProgressBoard } from "../jobs/progress.ts";
import { createPurgeFileHandler, createPurgeStoreHandler, type PurgeDeps } from "../jobs/purge.ts";
import { createWriteImageHandler } from "../jobs/write-image.ts";
import { createReanalyzeHandler } from "../jobs/reanalyze.ts";
import { createRunHandler } from "../jobs/run.ts";
import { createRetireHandler } from "../jobs/retire.ts";
import { SharedProgress } from "../jobs/shared-progress.ts";
import { flipBack } from "../jobs/rollback.ts";
import { JobRunner, type JobHandler } from "../jobs/runner.ts";
import type { Models } from "../models/models.ts";
import type { Changes } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import { createFailpoint } from "../platform/failpoint.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import type { MeasuredSearch } from "../search/measured.ts";
import type { DeletionCheckDeps } from "../storage/deletion-check.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobKind, JobRow } from "../storage/jobs.ts";
import type { MigrationRow } from "../storage/migration-table.ts";
import type { Detached } from "../storage/removal.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import { answerMode, ANSWERS, EMBEDDED_TOKENS, EMBEDDING_CACHE } from "./metric-list.ts";
import type { Indexes } from "./open-indexes.ts";
import type { OpenStorage } from "./open-storage.ts";
import { OtherServers, ownCaches } from "./other-servers.ts";
import type { Workers } from "./start-workers.ts";

export interface JobParts {
  responding: Responding;
  live: LiveAnswers;
  data: OpenStorage;
  dataDir: string;
  workers: Workers;
  models: Models;
  indexes: Indexes;
  /** For evaluations and reports of migrations. */
  search: MeasuredSearch;
  changes: Changes;
  progress: ProgressBoard;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

/** What happens without a request, and what requests ask of it. Nothing runs before `start`. */
export interface Jobs extends AsyncDisposable {
  readonly runner: JobRunner;
  readonly deletionCheck: DeletionCheckDeps;
  /** Of files that are indexed, here or at another server of the database. */
  readonly progress: FileProgress;
  start(): Promise<void>;
  /** Builds a graph of this server alone, where jobs are shared with others. */
  buildHere(generation: GenerationRow): void;
  /** Files left these stores: indexes forget them, what works on them stops. Called in the turn of the commit. */
  detached(files: readonly Detached[]): void;
  /** The flip of a rollback, if nothing is missing in the old generation; loads its index first. */
  rollBackNow(migration: MigrationRow): Promise<boolean>;
  /** Chunks are added to a completed file: other generations are behind with it. Part of the transaction. */
  outdateFile(tables: Tables, file: StoreFileRow, generation: GenerationRow): Promise<void>;
  /** Chunks were added to a completed file: its index takes them. Called in the turn of the commit. */
  fileGrew(file: StoreFileRow, generation: GenerationRow): void;
}

const MB = 1024 * 1024;
const DAY_SECONDS = 86_400;
/** Runs of one tenant at the same time: one may wait for its files for a minute. */
const RUNS_OF_TENANT = 16;

/** Builds the jobs. `config` is read anew at every use where its settings may change while the server runs. */
export function createJobs(config: Config, parts: JobParts): Jobs {
  return new ServerJobs(config, parts);
}

class ServerJobs implements Jobs {
  readonly runner: JobRunner;
  readonly deletionCheck: DeletionCheckDeps;
  readonly progress: FileProgress & Partial<Disposable>;
  readonly #parts: JobParts;
  readonly #janitor: Janitor;
  readonly #migrate: MigrateDeps;
  readonly #graphs: JobHandler;
  /** Null where no others have the database. */
  readonly #others: OtherServers | null;
  /** Null where graphs are built by jobs. */
  readonly #local: LocalWork | null;

  constructor(config: Config, parts: JobParts) {
    const { data, clock, log, metrics } = parts;
    const { storage, blobs, parsed } = data;
    const { replica } = data;
    const unwritten = (error: unknown) =>
      log.error("what may enter a store is not written down", { error: String(error) });
    const brake =
      replica === null ? new IngestBrake(() => this.runner.wake()) : new SharedBrake(storage.migrations, unwritten);
    this.#parts = parts;
    this.#graphs = this.#graphHandler();
    this.#local = replica === null ? null : new LocalWork(this.#graphs, log);
    const forgetStore = (storeId: string) => this.#forgetStore(storeId);
    const others = replica === null ? null : new OtherServers({ ...parts, replica, forgetStore });
    this.#others = others;
    this.#migrate = migrateDeps(config, parts, { brake, others });
    this.deletionCheck = {
      ...ownCaches(data, parts.indexes),
      storage,
      blobs,
      elsewhere: others === null ? null : (row, isEnding) => others.caches.ask(row, isEnding),
    };
    const owner = replica?.id ?? newId("req_");
    const { progress: board } = parts;
    this.progress = data.bus === null ? board : new SharedProgress({ jobs: storage.jobs, board, owner });
    this.runner = new JobRunner({
      jobs: storage.jobs,
      clock,
      log,
      metrics,
      owner,
      shared: replica,
      handlers: [...this.#fileHandlers(config, brake), ...this.#removalHandlers(), ...this.#otherHandlers()].map(
        (handler) => this.#endedAnywhere(handler),
      ),
      heldStores: (kind) => (kind === "ingest" ? brake.held() : []),
      tenantLimit: async (kind, tenantId) => {
        if (kind === "evaluate") return 1;
        if (kind === "run") return RUNS_OF_TENANT;
        return kind === "ingest" ? await ingestLimit(storage, config, tenantId) : null;
      },
    });
    parts.workers.parse.onFree(() => this.runner.wake());
    parts.changes.onNotify(WORK, () => this.runner.wake());
    this.#janitor = new Janitor({
      storage,
      blobs,
      parsed,
      clock,
      log,
      graceSeconds: () => config.expiredGraceDays * DAY_SECONDS,
      embeddingCacheBytes: () => (config.embeddingCache === "off" ? 0 : config.embeddingCacheMb * MB),
      queryLog: () => ({ days: config.queryLogDays, rows: config.queryLogRows, bytes: config.queryLogMb * MB }),
      responseDays: () => config.responseDays,
      threadDays: () => config.threadDays,
      runExpired: (run) => {
        this.runner.cancel("run", run.id);
        for (const key of [run.id, endKey(run.id)]) parts.changes.notify(key);
        metrics.count(ANSWERS, { mode: answerMode(answererOf(run)), end: "expired" });
      },
      detached: (files) => this.detached(files),
      wakeJobs: () => this.runner.wake(),
      ...others?.upkeep(),
    });
  }

  async start(): Promise<void> {
    this.#others?.start();
    this.#janitor.start();
    await this.runner.start();
  }

  buildHere(generation: GenerationRow): void {
    this.#local?.schedule(generation);
  }

  detached(files: readonly Detached[]): void {
    const { indexes, changes } = this.#parts;
    for (const { storeId, storeFile } of files) {
      this.runner.cancel("ingest", String(storeFile));
      indexes.removeFile(storeId, storeFile);
      changes.notify(storeId);
    }
  }

  async rollBackNow(migration: MigrationRow): Promise<boolean> {
    const { data, indexes } = this.#parts;
    const { generations } = data.storage;
    const { tenant_id, from_generation, to_generation } = migration;
    const old = await generations.get(tenant_id, from_generation);
    const live = to_generation === null ? null : await generations.get(tenant_id, to_generation);
    if (old === null || live === null) return false;
    using _lease = await indexes.registry.acquire(migration.store_id, old.id);
    return await flipBack(this.#migrate, migration, { live, old });
  }

  async outdateFile(tables: Tables, file: StoreFileRow, generation: GenerationRow): Promise<void> {
    await tables.generationFiles.outdateElsewhere(file.seq, generation);
    for (const other of await tables.generations.ofStore(file.tenant_id, file.store_id)) {
      if (other.state === "retained") await scheduleCatchUp(tables, other);
    }
  }

  fileGrew(file: StoreFileRow, generation: GenerationRow): void {
    this.runner.wake();
    this.#parts.indexes.growFile(file, generation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.progress[Symbol.dispose]?.();
    await this.#others?.[Symbol.asyncDispose]();
    await this.#janitor[Symbol.asyncDispose]();
    await this.runner[Symbol.asyncDispose]();
    await this.#local?.[Symbol.asyncDispose]();
  }

  #fileHandlers(config: Config, brake: IngestBrake | SharedBrake): JobHandler[] {
    const { data, workers, indexes, changes, progress, clock } = this.#parts;
    const { storage } = data;
    const ingest = createIngestHandler({
      ...data,
      parse: workers.parse,
      embed: this.#migrate.embed,
      index: indexes.writes,
      changed: changes.notify,
      progress,
      clock,
      concurrency: config.parseWorkers + config.embedWorkers,
    });
    const chunksOf = async ({ tenant_id, subject }: { tenant_id: string; subject: string }) =>
      (await storage.storeFiles.bySeq(tenant_id, Number(subject)))?.n_chunks ?? 0;
    return [brake.watch(ingest, chunksOf), createMigrateHandler(this.#migrate), createCatchUpHandler(this.#migrate)];
  }

  /** What a request ends is ended at whichever server that comes to. */
  #endedAnywhere(handler: JobHandler): JobHandler {
    const { data, changes } = this.#parts;
    const { responses, runs, migrations } = data.storage;
    const isUnderWay = (status: string | undefined) => status === "queued" || status === "in_progress";
    const ends: Partial<Record<JobKind, (job: JobRow) => Promise<boolean>>> = {
      answer: async ({ tenant_id, subject }) => !isUnderWay((await responses.get(tenant_id, subject))?.status),
      run: async ({ tenant_id, subject }) => !isUnderWay((await runs.get(tenant_id, subject))?.status),
      migrate: async ({ tenant_id, subject }) => (await migrations.ofJob(tenant_id, subject))?.asked === "cancel",
    };
    const isOver = ends[handler.kind];
    return data.bus === null || isOver === undefined ? handler : endedElsewhere(handler, changes, isOver);
  }

  async #forgetStore(storeId: string): Promise<void> {
    this.#local?.cancelStore(storeId);
    await this.#parts.indexes.forgetStore(storeId);
  }

  #removalHandlers(): JobHandler[] {
    const { data, indexes, clock } = this.#parts;
    const purge: PurgeDeps = {
      ...data,
      removeIndexFiles: (storeId) => this.#forgetStore(storeId),
      cancelStore: (storeId) => this.runner.cancelStore(storeId),
    };
    return [
      createRetireHandler({
        storage: data.storage,
        failpoint: this.#migrate.failpoint,
        forgetIndex: this.#migrate.forgetIndex,
        removeGraph: (generation) => indexes.removeGraph(generation),
      }),
      createPurgeFileHandler(purge),
      createPurgeStoreHandler(purge),
      createFinishDeletionHandler({
        ...this.deletionCheck,
        ...data,
        clock,
        renewImages: (storeId, atSeconds, atOnce) => indexes.renewImages(storeId, atSeconds, atOnce),
      }),
    ];
  }

  /** Images are made of a file: where the database is none there are none. */
  #imageHandlers(): JobHandler[] {
    const { data, dataDir, workers, indexes, clock, log } = this.#parts;
    if (data.embedded === null) return [];
    return [
      createWriteImageHandler({
        storage: data.storage,
        dataDir,
        database: data.embedded.path,
        lane: workers.images,
        clock,
        log,
        peek: (storeId, generation) => indexes.registry.peek(storeId, generation),
        refresh: (storeId, generation) => indexes.registry.refresh(storeId, generation),
        ended: (generation, end) => indexes.imageEnded(generation, end),
      }),
    ];
  }

  #graphHandler(): JobHandler {
    const { data, dataDir, workers, indexes, log } = this.#parts;
    return createBuildGraphHandler({
      storage: data.storage,
      dataDir,
      natives: workers.natives,
      lane: workers.graphs,
      log,
      acquire: (storeId, generation) => indexes.registry.acquire(storeId, generation),
    });
  }

  #otherHandlers(): JobHandler[] {
    const { responding, live, data, workers, indexes, search, changes, clock, log, metrics } = this.#parts;
    const { storage } = data;
    return [
      ...(this.#local === null ? [this.#graphs] : []),
      ...this.#imageHandlers(),
      createEvaluateHandler({ storage, clock, search }),
      createAnswerHandler({
        storage,
        clock,
        log,
        responding,
        live,
        changed: changes.notify,
        onEnd: (end, { request }, outcome) => {
          const mode = answerMode(outcome.model ?? request.model ?? EXTRACTIVE_MODEL);
          metrics.count(ANSWERS, { mode, end });
        },
      }),
      createRunHandler({
        storage,
        clock,
        log,
        responding,
        changes,
        onEnd: (end, model) => metrics.count(ANSWERS, { mode: answerMode(model), end }),
      }),
      createReanalyzeHandler({
        storage,
        parse: workers.parse,
        failpoint: this.#migrate.failpoint,
        apply: (storeId, generation, write) => indexes.registry.apply(storeId, generation, write),
      }),
    ];
  }
}

function migrateDeps(
  config: Config,
  parts: JobParts,
  { brake, others }: { brake: IngestBrake | SharedBrake; others: OtherServers | null },
): MigrateDeps {
  const { data, dataDir, workers, models, indexes, search, changes, clock } = parts;
  const { registry } = indexes;
  const catchUp: CatchUpDeps = {
    ...data,
    parse: workers.parse,
    embed: passageEmbedding(config, parts),
    openIndex: async ({ store_id, id }) => (registry.has(store_id, id) ? await registry.acquire(store_id, id) : null),
    indexGrew: (generation) => indexes.touch(generation),
    brake,
  };
  return {
    ...catchUp,
    dataDir,
    clock,
    failpoint: createFailpoint(config.testFailpoint),
    embedQuery: (model, text, asker) => models.embedQuery(model, text, asker),
    search,
    acquire: (storeId, generation) => indexes.acquireNow(storeId, generation),
    changed: changes.notify,
    loadedElsewhere: async (generation, signal) => await others?.loads.wait(generation, signal),
    forgetIndex: (storeId, generation) => registry.retire(storeId, generation),
  };
}

/** Vectors of passages, from the cache of vectors or from the model, and counted. */
function passageEmbedding(config: Config, { data, models, metrics }: JobParts): EmbedPassages {
  return cachedPassages({
    embed: async (model, texts, asker) => {
      const embedded = await models.embedPassages(model, texts, asker);
      const tokens = embedded.ok ? embedded.texts.reduce((sum, text) => sum + text.tokens, 0) : 0;
      metrics.count(EMBEDDED_TOKENS, { model: model.id }, tokens);
      return embedded;
    },
    batching: (model) => models.passageBatching(model),
    cache: data.storage.embeddingCache,
    isCached: ({ id }) =>
      config.embeddingCache === "all" || (config.embeddingCache === "remote" && models.info(id)?.location === "remote"),
    onLookup: (found, missing) => {
      metrics.count(EMBEDDING_CACHE, { found: "yes" }, found);
      metrics.count(EMBEDDING_CACHE, { found: "no" }, missing);
    },
  });
}

/** Files of a tenant that may be indexed at the same time. */
async function ingestLimit(storage: Storage, config: Config, tenantId: string): Promise<number | null> {
  const tenant = await storage.tenants.get(tenantId);
  const own = tenant === null ? null : tenant.quotas.concurrent_ingests;
  return own ?? config.maxTeamIngests;
}
