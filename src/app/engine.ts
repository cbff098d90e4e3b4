import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { lanesOf, registerGauges } from "./engine-gauges.ts";
import { openDatabase, openNatives } from "./engine-start.ts";
import { createEvaluateHandler } from "../jobs/evaluate.ts";
import { createIngestHandler, type IndexWrites } from "../jobs/ingest.ts";
import type { MeasuredSearch } from "../search/measured.ts";
import {
  attachGraph,
  createBuildGraphHandler,
  removeGraphsOfStore,
  graphDirectory,
  removeStrayGraphs,
} from "../jobs/build-graph.ts";
import { GraphWatch } from "../jobs/graph-watch.ts";
import { retireDirectory } from "../index/generation.ts";
import { type CatchUpDeps, createCatchUpHandler, scheduleCatchUp } from "../jobs/catch-up.ts";
import { IngestBrake } from "../jobs/ingest-brake.ts";
import { Janitor } from "../jobs/janitor.ts";
import { addSlice, loadIndex, replaceFile } from "../jobs/load-index.ts";
import { createMigrateHandler, type MigrateDeps } from "../jobs/migrate.ts";
import { createRetireHandler } from "../jobs/retire.ts";
import { flipBack } from "../jobs/rollback.ts";
import { ProgressBoard } from "../jobs/progress.ts";
import { createFinishDeletionHandler } from "../jobs/finish-deletion.ts";
import { createPurgeFileHandler, createPurgeStoreHandler, type PurgeDeps } from "../jobs/purge.ts";
import { scheduleModelUpgrade } from "../jobs/upgrade-model.ts";
import { JobRunner } from "../jobs/runner.ts";
import { IndexRegistry } from "../index/registry.ts";
import { resolveHost } from "../embed/remote/address.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import { countRerank } from "./rerank-metrics.ts";
import { countUsage, providerLimits, remoteSources } from "../models/remote-models.ts";
import { createChanges } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import { createFailpoint } from "../platform/failpoint.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { createBlobs } from "../storage/blobs.ts";
import { createParsedCache } from "../storage/parsed.ts";
import type { MigrationRow } from "../storage/migration-table.ts";
import type { DeletionCheckDeps } from "../storage/deletion-check.ts";
import { parseQuotas } from "../storage/tenants.ts";
import type { Detached } from "../storage/removal.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { StoreRow } from "../storage/stores.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import { createStorage, type Storage, type Tables } from "../storage/storage.ts";
import { GraphLane } from "../workers/graph-lane.ts";
import { cachedPassages } from "../jobs/cached-passages.ts";
import { BUNDLED_MODEL, Models } from "../models/models.ts";
import { NativeLanes } from "../workers/native-lane.ts";
import { Ocr } from "../workers/ocr.ts";
import { ParseLane } from "../workers/parse-lane.ts";

/**
 * Everything below the API, wired with plain constructors: storage, lanes, models, indexes, jobs.
 * Torn down in reverse order: first what makes work, then the lanes that do it, the database last.
 */
