/** The tool that searches documents, as a request names it, and the searches that it stands for. */
import { AppError } from "../errors.ts";
import { parseFilter } from "../search/filters.ts";
import { fusionOf, type FusionWish } from "../search/fusion.ts";
import type { SearchRequest } from "../search/request.ts";
import type { RankerWish } from "../search/rerank.ts";

export interface FileSearchTool {
  type: "file_search";
  vector_store_ids: string[];
  max_num_results?: number | undefined;
  ranking_options?: (RankerWish & FusionWish & { score_threshold?: number | undefined }) | undefined;
  filters?: Record<string, unknown> | null | undefined;
}

export const DEFAULT_RESULTS = 20;

/** The search of these queries by the tool's own bounds. Throws a 400 that names the place below `param`. */
export function searchOf(
  tool: FileSearchTool,
  queries: readonly string[],
  { param, typedOnly = false }: { param: string; typedOnly?: boolean | undefined },
): SearchRequest {
  const options = tool.ranking_options ?? {};
  return {
    asked: [...queries],
    searched: [...queries],
    mode: "hybrid",
    filter: tool.filters ? parseFilter(tool.filters, { param: `${param}.filters`, typedOnly }) : null,
    maxResults: tool.max_num_results ?? DEFAULT_RESULTS,
    scoreThreshold: options.score_threshold ?? 0,
    fusion: under(param, () => fusionOf(options)),
    queryVector: null,
    contextWindow: 0,
    maxChunksPerFile: null,
    isRescored: options.ranker !== "none",
    explain: false,
  };
}

/** What `read` throws, with the place of the tool in front of the parameter's. */
export function under<T>(param: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AppError) || error.param === null) throw error;
    const { code, message, retryAfterSeconds } = error;
    const options = { param: `${param}.${error.param}`, retryAfterSeconds: retryAfterSeconds ?? undefined };
    throw new AppError(code, message.replaceAll(`'${error.param}'`, `'${param}.${error.param}'`), options);
  }
}
