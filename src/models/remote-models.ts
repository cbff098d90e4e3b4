import { KNOWN_MODELS, type ProviderName } from "../embed/known-models.ts";
import { providerSetting } from "./catalog.ts";
import type { RemoteModel } from "../embed/remote/create.ts";
import type { RemoteLimits, RemoteUsage } from "../embed/remote/remote-provider.ts";
import { describeRemote, readAddedModels, type RemoteModelTable, writeAddedModels } from "./model-tables.ts";
import type { Metrics } from "../platform/metrics.ts";
import * as metric from "./metrics.ts";
import type { RemoteSource, RemoteSources } from "./remote-entry.ts";

/** What an operator says of remote models: key and address of each provider, and the models that are listed. */
export type RemoteSettings = Readonly<Record<`${ProviderName}ApiKey` | `${ProviderName}Address`, string | null>> & {
  /** Those of the configuration file. */
  readonly remoteModels: readonly RemoteModelTable[];
  /** The value of a variable that a model's table names for its key. */
  readonly environment: (variable: string) => string | undefined;
  /** Variables that a model of the data directory may name for its key, beside its provider's own. */
  readonly modelKeyNames: ReadonlySet<string>;
};

export interface ProviderLimitSettings {
  providerTimeoutSeconds: number;
  /** Requests at the same time, for each model. */
  providerRequests: number;
  providerAttempts: number;
}

/**
 * The remote models of this server: those of the configuration file, those that `lectern models add` wrote down, and
 * the well-known ones of every provider that has a key or an address. An earlier one hides a later one of the same id.
 */
export function remoteSources(config: RemoteSettings, dataDir: string): RemoteSources {
  return {
    list() {
      const added = readAddedModels(dataDir);
      const own = config.remoteModels.map((table) => fromTable(config, table, false));
      const others = added.ok ? added.tables.models.map((table) => fromTable(config, table, true)) : [];
      const broken: RemoteSource[] = added.ok ? [] : [{ ok: false, id: "models.toml", problem: added.problem }];
      const all = [...own, ...others, ...hosted(config), ...broken];
      return all.filter((source, i) => all.findIndex((other) => idOf(other) === idOf(source)) === i);
    },
    sourceOf: (table) => fromTable(config, table, true),
    remember(table) {
      const added = readAddedModels(dataDir);
      if (!added.ok) return false;
      const { models, chatModels } = added.tables;
      if ([...models, ...chatModels].some(({ id }) => id === table.id)) return false;
      writeAddedModels(dataDir, { models: [...models, table] });
      return true;
    },
    mayForget(id) {
      const added = readAddedModels(dataDir);
      return added.ok && added.tables.models.some((model) => model.id === id);
    },
    forget(id) {
      const added = readAddedModels(dataDir);
      if (!added.ok || !added.tables.models.some((model) => model.id === id)) return false;
      writeAddedModels(dataDir, { models: added.tables.models.filter((model) => model.id !== id) });
      return true;
    },
  };
}

/** How long and how often a provider is tried; a search, for which somebody waits, is given up sooner. */
export function providerLimits(config: ProviderLimitSettings): Partial<RemoteLimits> {
  const { providerTimeoutSeconds, providerRequests, providerAttempts } = config;
  return {
    requests: providerRequests,
    passageTimeoutMs: providerTimeoutSeconds * 1000,
    queryTimeoutMs: providerTimeoutSeconds * 250,
    passageAttempts: providerAttempts,
    queryAttempts: Math.ceil(providerAttempts / 2),
  };
}

export function countUsage(metrics: Metrics, model: string, usage: RemoteUsage): void {
  metrics.count(metric.PROVIDER_REQUESTS, { model }, usage.requests);
  metrics.count(metric.PROVIDER_RETRIES, { model }, usage.retries);
  metrics.count(metric.PROVIDER_FAILURES, { model }, usage.failures);
  metrics.count(metric.PROVIDER_TOKENS, { model }, usage.tokens);
  if (usage.costUsd !== null) metrics.count(metric.PROVIDER_COST, { model }, usage.costUsd);
}

/** Key and address of a provider, as set; a provider is in use as soon as it has one of them. */
function providerOf(config: RemoteSettings, provider: ProviderName): { apiKey: string | null; address: string | null } {
  return { apiKey: config[`${provider}ApiKey`], address: config[`${provider}Address`] };
}

function hosted(config: RemoteSettings): RemoteSource[] {
  return KNOWN_MODELS.flatMap((known) => {
    const { apiKey, address } = providerOf(config, known.provider);
    if (apiKey === null && address === null) return [];
    const model: RemoteModel = {
      id: known.name,
      dialect: known.provider,
      address: address ?? undefined,
      apiKey: apiKey ?? undefined,
    };
    return [{ ok: true as const, model, removable: false }];
  });
}

function fromTable(config: RemoteSettings, table: RemoteModelTable, removable: boolean): RemoteSource {
  if (table.inactive === true)
    return { ok: false, id: table.id, problem: whyInactive(table, removable), isInactive: true };
  const provider = table.dialect === "openai-compatible" ? null : providerOf(config, table.dialect);
  // A provider's key goes to the provider's address only.
  const isProviders = table.address === undefined || table.address === provider?.address;
  const wanted = table.api_key_env;
  if (wanted !== undefined && removable && !mayName(config, table, isProviders)) {
    const problem = `its key is in the variable ${wanted}, which a model of the data directory may use only where the operator's settings list it: set model-key-variables = ["${wanted}"] (or LECTERN_MODEL_KEY_VARIABLES=${wanted})`;
    return { ok: false, id: table.id, problem };
  }
  const ownKey = table.api_key ?? (wanted === undefined ? undefined : config.environment(wanted));
  if (wanted !== undefined && (ownKey === undefined || ownKey === "")) {
    return { ok: false, id: table.id, problem: `the environment variable ${wanted}, which holds its key, is not set` };
  }
  const apiKey = ownKey ?? (isProviders ? provider?.apiKey : undefined) ?? undefined;
  if (table.address === undefined && apiKey === undefined && table.dialect !== "openai-compatible") {
    const setting = providerSetting(table.dialect);
    return { ok: false, id: table.id, problem: `it has no key: set api_key_env, or ${setting}` };
  }
  const model: RemoteModel = {
    id: table.id,
    dialect: table.dialect,
    model: table.model,
    address: table.address ?? provider?.address ?? undefined,
    apiKey,
    dimensions: table.dimensions,
    maxTokens: table.max_tokens,
    queryPrefix: table.query_prefix,
    passagePrefix: table.passage_prefix,
    usdPerMillionTokens: table.usd_per_million_tokens,
    unrelatedCosine: table.unrelated_cosine,
  };
  return { ok: true, model, removable };
}

/**
 * A data directory may come from elsewhere, and its models name addresses: they choose among the variables that hold keys
 * for them, not among all that the environment has.
 */
function mayName(config: RemoteSettings, table: RemoteModelTable, isProviders: boolean): boolean {
  const wanted = table.api_key_env ?? "";
  if (config.modelKeyNames.has(wanted)) return true;
  return table.dialect !== "openai-compatible" && isProviders && wanted === providerSetting(table.dialect);
}

function whyInactive(table: RemoteModelTable, removable: boolean): string {
  if (!removable) return "inactive = true is set for it in the configuration file";
  return `inactive, for it came with a backup: ${describeRemote(table)}; "lectern models verify ${table.id}" lets it be used`;
}

function idOf(source: RemoteSource): string {
  return source.ok ? source.model.id : source.id;
}
