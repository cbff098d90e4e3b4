import { AppError } from "../../errors.ts";
import { randomText } from "../../platform/ids.ts";
import { float } from "../../http/openai.ts";
import type { BundledRanking } from "../../search/bundled-ranker.ts";
import { bundledScores } from "../../search/bundled-ranker.ts";
import type { TextAnalysis, TextAsker } from "../../index/text-analysis.ts";
import { rerankError } from "../../models/failures.ts";
import type { RankerCatalog } from "../../models/ranker-catalog.ts";
import type { RerankAsk } from "../../models/rerankers.ts";
import { readRerank } from "./documents.ts";
import type { RerankAnswer, RerankBody } from "./schema.ts";

export interface RerankDeps {
  rankers: RankerCatalog;
  bundled: BundledRanking;
  texts: TextAnalysis;
  /** The name that answers show where the bundled ranking ran. */
  bundledName: string;
  onRerank: (use: { model: string; documents: number; tokens: number; seconds: number; ok: boolean }) => void;
}

/** Which documents fit a query best. */
export interface RerankService {
  /** In turns with other tenants. */
  rerank(body: RerankBody, asker: TextAsker): Promise<RerankAnswer>;
}

/** Cohere's clients will not do without; nothing is billed. */
const META: RerankAnswer["meta"] = { api_version: { version: "2" }, billed_units: { search_units: 1 } };

/** Scores of the documents, and the tokens of the query and of all of them. */
interface Scored {
  scores: Float64Array;
  tokens: number;
}

export function rerankService({ rankers, bundled, bundledName, texts: lane, onRerank }: RerankDeps): RerankService {
  return {
    async rerank(body, asker) {
      const { query, texts, most } = readRerank(body);
      const model = choose(body.model);
      const asked = { ...asker, query, documents: texts };
      const { scores, tokens } = model === null ? await byBundled(asked) : await by(model, asked);
      const order = texts.map((_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
      return {
        id: `rerank-${randomText(24)}`,
        object: "list",
        model: model ?? bundledName,
        results: order.slice(0, most ?? order.length).map((index) => ({
          index,
          relevance_score: float(scores[index] ?? 0),
          ...(body.return_documents === true ? { document: sent(body.documents?.[index] ?? "") } : {}),
        })),
        meta: META,
        usage: { total_tokens: tokens },
      };
    },
  };

  async function by(name: string, asked: RerankAsk): Promise<Scored> {
    const [result, counted] = await Promise.all([
      rankers.rerank(name, asked),
      lane.count([asked.query, ...asked.documents], asked),
    ]);
    if (!result.ok) throw rerankError(result, name);
    return { scores: result.scores, tokens: sum(counted) };
  }

  function choose(name: string | undefined): string | null {
    if (name === undefined) return fallback();
    const choice = rankers.chooseHosted(name);
    if (choice.ok) return choice.model;
    if (choice.reason === "unavailable") throw new AppError("reranker_unavailable", choice.message, { param: "model" });
    const list = rankers.names().map((known) => `'${known}'`);
    const text = `Invalid 'model': ${choice.message}. Available: ${list.join(", ")}; the server's --alias NAME=MODEL gives one of them another name.`;
    throw new AppError("model_not_found", text, { param: "model" });
  }

  function fallback(): string | null {
    if (rankers.preferred !== null) return rankers.preferred;
    const installed = rankers.installed();
    if (installed.length < 2) return installed[0] ?? null;
    const list = rankers.names().map((known) => `'${known}'`);
    const text = `Missing required parameter: 'model'. There are several rerankers: ${list.join(", ")}.`;
    throw new AppError("missing_required_parameter", text, { param: "model" });
  }

  async function byBundled(asked: RerankAsk): Promise<Scored> {
    const startedAt = performance.now();
    let tokens = 0;
    let ok = false;
    try {
      const [found, counted] = await Promise.all([bundledScores(bundled, asked), lane.count([asked.query], asked)]);
      tokens = found.tokens + sum(counted);
      ok = true;
      return { scores: found.scores, tokens };
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      onRerank({ model: bundledName, documents: asked.documents.length, tokens, seconds, ok });
    }
  }
}

/** A document as it comes back: an object as it was sent. */
function sent(document: string | Record<string, unknown>): Record<string, unknown> {
  return typeof document === "string" ? { text: document } : document;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}
