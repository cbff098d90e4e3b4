/**
 * Everything below the API, wired with plain constructors: storage, workers, models, indexes, search, jobs. Torn down in
 * reverse order: first what makes work, then the lanes that do it, the database last.
 */
import { ANSWER } from "../answers/limits.ts";
import { createAnswering, type AnsweringDeps } from "../answers/answering.ts";
import { createChatAnswering } from "../answers/chat-answering.ts";
import { LiveAnswers } from "../answers/live-answers.ts";
import { createResponding, type Responding } from "../answers/responding.ts";
import type { ChatClient } from "../chat/client.ts";
import type { ChatModels } from "../chat/chat-models.ts";
import { ToolSupport } from "../chat/tool-support.ts";
import type { Config } from "../config/config.ts";
import { embedFailure, type EmbeddingProvider } from "../embed/provider.ts";
import { ProgressBoard } from "../jobs/progress.ts";
import { scheduleModelUpgrade } from "../jobs/upgrade-model.ts";
import { WORD_TABLE } from "../models/bundled-model.ts";
import type { BundledModel } from "../models/entries.ts";
import type { Models } from "../models/models.ts";
import { type RankerCatalog, rankerCatalog } from "../models/ranker-catalog.ts";
import { type Changes, createChanges } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { measuredSearch } from "../search/measured.ts";
import { SearchReports } from "../search/record.ts";
import { createSearch, type Search } from "../search/search.ts";
import { readerScale, TABLE_SCALE, tableScale } from "../search/scale.ts";
import { sentenceFit, type SentenceFitDeps } from "../search/sentence-fit.ts";
import { registerGauges } from "./gauges.ts";
import { INGEST_STAGE } from "./metric-list.ts";
import { attachedParts } from "./attached-parts.ts";
import { openChat } from "./open-chat.ts";
import { type Indexes, openIndexes } from "./open-indexes.ts";
import { defaultModelOf } from "./default-model.ts";
import { openModels } from "./open-models.ts";
import { openRemote } from "./open-remote.ts";
import { openBlobs } from "./open-blobs.ts";
import { diskTrust, type OpenStorage, openStorage } from "./open-storage.ts";
import { createJobs, type Jobs } from "./start-jobs.ts";
import { startWorkers, type Workers } from "./start-workers.ts";

/** What tests put in the place of parts that are slow, or that nobody can foresee. */
export interface EngineOverrides {
  /** In place of the bundled models; runs in this process. */
  provider?: EmbeddingProvider | undefined;
  /** In place of those that come with this program, and of what a new data directory has for its default. */
  bundled?: { models: readonly BundledModel[]; newest: string } | undefined;
  /** In place of the rerankers of the models directory. */
  rankers?: RankerCatalog | undefined;
  /** False: nothing waits for the disk. */
  flush?: boolean | undefined;
  /** Told, in a line, what a start that takes long is doing. */
  onProgress?: ((text: string) => void) | undefined;
}

export interface EngineOptions {
  config: Config;
  /** Absolute; held by this process. */
  dataDir: string;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  overrides: EngineOverrides;
}

export interface Engine extends AsyncDisposable {
  readonly data: OpenStorage;
  readonly workers: Workers;
  readonly models: Models;
  /** What a person should know of the default model, in a line. */
  readonly modelNotice: string | null;
  readonly rankers: RankerCatalog;
  readonly indexes: Indexes;
  readonly search: Search;
  /** Where searches are reported that nobody asked for as such. */
  readonly searches: SearchReports;
  readonly responding: Responding;
  /** Answers that are being written in the background. */
  readonly live: LiveAnswers;
  readonly chat: { models: ChatModels; client: ChatClient };
  readonly jobs: Jobs;
  readonly changes: Changes;
  readonly progress: ProgressBoard;
  /** Loads what the first file would wait for; in the background, and needless if it fails. */
  warm(): void;
}

