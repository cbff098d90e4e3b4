import { modelFor } from "../answers/chat-answering.ts";
import { answererOf } from "../answers/run-outcome.ts";
import type { AdminDeps } from "../api/admin/routes.ts";
import { adminOperations } from "../api/admin/routes.ts";
import { deletionsService } from "../api/admin/deletions.ts";
import { keysService } from "../api/admin/keys.ts";
import { suspensionService, type SuspensionDeps } from "../api/admin/stores.ts";
import { tenantsService } from "../api/admin/tenants.ts";
import { assistantOperations } from "../api/assistants/routes.ts";
import { assistantsService } from "../api/assistants/service.ts";
import { attributeOperations } from "../api/attributes/routes.ts";
import { attributesService } from "../api/attributes/service.ts";
import { backupOperations } from "../api/backup/routes.ts";
import { vectorInserter } from "../api/chunks/insert.ts";
import { type ConsoleLinks, consoleOperations } from "../api/console/routes.ts";
import { chunkOperations } from "../api/chunks/routes.ts";
import { chunksService } from "../api/chunks/service.ts";
import { conversationOperations } from "../api/responses/conversations/routes.ts";
import { conversationsService } from "../api/responses/conversations/service.ts";
import { embeddingOperations } from "../api/embeddings/routes.ts";
import { embeddingsService } from "../api/embeddings/service.ts";
import { evaluationOperations } from "../api/evals/routes.ts";
import { evaluationsService } from "../api/evals/service.ts";
import { eventOperations } from "../api/events/routes.ts";
import { eventsService } from "../api/events/service.ts";
import { StillAllowed } from "../api/following/still-allowed.ts";
import { Watches } from "../api/following/watches.ts";
import { batchOperations } from "../api/file-batches/routes.ts";
import { batchesService } from "../api/file-batches/service.ts";
import { fileOperations } from "../api/files/routes.ts";
import { filesService } from "../api/files/service.ts";
import { createSpace } from "../api/stored-files/space.ts";
import { healthOperations } from "../api/health/routes.ts";
import { judgmentOperations } from "../api/judgments/routes.ts";
import { judgmentsService } from "../api/judgments/service.ts";
import { licenceOperations } from "../api/licences/routes.ts";
import { messageOperations } from "../api/assistants/messages/routes.ts";
import { messagesService } from "../api/assistants/messages/service.ts";
import { meOperations } from "../api/me/routes.ts";
import { meService } from "../api/me/service.ts";
import { migrationOperations } from "../api/migrations/routes.ts";
import { migrationsService } from "../api/migrations/service.ts";
import type { QueryRecorder } from "../api/queries/recorder.ts";
import { queryOperations } from "../api/queries/routes.ts";
import { queriesService } from "../api/queries/service.ts";
import { completionOperations } from "../api/chat-completions/routes.ts";
import { responseOperations } from "../api/responses/routes.ts";
import { responsesService } from "../api/responses/service.ts";
import { rerankOperations } from "../api/rerank/routes.ts";
import { rerankService } from "../api/rerank/service.ts";
import { runOperations } from "../api/assistants/runs/routes.ts";
import { runsService } from "../api/assistants/runs/service.ts";
import { stepOperations } from "../api/assistants/runs/step-routes.ts";
import { searchOperations } from "../api/search/routes.ts";
import { searchService } from "../api/search/service.ts";
import { statsOperations } from "../api/stats/routes.ts";
import { statsService } from "../api/stats/service.ts";
import { threadOperations } from "../api/assistants/threads/routes.ts";
import { threadsService } from "../api/assistants/threads/service.ts";
import { uploadOperations } from "../api/uploads/routes.ts";
import { uploadsService } from "../api/uploads/service.ts";
import { attacher } from "../api/attaching/attach.ts";
import { storeFileOperations } from "../api/vector-store-files/routes.ts";
import { storeFilesService } from "../api/vector-store-files/service.ts";
import { createLocks } from "../api/locks.ts";
import { storeAccess } from "../api/store-access.ts";
import { storeOperations } from "../api/vector-stores/routes.ts";
import { storesService } from "../api/vector-stores/service.ts";
import type { Config } from "../config/config.ts";
import { mcpOperations } from "../mcp/operations.ts";
import { createCursors, createPlaces } from "../http/cursors.ts";
import type { Operation } from "../http/operation.ts";
import { quotaRules } from "../http/quotas.ts";
import { interrupter, waker } from "../jobs/elsewhere.ts";
import type { Embed } from "../models/failures.ts";
import { modelCatalog } from "../models/model-catalog.ts";
import { BUNDLED_RANKER } from "../models/models.ts";
import { version } from "../platform/build-info.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import type { SearchRecord } from "../search/record.ts";
import type { SortPlace } from "../storage/page.ts";
import type { RunRow } from "../storage/runs.ts";
import type { StoreRow } from "../storage/stores.ts";
import { adapterOperations } from "./adapters.ts";
import { canHoldText } from "./attached-parts.ts";
import { backups } from "./backup.ts";
import type { Engine } from "./engine.ts";
import { answerMode, ANSWERS, countSearch, QUERY_LOG_WAITING } from "./metric-list.ts";
import { modelOperationsOf } from "./model-parts.ts";
import { countRerank } from "./open-models.ts";
import { databaseCheck, serverStatus } from "./server-status.ts";