export interface EngineOptions {
  config: Config;
  /** Absolute; held by this process. */
  dataDir: string;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

export type Engine = Awaited<ReturnType<typeof createEngine>>;

const MB = 1024 * 1024;
const QUERY_CACHE_BYTES = 64 * MB;

export async function createEngine({ config, dataDir, clock, log, metrics }: EngineOptions) {
  await using stack = new AsyncDisposableStack();
  const database = openDatabase(join(dataDir, "meta.sqlite"), log);
  stack.defer(() => database.close());
  const storage = createStorage(database);
  const blobs = createBlobs(dataDir);
  const parsed = createParsedCache(dataDir);
  const changes = createChanges();
  const progress = new ProgressBoard((stage, seconds) =>
    metrics.observe("lectern_ingest_stage_seconds", seconds, { stage }),
  );
  const failpoint = createFailpoint(config.testFailpoint);

  const natives = await openNatives(dataDir, config.nativeLevel);
  const lanes = stack.use(
    new NativeLanes({
      natives,
      ingestWorkers: config.embedWorkers,
      queryThreads: 1,
      rerankThreads: config.rerankThreads,
    }),
  );
  const parse = stack.use(
    new ParseLane({
      workers: config.parseWorkers,
      deadlineMs: config.maxFileParseSeconds * 1000,
      memoryBytes: config.parseMemoryMb * MB,
      limits: { ...DEFAULT_LIMITS, maxTextLength: config.maxFileTextMb * MB },
      ocr: new Ocr({
        program: () => (config.ocr === "off" ? null : Bun.which("tesseract")),
        languages: config.ocrLanguages,
        maxPages: config.maxOcrPages,
        maxSeconds: config.maxOcrSeconds,
        slots: Math.max(1, config.parseWorkers >> 1),
        memoryBytes: config.parseMemoryMb * MB,
      }),
    }),
  );
  const models = new Models({
    lanes,
    directory: join(dataDir, "models"),
    defaultModel: config.defaultModel,
    defaultRanker: config.defaultRanker,
    defaultAliases: !config.noDefaultAliases,
    aliases: config.modelNames,
    remote: {
      sources: remoteSources(config, dataDir),
      access: {
        policy: { allowPrivate: config.allowPrivateAddresses, offline: config.offline },
        resolve: resolveHost,
      },
      limits: providerLimits(config),
      onUsage: (model, usage) => countUsage(metrics, model, usage),
    },
    onRerank: (use) => countRerank(metrics, use),
    ingestWorkers: config.embedWorkers,
    queryCache: { maxBytes: QUERY_CACHE_BYTES, maxEntries: config.queryCacheEntries },
    log,
  });
  await models.start();
  const bundled = models.info(BUNDLED_MODEL);
  if (bundled !== null)
    await scheduleModelUpgrade(storage, { id: BUNDLED_MODEL, revision: bundled.revision }, clock, log);

  const graphs = stack.use(new GraphLane(natives));
  const graphWatch = stack.use(
    new GraphWatch({
      storage,
      tryAcquire: (storeId, generation) => indexes.tryAcquire(storeId, generation),
      wakeJobs: () => runner.wake(),
    }),
  );
  const indexes = new IndexRegistry({
    budgetBytes: config.indexMemoryMb * MB,
    load: async (storeId, generationId, signal) => {
      const generation = await storage.generations.byId(generationId);
      if (generation === null || generation.store_id !== storeId) throw new Error(`generation ${generationId} is gone`);
      const index = await loadIndex({ storage, graphFrom: config.hnswThreshold }, generation, signal);
      const mode = (await storage.stores.get(generation.tenant_id, storeId))?.index_mode;
      index.setKind(mode ?? "auto");
      await attachGraph({ dataDir, natives, log }, generation, index);
      graphWatch.touch(generation);
      return index;
    },
  });
  stack.defer(() => indexes.close());

  const indexWrites: IndexWrites = {
    addChunks: (file, generation, slice) => {
      indexes.apply(file.store_id, generation.id, (index) => addSlice(index, file, slice));
      graphWatch.touch(generation);
    },
    removeFile: (storeId, generation, storeFile) =>
      indexes.apply(storeId, generation, (index) => index.removeFile(storeFile)),
    loadOf: (storeId, generation) => indexes.loadOf(storeId, generation),
    replaceFile: ({ store_id, seq }, generation) =>
      indexes.apply(store_id, generation.id, (index) => replaceFile(storage.indexReads, index, { generation, seq })),
  };
  const embedPassages = cachedPassages({
    embed: async (model, texts, signal) => {
      const embedded = await models.embedPassages(model, texts, signal);
      const tokens = embedded.ok ? embedded.texts.reduce((sum, text) => sum + text.tokens, 0) : 0;
      metrics.count("lectern_embedded_tokens_total", { model: model.id }, tokens);
      return embedded;
    },
    batching: (model) => models.passageBatching(model),
    cache: storage.embeddingCache,
    isCached: ({ id }) =>
      config.embeddingCache === "all" || (config.embeddingCache === "remote" && models.info(id)?.location === "remote"),
    onLookup: (found, missing) => {
      metrics.count("lectern_embedding_cache_total", { found: "yes" }, found);
      metrics.count("lectern_embedding_cache_total", { found: "no" }, missing);
    },
  });
  const brake = new IngestBrake(() => runner.wake());
  const catchUpDeps: CatchUpDeps = {
    storage,
    blobs,
    parsed,
    parse,
    embed: embedPassages,
    openIndex: async ({ store_id, id }) => (indexes.has(store_id, id) ? await indexes.acquire(store_id, id) : null),
    indexGrew: (generation) => graphWatch.touch(generation),
    brake,
  };
  // The API's own, which is made later; nothing runs before `runner.start`.
  let apiSearch: MeasuredSearch | null = null;
  const search: MeasuredSearch = (asked, signal) => {
    if (apiSearch === null) throw new Error("jobs were started without a search");
    return apiSearch(asked, signal);
  };
  const migrateDeps: MigrateDeps = {
    ...catchUpDeps,
    dataDir,
    clock,
    failpoint,
    embedQuery: (model, text, signal) => models.embedQuery(model, text, signal),
    search,
    acquire: (storeId, generation) => indexes.acquire(storeId, generation),
    changed: changes.notify,
    forgetIndex: (storeId, generation) => indexes.retire(storeId, generation),
  };
  // Searches hold a lease while they run, so that the index is closed when the last of them has ended.
  const forgetIndexes = async (storeId: string) => {
    for (const generation of await storage.generations.idsOfStore(storeId)) await indexes.retire(storeId, generation);
    removeGraphsOfStore(dataDir, storeId);
  };
  await removeStrayGraphs(storage, dataDir);
  const purge: PurgeDeps = {
    storage,
    removeIndexFiles: forgetIndexes,
    cancelStore: (storeId) => runner.cancelStore(storeId),
  };
  const deletionCheck: DeletionCheckDeps = {
    storage,
    blobs,
    parsed,
    inMemory: (storeId, storeFile) => indexes.holds(storeId, (index) => storeFile === null || index.hasFile(storeFile)),
  };
  const ingest = createIngestHandler({
    storage,
    blobs,
    parsed,
    parse,
    embed: embedPassages,
    index: indexWrites,
    changed: changes.notify,
    progress,
    clock,
    concurrency: config.parseWorkers + config.embedWorkers,
  });
  const runner: JobRunner = stack.use(
    new JobRunner({
      jobs: storage.jobs,
      clock,
      log,
      metrics,
      owner: newId("req_"),
      handlers: [
        brake.watch(
          ingest,
          async (job) => (await storage.storeFiles.bySeq(job.tenant_id, Number(job.subject)))?.n_chunks ?? 0,
        ),
        createMigrateHandler(migrateDeps),
        createCatchUpHandler(catchUpDeps),
        createRetireHandler({
          storage,
          failpoint,
          forgetIndex: migrateDeps.forgetIndex,
          removeGraph: (generation) => retireDirectory(graphDirectory(dataDir, generation.store_id, generation.id)),
        }),
        createBuildGraphHandler({
          storage,
          dataDir,
          natives,
          lane: graphs,
          log,
          acquire: (storeId, generation) => indexes.acquire(storeId, generation),
        }),
        createPurgeFileHandler(purge),
        createPurgeStoreHandler(purge),
        createFinishDeletionHandler({ ...deletionCheck, storage, blobs, parsed, clock }),
        createEvaluateHandler({ storage, clock, search }),
      ],
      heldStores: (kind) => (kind === "ingest" ? brake.held() : []),
      tenantLimit: async (kind, tenantId) => {
        if (kind === "evaluate") return 1;
        return kind === "ingest" ? await ingestLimit(storage, config, tenantId) : null;
      },
    }),
  );

  const removeFromIndexes = (storeId: string, storeFile: number) =>
    indexes.applyToStore(storeId, (index) => index.removeFile(storeFile));
  /** Files left these stores: indexes forget them, what works on them stops. Called in the turn of the commit. */
  const detached = (files: readonly Detached[]) => {
    for (const { storeId, storeFile } of files) {
      runner.cancel("ingest", String(storeFile));
      removeFromIndexes(storeId, storeFile);
      changes.notify(storeId);
    }
  };
  const janitor = stack.use(
    new Janitor({
      storage,
      blobs,
      parsed,
      clock,
      log,
      graceSeconds: () => config.expiredGraceDays * 86_400,
      embeddingCacheBytes: () => (config.embeddingCache === "off" ? 0 : config.embeddingCacheMb * MB),
      queryLog: () => ({ days: config.queryLogDays, rows: config.queryLogRows }),
      detached,
      wakeJobs: () => runner.wake(),
    }),
  );

  metrics.gauge("lectern_embedding_cache_bytes", async () => (await storage.embeddingCache.size()).bytes);
  registerGauges(metrics, { runner, indexes, lanes, parse });
  /** Another kind of index may need a graph; looked at in the background, and again with the next change if that fails. */
  const watchGraphsOf = async (storeId: string) => {
    try {
      for (const id of await storage.generations.idsOfStore(storeId)) {
        const row = await storage.generations.byId(id);
        if (row !== null) graphWatch.touch(row);
      }
    } catch (error) {
      log.debug("the graphs of a store were not looked at", { store: storeId, error: String(error) });
    }
  };
  const teardown = stack.move();
  return {
    database,
    storage,
    blobs,
    parsed,
    parse,
    models,
    indexes,
    runner,
    janitor,
    changes,
    progress,
    detached,
    deletionCheck,
    laneStats: () => lanesOf(lanes, parse),
    /** The search that jobs measure. */
    setSearch(search: MeasuredSearch): void {
      apiSearch = search;
    },
    setAttributes(storeId: string, storeFile: number, attributes: Record<string, string | number | boolean>) {
      indexes.applyToStore(storeId, (index) => index.setAttributes(storeFile, attributes));
    },
    /** Loads what the first file would wait for; in the background, and needless if it fails. */
    warm(): void {
      Promise.all([parse.warm(), models.warm()]).catch((error: unknown) =>
        log.debug("warm-up ended early", { error: String(error) }),
      );
    },
    /** The flip of a rollback, if nothing is missing in the old generation; loads its index first. */
    async rollBackNow(migration: MigrationRow): Promise<boolean> {
      const old = await storage.generations.get(migration.tenant_id, migration.from_generation);
      const live =
        migration.to_generation === null
          ? null
          : await storage.generations.get(migration.tenant_id, migration.to_generation);
      if (old === null || live === null) return false;
      using _lease = await indexes.acquire(migration.store_id, old.id);
      return await flipBack({ storage, clock, failpoint }, migration, { live, old });
    },
    /** Chunks are added to a completed file: other generations are behind with it. Part of the transaction. */
    async outdateFile(tables: Tables, file: StoreFileRow, generation: GenerationRow): Promise<void> {
      await tables.generationFiles.outdateElsewhere(file.seq, generation);
      for (const other of await tables.generations.ofStore(file.tenant_id, file.store_id)) {
        if (other.state === "retained") await scheduleCatchUp(tables, other);
      }
    },
    /** Chunks were added to a completed file: its index takes them. Called in the turn of the commit. */
    reloadFile(file: StoreFileRow, generation: GenerationRow): void {
      runner.wake();
      indexWrites.replaceFile(file, generation);
      graphWatch.touch(generation);
    },
    /** What answers searches of the store now: an index that is not in memory will say when it is. */
    indexKind(store: StoreRow): "exact" | "hnsw" {
      if (store.live_generation === null) return "exact";
      using lease = indexes.tryAcquire(store.id, store.live_generation);
      return lease?.index.stats.used === "hnsw" ? "hnsw" : "exact";
    },
    /** Forces, forbids or frees the choice of the index of a store. */
    setIndexMode(storeId: string, mode: StoreRow["index_mode"]): void {
      indexes.applyToStore(storeId, (index) => index.setKind(mode));
      void watchGraphsOf(storeId);
    },
    removeFromIndexes,
    [Symbol.asyncDispose]: () => teardown.disposeAsync(),
  };
}

/** Files of a tenant that may be indexed at the same time. */
async function ingestLimit(storage: Storage, config: Config, tenantId: string): Promise<number | null> {
  const tenant = await storage.tenants.get(tenantId);
  const own = tenant === null ? null : parseQuotas(tenant.quotas).concurrent_ingests;
  return own ?? config.maxTeamIngests;
}
