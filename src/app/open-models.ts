import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { EmbeddingProvider } from "../embed/provider.ts";
import { resolveHost } from "../embed/remote/address.ts";
import { ModelTrials } from "../models/model-trials.ts";
import { bundledModelInfo, bundledModels } from "../models/bundled-model.ts";
import type { BundledModel } from "../models/entries.ts";
import { removeUnfinished } from "../models/models-dir.ts";
import { Models } from "../models/models.ts";
import { countUsage, providerLimits, remoteSources } from "../models/remote-models.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { tryModel } from "../workers/model-trial.ts";
import { RERANK_SECONDS, RERANKED_DOCUMENTS, RERANKED_TOKENS, RERANKS } from "./metric-list.ts";
import type { RerankUse } from "../models/rerankers.ts";
import type { Workers } from "./start-workers.ts";

export interface ModelParts {
  workers: Pick<Workers, "lanes" | "natives" | "bounds">;
  dataDir: string;
  log: Log;
  metrics: Metrics;
  /** Where neither the settings nor a client name one. */
  defaultModel: string;
  /** In place of those that come with this program. */
  bundled?: readonly BundledModel[] | undefined;
  /** In place of all of them. */
  provider?: EmbeddingProvider | undefined;
}

/** Vectors of recent queries kept in memory, bytes at most. */
const QUERY_CACHE_BYTES = 64 * 1024 * 1024;

/** Every model of this server, opened. Throws where the default model or the default reranker cannot be used. */
export async function openModels(config: Config, parts: ModelParts): Promise<Models> {
  const { workers, dataDir, log, metrics, provider, bundled = ofThisProgram() } = parts;
  const directory = join(dataDir, "models");
  removeUnfinished(directory);
  const models = new Models({
    lanes: workers.lanes,
    trials: new ModelTrials({
      path: join(dataDir, "tried-models.json"),
      run: (folder) => tryModel(folder, workers),
    }),
    directory,
    bundled,
    defaultModel: provider?.model.id ?? config.defaultModel ?? parts.defaultModel,
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
    provider,
  });
  await models.start();
  return models;
}

function ofThisProgram(): BundledModel[] {
  return bundledModels().map((name) => ({
    id: name,
    source: { type: "bundled", name },
    info: bundledModelInfo(name),
  }));
}

/** Counts what a reranker, or the bundled ranking in its place, did. */
export function countRerank(metrics: Metrics, { model, documents, tokens, seconds, ok }: RerankUse): void {
  metrics.count(RERANKS, { model, outcome: ok ? "ok" : "failed" });
  metrics.count(RERANKED_DOCUMENTS, { model }, documents);
  metrics.count(RERANKED_TOKENS, { model }, tokens);
  metrics.observe(RERANK_SECONDS, seconds, { model });
}
