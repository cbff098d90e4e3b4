/**
 * Names of models: what a client may call them, and which model then runs.
 *
 * In this order: what the operator named (aliases), models that are there, and, where no provider is configured, the
 * well-known names of hosted providers, which the bundled model answers so that unmodified clients work on a machine
 * without a network.
 */
import { KNOWN_MODELS, type KnownModel, knownModel, type ProviderName } from "../embed/known-models.ts";

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
