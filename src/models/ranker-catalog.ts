import type { RerankResult } from "../embed/reranker.ts";
import { isHostedReranker } from "./hosted-rerankers.ts";
import { BUNDLED_RANKER, type Models } from "./models.ts";
import type { RerankAsk } from "./rerankers.ts";

/** What clients may be told of rerankers, and which of them runs. */
export interface RankerCatalog {
  /** Names that may be asked for: rerankers, other names of them, and the bundled ranking. */
  names(): string[];
  /** What a name stands for. */
  choose(name: string): RankerChoice;
  /** The same, and names of hosted rerankers, which the default one answers for so that unmodified clients work. */
  chooseHosted(name: string): RankerChoice;
  /** The reranker that the operator chose for searches and requests that name none, or null. */
  readonly preferred: string | null;
  /** Rerankers that are there, without other names and without the bundled ranking. */
  installed(): string[];
  /** Candidates of a search that are reranked. */
  readonly candidates: number;
  rerank(model: string, asked: RerankAsk): Promise<RerankResult>;
}

/** `model` null: the ranking that searches have without a reranker. */
export type RankerChoice =
  | { ok: true; model: string | null }
  | { ok: false; reason: "unknown" | "unavailable"; message: string };

/** What an operator says of rerankers; read at every use, so that it can be changed while the server runs. */
export interface RankerSettings {
  /** For searches and requests that name none; null: the ranking without a reranker. */
  defaultRanker: string | null;
  /** Whether names of hosted rerankers are refused rather than answered by one that is here. */
  noDefaultAliases: boolean;
  /** Candidates of a search that are reranked. */
  rerankCandidates: number;
  /** Other names of models and rerankers. */
  modelNames: ReadonlyMap<string, string>;
}

/** The rerankers as clients see them. */
export function rankerCatalog(
  models: Models,
  { defaultRanker, noDefaultAliases, rerankCandidates, modelNames }: RankerSettings,
): RankerCatalog {
  const { rerankers } = models;
  // One that has gone missing keeps its name: searches fail then, rather than be ranked by something else.
  const preferred = () => {
    const target = defaultRanker === null ? null : (models.rankerOf(defaultRanker) ?? defaultRanker);
    return target === BUNDLED_RANKER ? null : target;
  };
  const catalog: RankerCatalog = {
    get preferred() {
      return preferred();
    },
    candidates: rerankCandidates,
    installed: () => rerankers.ids(),
    names() {
      const others = [...modelNames.keys()].filter((name) => models.rankerOf(name) !== null);
      return [...new Set([...rerankers.ids(), ...others, BUNDLED_RANKER])];
    },
    choose(name): RankerChoice {
      const found = models.rankerOf(name);
      if (found !== null) return { ok: true, model: found === BUNDLED_RANKER ? null : found };
      const resolved = models.resolve(name);
      if (resolved.ok) {
        return { ok: false, reason: "unknown", message: `'${name}' is an embedding model, not a reranker` };
      }
      // Where a model was set up but cannot be used, another must not answer in its place.
      if (models.isBroken(name)) return { ok: false, reason: "unavailable", message: unusable(name) };
      return { ok: false, reason: "unknown", message: `there is no reranker '${name}'` };
    },
    chooseHosted(name) {
      const choice = catalog.choose(name);
      if (choice.ok || choice.reason === "unavailable" || !isHostedReranker(name)) return choice;
      if (noDefaultAliases) return { ok: false, reason: "unavailable", message: hosted(name) };
      const [only, ...more] = rerankers.ids();
      return { ok: true, model: preferred() ?? (more.length === 0 ? (only ?? null) : null) };
    },
    rerank: (model, asked) => rerankers.rerank(model, asked),
  };
  return catalog;
}

function unusable(name: string): string {
  return `The reranker '${name}' is set up but cannot be used now; the server's log and "lectern models list" say why.`;
}

function hosted(name: string): string {
  return `The reranker '${name}' is a hosted one, which this server does not ask; start without --no-default-aliases to let its own answer for it.`;
}
