import { backupOperations } from "../api/backup/routes.ts";
import { deletionsService } from "../api/admin/deletions.ts";
import { keysService } from "../api/admin/keys.ts";
import type { AdminDeps } from "../api/admin/routes.ts";
import { adminOperations } from "../api/admin/routes.ts";
import { suspensionService } from "../api/admin/stores.ts";
import { tenantsService } from "../api/admin/tenants.ts";
import { vectorInserter } from "../api/chunks/insert.ts";
import { chunkOperations } from "../api/chunks/routes.ts";
import { chunksService } from "../api/chunks/service.ts";
import { createCursors } from "../http/cursors.ts";
import { embeddingOperations } from "../api/embeddings/routes.ts";
import { embeddingsService } from "../api/embeddings/service.ts";
import { measuredSearch } from "../api/evals/measured-search.ts";
import { evaluationOperations } from "../api/evals/routes.ts";
import { evaluationsService } from "../api/evals/service.ts";
import { eventOperations } from "../api/events/routes.ts";
import { eventsService } from "../api/events/service.ts";
import { batchOperations } from "../api/file-batches/routes.ts";
import { batchesService } from "../api/file-batches/service.ts";
import { fileOperations } from "../api/files/routes.ts";
import { filesService } from "../api/files/service.ts";
import { healthOperations } from "../api/health/routes.ts";
import { judgmentOperations } from "../api/judgments/routes.ts";
import { judgmentsService } from "../api/judgments/service.ts";
import { migrationOperations } from "../api/migrations/routes.ts";
import { migrationsService } from "../api/migrations/service.ts";
import { modelOperations } from "../api/models/routes.ts";
import { modelsService } from "../api/models/service.ts";
import { rerankOperations } from "../api/rerank/routes.ts";
import { rerankService } from "../api/rerank/service.ts";
import type { Operation } from "../http/operation.ts";
import type { QueryRecorder } from "../api/queries/recorder.ts";
import { queryOperations } from "../api/queries/routes.ts";
import { queriesService } from "../api/queries/service.ts";
import { quotaRules } from "../http/quotas.ts";
import { searchOperations } from "../api/search/routes.ts";
import type { SearchDeps } from "../search/search.ts";
import { searchService } from "../search/search.ts";
import { statsOperations } from "../api/stats/routes.ts";
import { statsService } from "../api/stats/service.ts";
import { uploadOperations } from "../api/uploads/routes.ts";
import { uploadsService } from "../api/uploads/service.ts";
import { attacher } from "../api/vector-store-files/attach.ts";
import { storeFileOperations } from "../api/vector-store-files/routes.ts";
import { storeFilesService } from "../api/vector-store-files/service.ts";
import { storeAccess } from "../api/vector-stores/access.ts";
import { storeOperations } from "../api/vector-stores/routes.ts";
import { storesService } from "../api/vector-stores/service.ts";
import { backups } from "./backup.ts";
import type { Config } from "../config/config.ts";
import type { Engine } from "./engine.ts";
import { modelCatalog } from "../models/model-catalog.ts";
import { rankerCatalog } from "../models/ranker-catalog.ts";
import { countRerank } from "./rerank-metrics.ts";
import { serverStatus } from "./server-status.ts";
import type { Clock } from "../platform/clock.ts";
import type { Metrics } from "../platform/metrics.ts";
import { BUNDLED_MODEL, BUNDLED_RANKER } from "../models/models.ts";

/** Every operation of the API over one engine: the services, and what they are told of the rest. */
export interface OperationsOptions {
  config: Config;
  engine: Engine;
  clock: Clock;
  metrics: Metrics;
  dataDir: string;
  stopping: AbortSignal;
  /** Takes every search. */
  queries: QueryRecorder;
  /** Reads the settings again. */
  reload: AdminDeps["reload"];
}

const MB = 1024 * 1024;

