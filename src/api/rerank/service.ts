import { AppError } from "../../errors.ts";
import { countTokens } from "../../chunk/tokens.ts";
import { randomText } from "../../platform/ids.ts";
import { float } from "../../http/openai.ts";
import type { BundledRanking } from "../../search/bundled-ranker.ts";
import { bundledScores } from "../../search/bundled-ranker.ts";
import { rerankError } from "../../models/failures.ts";
import type { RankerCatalog } from "../../models/ranker-catalog.ts";
import { readRerank } from "./documents.ts";
import type { RerankAnswer, RerankBody } from "./schema.ts";

export interface RerankDeps {
  rankers: RankerCatalog;
  bundled: BundledRanking;
  /** The name that answers show where the bundled ranking ran. */
  bundledName: string;
  onRerank: (use: { model: string; documents: number; tokens: number; seconds: number; ok: boolean }) => void;
}

/** Which documents fit a query best. */
export interface RerankService {
  rerank(body: RerankBody, signal: AbortSignal): Promise<RerankAnswer>;
}

/** Cohere's clients will not do without; nothing is billed. */
const META: RerankAnswer["meta"] = { api_version: { version: "2" }, billed_units: { search_units: 1 } };

/** Texts counted between two turns of the event loop: about a millisecond of work. */
const COUNT_SLICE_CHARACTERS = 64 * 1024;

export function rerankService({ rankers, bundled, bundledName, onRerank }: RerankDeps): RerankService {
  return {
    async rerank(body, signal) {
      const { query, texts, most } = readRerank(body);
      const model = choose(body.model);
      const tokens = await countAll([query, ...texts]);
      const scores = model === null ? await byBundled(query, texts, tokens, signal) : await by(model);
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

      async function by(name: string): Promise<Float64Array> {
        const result = await rankers.rerank(name, query, texts, signal);
        if (!result.ok) throw rerankError(result, name);
        return result.scores;
      }
    },
  };

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

  async function byBundled(
    query: string,
    texts: readonly string[],
    tokens: number,
    signal: AbortSignal,
  ): Promise<Float64Array> {
    const startedAt = performance.now();
    let ok = false;
    try {
      const scores = await bundledScores(bundled, query, texts, signal);
      ok = true;
      return scores;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      onRerank({ model: bundledName, documents: texts.length, tokens, seconds, ok });
    }
  }
}

/** A document as it comes back: an object as it was sent. */
function sent(document: string | Record<string, unknown>): Record<string, unknown> {
  return typeof document === "string" ? { text: document } : document;
}

async function countAll(texts: readonly string[]): Promise<number> {
  let total = 0;
  let characters = 0;
  for (const text of texts) {
    characters += text.length;
    if (characters > COUNT_SLICE_CHARACTERS) {
      await new Promise((resolve) => setImmediate(resolve));
      characters = 0;
    }
    total += countTokens(text);
  }
  return total;
}
