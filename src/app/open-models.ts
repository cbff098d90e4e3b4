import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { resolveHost } from "../embed/remote/address.ts";
import { Models } from "../models/models.ts";
import { countUsage, providerLimits, remoteSources } from "../models/remote-models.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import type { NativeLanes } from "../workers/native-lane.ts";
import { countRerank } from "./rerank-metrics.ts";

export interface ModelParts {
  lanes: NativeLanes;
  dataDir: string;
  log: Log;
  metrics: Metrics;
}

/** Vectors of recent queries kept in memory, bytes at most. */
const QUERY_CACHE_BYTES = 64 * 1024 * 1024;

/** Every model of this server, opened. Throws where the default model or the default reranker cannot be used. */
export async function openModels(config: Config, { lanes, dataDir, log, metrics }: ModelParts): Promise<Models> {
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
  return models;
}