export function createOperations({
  config,
  engine,
  clock,
  metrics,
  dataDir,
  stopping,
  queries,
  reload,
}: OperationsOptions): Operation[] {
  const { storage, blobs, runner, indexes, changes, progress } = engine;
  const cursors = createCursors();
  const rankers = rankerCatalog(engine.models, config);
  const models = modelCatalog(engine.models, rankers.names, clock.nowSeconds());
  const access = storeAccess({ stores: storage.stores, clock });
  const wakeJobs = () => runner.wake();
  const queuedFiles = () => runner.stats().find(({ kind }) => kind === "ingest")?.waiting ?? 0;
  const poll = { changes, pollAfterMs: () => pollAfterMs(queuedFiles()) };
  const progressOf = (storeFile: number) => progress.get(storeFile);

  const quotas = quotaRules(storage.tenants, config);
  const flushQueries = () => queries.flush();

  const files = filesService({
    storage,
    blobs,
    clock,
    cursors,
    dataDir,
    minFreeBytes: config.minFreeDiskMb * MB,
    byteLimits: quotas.bytes,
    afterDetach: (one) => {
      engine.detached([one]);
      wakeJobs();
    },
  });
  const uploads = uploadsService({ storage, blobs, clock, files });
  const attach = attacher({
    ...storage,
    clock,
    index: {
      removeFile: engine.removeFromIndexes,
      setAttributes: (storeId, storeFile, { attributes }) => engine.setAttributes(storeId, storeFile, attributes),
    },
    wakeJobs,
    cancelIngest: (storeFile) => runner.cancel("ingest", String(storeFile)),
    notify: changes.notify,
    maxFilesPerStore: quotas.filesPerStore,
    maxQueuedFiles: config.maxQueuedFiles,
    queuedFiles,
  });
  const stores = storesService({
    ...storage,
    clock,
    access,
    attacher: attach,
    cursors,
    models,
    storeLimits: quotas.stores,
    indexType: engine.indexKind,
    setIndexMode: engine.setIndexMode,
    wakeJobs,
    notify: changes.notify,
  });
  const storeFiles = storeFilesService({ ...storage, access, attacher: attach, cursors, progressOf });
  const batches = batchesService({
    ...storage,
    clock,
    access,
    attacher: attach,
    files: storeFiles,
    maxBatchFiles: config.maxBatchFiles,
  });
  const searchDeps = {
    ...storage,
    clock,
    access,
    indexes,
    embedQuery: (model, text, signal) => engine.models.embedQuery(model, text, signal),
    isEnglishModel: (model) => model === BUNDLED_MODEL,
    unrelatedCosine: (model) => engine.models.info(model)?.unrelatedCosine ?? 0,
    rankers,
  } satisfies Partial<SearchDeps>;
  engine.setSearch(measuredSearch(searchDeps));
  const search = searchService({
    ...searchDeps,
    onSearch: (record) => {
      metrics.count("lectern_searches_total", { index: record.index });
      const { embed, vector, keyword, rerank, fetch } = record.latencyMs;
      metrics.observe("lectern_search_stage_seconds", embed / 1000, { stage: "embed" });
      metrics.observe("lectern_search_stage_seconds", (vector + keyword) / 1000, { stage: "rank" });
      if (rerank > 0) metrics.observe("lectern_search_stage_seconds", rerank / 1000, { stage: "rerank" });
      metrics.observe("lectern_search_stage_seconds", fetch / 1000, { stage: "fetch" });
      queries.record(record);
    },
  });
  const embeddings = embeddingsService({
    models,
    embed: (id, texts, kind, signal) => engine.models.embed(id, texts, kind, signal),
  });

  const rerank = rerankService({
    rankers,
    bundled: {
      embed: (id, texts, kind, signal) => engine.models.embed(id, texts, kind, signal),
      model: BUNDLED_MODEL,
    },
    bundledName: BUNDLED_RANKER,
    onRerank: (use) => countRerank(metrics, use),
  });

  const insert = vectorInserter({
    ...storage,
    maxFilesPerStore: quotas.filesPerStore,
    blobs,
    clock,
    access,
    embed: (id, texts, kind, signal) => engine.models.embed(id, texts, kind, signal),
    reload: (file, generation) => engine.reloadFile(file, generation),
    notify: changes.notify,
  });
  const events = eventsService({ ...storage, access, batchesService: batches, changes, progressOf });
  const migrations = migrationsService({
    ...storage,
    clock,
    access,
    models,
    priceOf: (model) => engine.models.price(model),
    wakeJobs,
    interrupt: (id) => runner.cancel("migrate", id),
    rollBackNow: engine.rollBackNow,
    notify: changes.notify,
  });

  const tenants = tenantsService({
    storage,
    blobs,
    clock,
    detached: (detached) => engine.detached(detached),
    wakeJobs,
  });
  const startedAt = clock.nowSeconds();
  metrics.gauge("lectern_query_log_waiting", () => queries.waiting);

  return [
    ...fileOperations(files, config.maxUploadMb * MB),
    ...uploadOperations(uploads, files),
    ...storeOperations(stores, poll),
    ...storeFileOperations(storeFiles, poll),
    ...batchOperations(batches, poll),
    ...searchOperations(search),
    ...chunkOperations(chunksService({ ...storage, access, cursors }), insert),
    ...eventOperations(events),
    ...queryOperations(queriesService({ ...storage, access, flush: flushQueries })),
    ...statsOperations(statsService({ ...storage, access, clock, flush: flushQueries })),
    ...judgmentOperations(judgmentsService({ ...storage, clock, access, cursors })),
    ...evaluationOperations(evaluationsService({ ...storage, clock, access, wakeJobs })),
    ...adminOperations({
      tenants,
      keys: keysService({ storage, clock, tenants }),
      deletions: deletionsService({ storage, clock, check: engine.deletionCheck }),
      suspension: suspensionService({ ...storage, show: stores.show, notify: changes.notify }),
      status: () => serverStatus({ config, engine, dataDir, startedAt, queries }),
      reload,
    }),
    ...migrationOperations(migrations),
    ...embeddingOperations(embeddings),
    ...rerankOperations(rerank),
    ...modelOperations(modelsService({ models, ...storage, rescan: () => engine.models.rescan() })),
    ...backupOperations(backups({ engine, dataDir, clock })),
    ...healthOperations({
      metrics,
      metricsPublic: config.metricsPublic,
      checks: {
        stopping: () => (stopping.aborted ? "the server is stopping" : "ok"),
        database: () => (storage.tenants.first() === null ? "no tenant" : "ok"),
        model: () =>
          engine.models.info(engine.models.catalog().defaultModel) === null ? "the default model is not loaded" : "ok",
      },
    }),
  ];
}

/** From 100 ms when little waits to 2 s when much does. */
function pollAfterMs(queued: number): number {
  return Math.min(2000, 100 + queued * 5);
}