export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { config, dataDir, clock, log, metrics, overrides } = options;
  await using stack = new AsyncDisposableStack();
  const data = await openData(options, stack);
  const { storage } = data;
  const workers = stack.use(await startWorkers(config, dataDir));
  const { name: defaultModel, notice: modelNotice } = await defaultModelOf(config, storage, overrides.bundled?.newest);
  const { provider, bundled } = overrides;
  const ofModels = { workers, dataDir, log, metrics, defaultModel, provider, bundled: bundled?.models };
  const models = await openModels(config, ofModels);
  if (data.replica !== null) data.replica.models = () => models.ids();
  await upgradeBundledModels(models, data, clock, log);
  const rankers = overrides.rankers ?? rankerCatalog(models, config);
  const changes = createChanges(data.bus);
  const progress = new ProgressBoard((stage, seconds) => metrics.observe(INGEST_STAGE, seconds, { stage }));
  // The jobs are made last and run on what is made before: nothing is woken before they are started.
  const wakeJobs = () => jobs.runner.wake();
  const indexes = stack.use(
    await openIndexes(config, {
      dataDir,
      storage,
      serverRuns: data.serverRuns,
      engine: data.engine,
      natives: workers.natives,
      clock,
      log,
      metrics,
      wakeJobs,
      buildHere: data.replica === null ? null : (generation) => jobs.buildHere(generation),
    }),
  );
  const search = searchOf({ storage, indexes, models, rankers });
  const searches = new SearchReports();
  const chat = openChat(config, { dataDir, log, metrics });
  const shared = data.bus === null ? null : { steps: storage.responseSteps, changed: changes.notify };
  const live = new LiveAnswers({ changedHere: changes.notifyHere, shared });
  const parts = { data, dataDir, clock, log, workers, models };
  const responding = respondingOf(config, { ...parts, rankers, search, searches, chat, defaultModel });
  const jobs: Jobs = stack.use(
    createJobs(config, {
      responding,
      live,
      data,
      dataDir,
      workers,
      models,
      indexes,
      search: measuredSearch({ ...storage, clock, rankers, search }),
      changes,
      progress,
      clock,
      log,
      metrics,
    }),
  );
  registerGauges(metrics, { data, jobs, indexes, workers });
  const teardown = stack.move();
  return {
    data,
    workers,
    models,
    modelNotice,
    rankers,
    indexes,
    search,
    searches,
    responding,
    live,
    chat,
    jobs,
    changes,
    progress,
    warm(): void {
      Promise.all([workers.parse.warm(), models.warm()]).catch((error: unknown) =>
        log.debug("warm-up ended early", { error: String(error) }),
      );
    },
    [Symbol.asyncDispose]: () => teardown.disposeAsync(),
  };
}

/** What is kept, and the bytes of uploads wherever they are; both are closed with the stack. */
async function openData(options: EngineOptions, stack: AsyncDisposableStack): Promise<OpenStorage> {
  const { config, dataDir, clock, log, overrides } = options;
  const trust = diskTrust(log);
  const { blobs } = stack.use(await openBlobs(config, { dataDir, log, trust }));
  const onProgress = overrides.onProgress ?? (() => {});
  const { database } = config;
  if (database !== null)
    return stack.use(await openRemote({ ...config, database }, dataDir, log, { blobs, trust, onProgress }));
  const upgrade = { clock, config, onProgress };
  return stack.use(openStorage(dataDir, log, { blobs, trust, flush: overrides.flush, upgrade }));
}

type AnsweringParts = Pick<Engine, "data" | "workers" | "models" | "rankers" | "search" | "searches" | "chat"> & {
  clock: Clock;
  dataDir: string;
  log: Log;
  defaultModel: string;
};

function respondingOf(config: Config, parts: AnsweringParts): Responding {
  const { data, dataDir, clock, log, workers, models, rankers, search, searches, chat } = parts;
  const bounds = () => (readerCosine(models, parts.defaultModel) > 0 ? ANSWER.readerBounds : ANSWER.tableBounds);
  const reading: SentenceFitDeps = {
    embedQuestion: async (question, asker) => {
      const model = models.info(models.bundled);
      if (model === null) return embedFailure("unavailable", `the model '${models.bundled}' is not here`);
      return await models.embedQuery(model, question, asker);
    },
    embedSentences: (sentences, asker) => models.embedAwaited(models.bundled, sentences, asker),
  };
  const shared: AnsweringDeps = {
    storage: data.storage,
    clock,
    search,
    rankers,
    texts: workers.texts,
    fit: (question, sentences, asker) => sentenceFit(reading, { question, sentences }, asker),
    isEnglishModel: (model) => model === WORD_TABLE,
    onSearch: (record) => searches.report(record),
    settings: () => ({
      minScore: config.answerMinScore ?? bounds().minScore,
      weakScore: config.answerWeakScore ?? bounds().weakScore,
      lead: config.answerLead,
      weak: config.answerWeak,
      nothing: config.answerNothing,
    }),
  };
  const answering = createAnswering(shared);
  const attached = attachedParts({ ...data, parse: workers.parse, dataDir, log });
  const chatAnswering = createChatAnswering({ ...shared, ...chat, attached, support: new ToolSupport(clock) });
  const settings = () => ({ answerFallback: config.answerFallback });
  return createResponding({ answering, chatAnswering, models: chat.models, clock, settings });
}

/** Stores made with another revision of a bundled model are moved to this one. */
async function upgradeBundledModels(models: Models, { storage }: OpenStorage, clock: Clock, log: Log): Promise<void> {
  for (const { id, revision } of models.bundledInfos())
    await scheduleModelUpgrade(storage, { id, revision }, clock, log);
}

function searchOf({
  storage,
  indexes,
  models,
  rankers,
}: Pick<Engine, "indexes" | "models" | "rankers"> & { storage: OpenStorage["storage"] }): Search {
  return createSearch({
    ...storage,
    indexes,
    embedQuery: (model, text, asker) => models.embedQuery(model, text, asker),
    scaleOf(model, query) {
      if (model === WORD_TABLE) return tableScale(query);
      const unrelated = readerCosine(models, model);
      return unrelated > 0 ? readerScale(query, unrelated) : TABLE_SCALE;
    },
    rankers,
  });
}

/** Where the cosines of a model that reads begin; 0 of the table of words, and of a model whose cosines were never measured. */
function readerCosine(models: Pick<Models, "info">, model: string): number {
  return model === WORD_TABLE ? 0 : (models.info(model)?.unrelatedCosine ?? 0);
}
