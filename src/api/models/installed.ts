import type { FoundModel } from "../../models/found-model.ts";
import type { InstalledModel, Model } from "./schema.ts";

export interface Known {
  /** Every name that can be asked for. */
  list: readonly Model[];
  /** Where models are looked for. */
  found: readonly FoundModel[];
  inUse: readonly { model: string; stores: number }[];
}

/** What is known of each model in one row: names that stand for another are told of that other. */
export function installedModels({ list, found, inUse }: Known): InstalledModel[] {
  const models = new Map(list.filter((model) => !isAlias(model)).map((model) => [model.id, model]));
  const rows = found.map((one) => row(one, models.get(one.id)));
  // What comes with the server is in no place where models are looked for.
  const others = [...models.values()].filter(({ id }) => found.every((one) => one.id !== id));
  return [...rows, ...others.map((model) => row(partOfServer(model), model))].map((one) => ({
    ...one,
    aliases: list.filter((model) => isAlias(model) && model.resolves_to === one.id).map(({ id }) => id),
    vector_stores: inUse.find(({ model }) => model === one.id)?.stores ?? 0,
  }));
}

function isAlias({ location }: Model): boolean {
  return location === "alias";
}

function partOfServer({ id }: Model): FoundModel {
  return { id, location: "bundled", unrelated: null, problems: [], address: null, removable: false };
}

function row({ id, location, unrelated, problems, address, removable }: FoundModel, model: Model | undefined) {
  return {
    id,
    object: "model.installed" as const,
    kind: model?.type ?? null,
    location,
    usable: problems.length === 0,
    problems: [...problems],
    dimensions: model?.dimensions ?? null,
    max_tokens: model?.max_tokens ?? null,
    revision: model?.revision ?? null,
    unrelated_cosine: unrelated,
    address,
    removable,
  };
}
