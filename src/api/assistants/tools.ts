/** From tools as clients send them to tools as they are kept and shown: with every default filled in. */
import { under } from "../../answers/search-tool.ts";
import { chooseRanker, type RerankDeps } from "../../search/rerank.ts";
import type { KeptRankingOptions } from "../../storage/thread-items.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { AssistantTool } from "./tools-schema.ts";

export interface ToolRules {
  rules: DialectRules;
  rankers: RerankDeps["rankers"];
}

/** What OpenAI shows where nothing was asked for. */
const RANKER = "default_2024_08_21";
const NO_PARAMETERS = { type: "object", properties: {} };

/** Throws a 400 for a ranker that is not here. */
export function keptTools(tools: readonly AssistantTool[], rules: ToolRules): Record<string, unknown>[] {
  return tools.map((tool, i) => {
    switch (tool.type) {
      case "code_interpreter":
        return { type: tool.type };
      case "function": {
        const { name, description, parameters, strict } = tool.function;
        const about = description === undefined ? {} : { description };
        return {
          type: tool.type,
          function: { name, ...about, parameters: parameters ?? NO_PARAMETERS, strict: strict ?? false },
        };
      }
      case "file_search": {
        const { max_num_results: most, ranking_options: options } = tool.file_search ?? {};
        checkRanker(options?.ranker, `tools[${i}].file_search`, rules);
        const ranking = { ranker: RANKER, score_threshold: 0, ...options };
        return {
          type: tool.type,
          file_search: { ...(most === undefined ? {} : { max_num_results: most }), ranking_options: ranking },
        };
      }
    }
  });
}

function checkRanker(ranker: string | undefined, param: string, { rules, rankers }: ToolRules): void {
  const wish = ranker === undefined ? {} : { ranker };
  const openaiRankersOnly = ranker !== undefined && ranker !== RANKER && (rules.openaiRankersOnly ?? false);
  under(param, () => chooseRanker(wish, { asked: ["?"] }, { openaiRankersOnly, rankers }));
}

export interface KeptFileSearch {
  type: "file_search";
  file_search: { max_num_results?: number; ranking_options: KeptRankingOptions };
}

/** The tool that searches, among kept ones. */
export function fileSearchIn(tools: readonly Record<string, unknown>[]): KeptFileSearch | null {
  return (tools.find(({ type }) => type === "file_search") as KeptFileSearch | undefined) ?? null;
}