/** Every operation of the API over one engine: the services, and what they are told of the rest. */
export interface OperationsOptions {
  config: Config;
  engine: Engine;
  clock: Clock;
  metrics: Metrics;
  log: Log;
  dataDir: string;
  stopping: AbortSignal;
  /** Aborted when it is to stop soon. */
  leaving: AbortSignal;
  /** Takes every search. */
  queries: QueryRecorder;
  /** One-time links to the console. */
  links: ConsoleLinks;
  /** Reads the settings again. */
  reload: AdminDeps["reload"];
}

const MB = 1024 * 1024;

export function createOperations(options: OperationsOptions): Operation[] {
  const shared = sharedParts(options);
  const files = fileParts(options, shared);
  const stores = storeParts(options, shared);
  const searching = searchParts(options, shared);
  const modelled = modelParts(options, shared);
  return [
    ...files.operations,
    ...stores.operations,
    ...searching.operations,
    ...(options.config.withoutAdapters.has("mcp")
      ? []
      : mcpOperations({ ...stores, ...searching, settings: options.config })),
    ...answerParts(options, shared),
    ...assistantParts(options, shared, stores),
    ...modelled.operations,
    ...adminParts(options, shared, stores.show),
    ...backupOperations(backups({ data: options.engine.data, dataDir: options.dataDir, clock: options.clock })),
    ...selfParts(options),
    ...adapterOperations({ ...options, ...shared, ...stores, ...searching, ...modelled, files: files.files }),
    ...healthParts(options),
  ];
}

/** What several features are told. */
type Shared = ReturnType<typeof sharedParts>;

function sharedParts({ config, engine, clock, dataDir }: OperationsOptions) {
  const { data, jobs, models, rankers, changes } = engine;
  const { storage } = data;
  const queuedFiles = async () => (await jobs.runner.stats()).find(({ kind }) => kind === "ingest")?.waiting ?? 0;
  const quotas = quotaRules(storage.tenants, config);
  const following = { watches: new Watches(changes), stillAllowed: new StillAllowed() };
  const embed: Embed = (id, texts, asked) => models.embed(id, texts, asked);
  return {
    clock,
    cursors: createCursors(data.bus === null ? null : storage.listPlaces),
    sorted: createPlaces<SortPlace>(),
    models: modelCatalog(models, rankers.names, clock.nowSeconds()),
    access: storeAccess({ stores: storage.stores, clock, isShared: data.bus !== null }),
    quotas,
    locks: createLocks(data.bus === null ? null : storage.held),
    space: createSpace({
      ...{ storage, clock, dataDir, byteLimits: quotas.bytes },
      elsewhere: data.bus === null ? null : changes,
      minFreeBytes: config.minFreeDiskMb * MB,
    }),
    wakeJobs: waker(jobs.runner, changes),
    following,
    poll: { ...following, pollAfterMs: async () => pollAfterMs(await queuedFiles()) },
    progress: jobs.progress,
    notify: changes.notify,
    embed,
  };
}

function fileParts({ config, engine }: OperationsOptions, shared: Shared) {
  const { storage, blobs } = engine.data;
  const { clock, cursors, space, wakeJobs, locks } = shared;
  const files = filesService({
    storage,
    blobs,
    clock,
    cursors,
    space,
    afterDetach: (one) => {
      engine.jobs.detached([one]);
      wakeJobs();
    },
  });
  const uploads = uploadsService({ storage, blobs, clock, space, files, locks });
  return {
    files,
    operations: [...fileOperations(files, config.maxUploadMb * MB), ...uploadOperations(uploads, files)],
  };
}

