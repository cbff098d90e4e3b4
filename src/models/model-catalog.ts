import type { Dimensions } from "../embed/vectors.ts";
import { BUNDLED_RANKER, type Models } from "./models.ts";

/** A model, or another name of one, that this server can be asked for. */
export interface KnownModel {
  /** What clients write. */
  name: string;
  type: "embedding" | "reranker";
  /** The model that runs: itself, or what the name stands for. Null where it cannot run here now. */
  model: string | null;
  revision: string | null;
  dimensions: number | null;
  maxTokens: number | null;
  location: "bundled" | "local" | "remote" | "alias";
  ownedBy: string;
  /** Unix seconds. */
  created: number;
}

/** A model that vectors are to be made with. */
export interface ChosenModel {
  /** The name as asked for, or the default's. */
  name: string;
  model: string;
  revision: string;
  dimensions: number;
  /** See ModelInfo. */
  windowTokens: number | null;
}

/** Which model runs for a name, or why none does; `message` is for the client. */
export type ModelChoice =
  | ({ ok: true } & ChosenModel)
  | { ok: false; reason: "unknown" | "unavailable" | "dimensions" | "reranker"; message: string };

/** What clients may be told of embedding models, and which of them runs. */
export interface ModelCatalog {
  /** Names that stand for others included. */
  list(): KnownModel[];
  get(name: string): KnownModel | null;
  /** Null asks for the default model, or for the model's own dimensions. */
  choose(name: string | null, dimensions: number | null): ModelChoice;
  /** Forgets a model that was added to the data directory; false where it cannot be removed. */
  remove(name: string): boolean;
}

/** The models as clients see them. `rankers`: names of rerankers. `created`: Unix seconds; models have no better date than the server's start. */
export function modelCatalog(models: Models, rankers: () => readonly string[], created: number): ModelCatalog {
  const show = (name: string, id: string): KnownModel => {
    const info = models.info(id);
    return {
      name,
      type: "embedding",
      model: info === null ? null : id,
      revision: info?.revision ?? null,
      dimensions: info?.dimensions ?? null,
      maxTokens: info?.maxTokens ?? null,
      location: name === id ? (info?.location ?? "local") : "alias",
      ownedBy: info?.location === "bundled" ? "lectern" : "organization-owner",
      created,
    };
  };
  const showRanker = (name: string, id: string): KnownModel => {
    const info = models.rerankers.info(id);
    return {
      name,
      type: "reranker",
      model: id,
      revision: info?.revision ?? null,
      dimensions: null,
      maxTokens: info?.maxTokens ?? null,
      location: name === id ? (info?.location ?? "bundled") : "alias",
      ownedBy: id === BUNDLED_RANKER ? "lectern" : "organization-owner",
      created,
    };
  };
  const find = (name: string): KnownModel | null => {
    const ranker = models.rankerOf(name);
    if (ranker !== null) return showRanker(name, ranker);
    const resolved = models.resolve(name);
    return resolved.ok ? show(name, resolved.model) : null;
  };
  return {
    list: () => [...models.names(), ...rankers()].flatMap((name) => find(name) ?? []),
    get: find,
    choose(name, dimensions): ModelChoice {
      const resolved = models.resolve(name);
      if (!resolved.ok) return resolved;
      const { model, alias } = resolved;
      const size = alias ? aliasDimensions(models, model, dimensions) : models.resolveDimensions(model, dimensions);
      if (!size.ok) return { ok: false, reason: "dimensions", message: size.message };
      return {
        ok: true,
        name: name ?? model,
        model,
        revision: models.info(model)?.revision ?? "",
        dimensions: size.dimensions,
        windowTokens: models.info(model)?.windowTokens ?? null,
      };
    },
    remove: (name) => models.remove(name),
  };
}

/** Zeros are added up to this many dimensions: more than any hosted model has. */
const MOST_FILLED = 4096;

/**
 * A client that names a hosted model asks for sizes which that model has, and its tables are made for them. Where the
 * model that answers for it is smaller, zeros follow its numbers, which change no cosine.
 */
function aliasDimensions(models: Models, id: string, asked: number | null): Dimensions {
  const own = models.info(id)?.dimensions;
  if (asked === null || own === undefined || asked <= own) return models.resolveDimensions(id, asked);
  if (asked <= MOST_FILLED) return { ok: true, dimensions: asked };
  return { ok: false, message: `At most ${MOST_FILLED} dimensions can be asked for, not ${asked}.` };
}
