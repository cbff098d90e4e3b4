/**
 * Names of models: what a client may call them, and which model then runs.
 *
 * In this order: what the operator named (aliases), models that are there, and, where no provider is configured, the
 * well-known names of hosted providers, which the bundled model answers so that unmodified clients work on a machine
 * without a network.
 */

export type ProviderName = "openai" | "cohere" | "voyage" | "mistral" | "google";

/** What is known about a hosted model without asking its provider. */
export interface KnownModel {
  name: string;
  provider: ProviderName;
  dimensions: number;
  /** Sizes that `dimensions` may ask for; null where the provider takes none. */
  matryoshka: number[] | null;
  /** Only the listed sizes, none between. */
  matryoshkaExact: boolean;
  maxTokens: number;
  /** US dollars for a million tokens at the provider's list price, for estimates. */
  usdPerMillionTokens: number;
  /** The provider does not serve it any more; the name is still accepted. */
  retired: boolean;
}

export const KNOWN_MODELS: readonly KnownModel[] = [
  known("text-embedding-3-small", "openai", 1536, [256, 512, 1536], 8191, 0.02),
  known("text-embedding-3-large", "openai", 3072, [256, 1024, 3072], 8191, 0.13),
  known("text-embedding-ada-002", "openai", 1536, null, 8191, 0.1),
  known("embed-english-v3.0", "cohere", 1024, null, 512, 0.1),
  known("embed-multilingual-v3.0", "cohere", 1024, null, 512, 0.1),
  { ...known("voyage-3-large", "voyage", 1024, [256, 512, 1024, 2048], 32_000, 0.18), matryoshkaExact: true },
  known("voyage-3-lite", "voyage", 512, null, 32_000, 0.02),
  known("mistral-embed", "mistral", 1024, null, 8192, 0.1),
  { ...known("text-embedding-004", "google", 768, [64, 128, 256, 512, 768], 2048, 0), retired: true },
];

function known(
  name: string,
  provider: ProviderName,
  dimensions: number,
  matryoshka: number[] | null,
  maxTokens: number,
  usdPerMillionTokens: number,
): KnownModel {
  return {
    name,
    provider,
    dimensions,
    matryoshka,
    matryoshkaExact: false,
    maxTokens,
    usdPerMillionTokens,
    retired: false,
  };
}

export function knownModel(name: string): KnownModel | undefined {
  return KNOWN_MODELS.find((model) => model.name === name);
}

export interface Catalog {
  /** Ids of the models that can run: bundled, local, remote with a configured provider. */
  models: readonly string[];
  /** The model that runs where a client names none, and that answers the well-known names. */
  defaultModel: string;
  /** Operator's names -> model ids or other names. */
  aliases: ReadonlyMap<string, string>;
  /** Whether well-known names without a provider run on the default model. */
  defaultAliases: boolean;
}

export type Resolution =
  | { ok: true; model: string; /** The name is not the model's own. */ alias: boolean }
  | { ok: false; reason: "unavailable" | "unknown" | "reranker"; message: string };

/** The model that a name stands for. `null` or undefined is the default model. */
export function resolveModelName(name: string | null | undefined, catalog: Catalog): Resolution {
  if (name === null || name === undefined || name === "") {
    return { ok: true, model: catalog.defaultModel, alias: false };
  }
  const target = followAliases(name, catalog.aliases);
  if (catalog.models.includes(target)) return { ok: true, model: target, alias: target !== name };
  const hosted = knownModel(target);
  if (hosted !== undefined) {
    if (catalog.defaultAliases) return { ok: true, model: catalog.defaultModel, alias: true };
    return { ok: false, reason: "unavailable", message: unavailableMessage(hosted) };
  }
  const via = target === name ? "" : ` (an alias of '${target}')`;
  const list = listNames(catalog).map((known) => `'${known}'`);
  return {
    ok: false,
    reason: "unknown",
    message: `Unknown embedding model '${name}'${via}. Available: ${list.join(", ")}.`,
  };
}

/** Every name that resolves, in a fixed order: models, operator's aliases, well-known names. */
export function listNames(catalog: Catalog): string[] {
  const aliases = [...catalog.aliases.keys()].filter((alias) => resolvesToModel(alias, catalog));
  const hosted = catalog.defaultAliases ? KNOWN_MODELS.map((model) => model.name) : [];
  return [...new Set([...catalog.models, ...aliases, ...hosted])];
}

function resolvesToModel(name: string, catalog: Catalog): boolean {
  const target = followAliases(name, catalog.aliases);
  return catalog.models.includes(target) || (catalog.defaultAliases && knownModel(target) !== undefined);
}

/** The name at the end of a chain of aliases. A name that leads back to itself stays what it is. */
export function followAliases(name: string, aliases: ReadonlyMap<string, string>): string {
  const seen = new Set<string>();
  let current = name;
  for (;;) {
    const next = aliases.get(current);
    if (next === undefined || next === current) return current;
    if (seen.has(current)) return name;
    seen.add(current);
    current = next;
  }
}

/** What an operator sets so that a well-known name means the provider's own model. */
export function providerSetting(provider: ProviderName): string {
  return `LECTERN_${provider.toUpperCase()}_API_KEY`;
}

function unavailableMessage(model: KnownModel): string {
  return (
    `The embedding model '${model.name}' needs a provider that is not configured: set ${providerSetting(model.provider)}, ` +
    "or start without --no-default-aliases to let the bundled model answer for it."
  );
}