function storeParts(options: OperationsOptions, shared: Shared) {
  const { config, engine } = options;
  const { data, indexes, jobs } = engine;
  const { storage } = data;
  const { quotas, wakeJobs, poll } = shared;
  const attach = attacher({
    ...storage,
    ...shared,
    index: {
      removeFile: (storeId, storeFile) => indexes.removeFile(storeId, storeFile),
      setAttributes: (storeId, storeFile, { attributes }) => indexes.setAttributes(storeId, storeFile, attributes),
    },
    cancelIngest: (storeFile) => jobs.runner.cancel("ingest", String(storeFile)),
    maxFilesPerStore: quotas.filesPerStore,
    maxQueuedFiles: config.maxQueuedFiles,
  });
  const stores = storesService({
    ...storage,
    ...shared,
    attacher: attach,
    storeLimits: quotas.stores,
    indexType: (store) => indexes.kindOf(store),
    secondsLeft: async (store) => {
      await jobs.progress.fresh();
      return jobs.progress.secondsLeft(store.id, store.n_in_progress);
    },
    setIndexMode: (storeId, mode) => indexes.setMode(storeId, mode),
    wakeJobs,
  });
  const storeFiles = storeFilesService({ ...storage, ...shared, attacher: attach });
  const { maxBatchFiles } = config;
  const batches = batchesService({ ...storage, ...shared, attacher: attach, files: storeFiles, maxBatchFiles });
  const events = eventsService({ ...storage, ...shared, batchesService: batches });
  return {
    stores,
    attached: storeFiles,
    createStore: (...asked: Parameters<typeof stores.create>) => stores.create(...asked),
    attacher: attach,
    show: (row: StoreRow) => stores.show(row),
    operations: [
      ...storeOperations(stores, poll),
      ...storeFileOperations(storeFiles, poll),
      ...batchOperations(batches, poll, maxBatchFiles),
      ...eventOperations(events, shared.following),
      ...migrationOperations(migrationsOf(options, shared)),
    ],
  };
}

function migrationsOf({ engine }: OperationsOptions, shared: Shared) {
  const { data, jobs, models, changes } = engine;
  return migrationsService({
    ...data.storage,
    ...shared,
    priceOf: (model) => models.price(model),
    interrupt: interrupter(jobs.runner, changes, "migrate"),
    rollBackNow: (migration) => jobs.rollBackNow(migration),
  });
}

/** Searching, and what is known of searches. */
function searchParts(options: OperationsOptions, shared: Shared) {
  const { engine, queries, metrics } = options;
  const { data, jobs, rankers, search: find } = engine;
  const { storage, blobs } = data;
  const { quotas, embed } = shared;
  const flush = () => queries.flush();
  const onSearch = (record: SearchRecord) => {
    countSearch(metrics, record);
    queries.record(record);
  };
  engine.searches.listen(onSearch);
  metrics.gauge(QUERY_LOG_WAITING, () => queries.waiting);
  const insert = vectorInserter({
    ...storage,
    ...shared,
    maxFilesPerStore: quotas.filesPerStore,
    blobs,
    embed,
    texts: engine.workers.texts,
    outdate: (tables, file, generation) => jobs.outdateFile(tables, file, generation),
    grew: (file, generation) => jobs.fileGrew(file, generation),
  });
  const search = searchService({ ...storage, ...shared, rankers, search: find, onSearch });
  return {
    search,
    operations: [
      ...searchOperations(search),
      ...chunkOperations(chunksService({ ...storage, ...shared, indexes: engine.indexes }), insert),
      ...queryOperations(queriesService({ ...storage, ...shared, flush })),
      ...statsOperations(statsService({ ...storage, ...shared, flush })),
      ...attributeOperations(attributesService({ ...storage, ...shared })),
      ...judgmentOperations(judgmentsService({ ...storage, ...shared })),
      ...evaluationOperations(evaluationsService({ ...storage, ...shared })),
    ],
  };
}

function answerParts({ config, engine, metrics, log }: OperationsOptions, shared: Shared): Operation[] {
  const { data, workers, jobs, rankers, responding, live, chat, changes } = engine;
  const responses = responsesService({
    ...shared,
    storage: data.storage,
    log,
    rankers,
    responding,
    live,
    chatModels: chat.models,
    texts: workers.texts,
    changes,
    interrupt: interrupter(jobs.runner, changes, "answer"),
    onEnd: (end, model) => metrics.count(ANSWERS, { mode: answerMode(model), end }),
    settings: () => ({
      unsupportedTools: config.unsupportedTools,
      responseDays: config.responseDays,
      strictModels: config.strictModels,
    }),
  });
  return [
    ...responseOperations(responses),
    ...conversationOperations(conversationsService({ ...shared, storage: data.storage })),
    ...completionOperations({ chat, settings: () => config }),
  ];
}

function assistantParts(
  { config, engine, metrics }: OperationsOptions,
  shared: Shared,
  { stores, attacher: attach }: Pick<ReturnType<typeof storeParts>, "stores" | "attacher">,
): Operation[] {
  const { data, jobs, rankers, changes, chat } = engine;
  const { storage, blobs } = data;
  const deps = {
    ...shared,
    storage,
    rankers,
    changes,
    stores,
    attacher: attach,
    canHoldText: (fileId: string) => canHoldText(blobs, fileId),
    interrupt: interrupter(jobs.runner, changes, "run"),
    chatModel: (name: string) => modelFor(chat.models, name, config),
    onEnd: (end: string, run: RunRow) => metrics.count(ANSWERS, { mode: answerMode(answererOf(run)), end }),
    settings: () => config,
  };
  const threads = threadsService(deps);
  const runs = runsService({ ...deps, threads });
  return [
    ...assistantOperations(assistantsService(deps)),
    ...threadOperations(threads),
    ...messageOperations(messagesService(deps)),
    ...runOperations({ ...deps, runs }),
    ...stepOperations(runs),
  ];
}

function modelParts({ engine, metrics, dataDir }: OperationsOptions, { models, embed, space }: Shared) {
  const { texts } = engine.workers;
  const rerank = rerankService({
    rankers: engine.rankers,
    bundled: { embed, texts, model: engine.models.bundled },
    texts,
    bundledName: BUNDLED_RANKER,
    onRerank: (use) => countRerank(metrics, use),
  });
  const embeddings = embeddingsService({ models, embed, texts });
  return {
    embeddings,
    operations: [
      ...embeddingOperations(embeddings),
      ...rerankOperations(rerank),
      ...modelOperationsOf({ engine, dataDir, models, space }),
    ],
  };
}

function adminParts(options: OperationsOptions, { space }: Shared, show: SuspensionDeps["show"]): Operation[] {
  const { config, engine, clock, dataDir, queries, reload } = options;
  const { data, jobs, changes } = engine;
  const { storage, blobs } = data;
  const tenants = tenantsService({
    storage,
    blobs,
    clock,
    endUploads: (tenantId) => space.endOf(tenantId),
    detached: (detached) => jobs.detached(detached),
    wakeJobs: () => jobs.runner.wake(),
  });
  const startedAt = clock.nowSeconds();
  return adminOperations({
    tenants,
    keys: keysService({ storage, clock, tenants }),
    deletions: deletionsService({ storage, clock, check: jobs.deletionCheck }),
    suspension: suspensionService({ ...storage, show, notify: changes.notify }),
    status: () => serverStatus({ config, engine, dataDir, startedAt, queries }),
    reload,
  });
}

/** What a client asks about itself, and how a person comes in. */
function selfParts({ config, engine, links }: OperationsOptions): Operation[] {
  const features = {
    version,
    default_model: engine.models.catalog().defaultModel,
    max_upload_bytes: config.maxUploadMb * MB,
    public_url: config.publicUrl,
    console: !config.noConsole,
  };
  const me = meOperations(meService({ tenants: engine.data.storage.tenants, features }));
  const own = [...me, ...licenceOperations()];
  return config.noConsole ? own : [...own, ...consoleOperations(links)];
}

function healthParts({ config, engine, metrics, stopping, leaving }: OperationsOptions): Operation[] {
  const { data, models } = engine;
  return healthOperations({
    metrics,
    metricsPublic: config.metricsPublic,
    checks: {
      stopping: () => (stopping.aborted || leaving.aborted ? "the server is stopping" : "ok"),
      disk: () => (data.trust.lost === null ? "ok" : `did not keep ${data.trust.lost}; start the server again`),
      database: () => databaseCheck(data),
      model: () => (models.info(models.catalog().defaultModel) === null ? "the default model is not loaded" : "ok"),
    },
  });
}

/** From 100 ms when little waits to 2 s when much does. */
function pollAfterMs(queued: number): number {
  return Math.min(2000, 100 + queued * 5);
}
