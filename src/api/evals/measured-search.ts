import { AppError } from "../../errors.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";
import { presenterFor } from "../presenters/choose.ts";
import { rowOfChunkId } from "../search/results.ts";
import type { SearchMode } from "../search/schema.ts";
import type { SearchDeps, SearchRecord } from "../../search/search.ts";
import { searchService } from "../../search/search.ts";

export interface MeasuredSearchDeps extends Omit<SearchDeps, "onSearch"> {
  tenants: Pick<Storage["tenants"], "get">;
}

interface Asked {
  tenantId: string;
  storeId: string;
  /** `generation.id`; null: the live one. */
  generation: number | null;
  query: string;
  mode: SearchMode;
  results: number;
  /** Only the best chunk of each file. */
  onePerFile: boolean;
}

type Answer =
  | {
      ok: true;
      generation: number;
      hits: { file: string; chunk: number }[];
      ms: { total: number; embed: number };
    }
  | { ok: false; code: string; message: string; passing: boolean };

/** Failures that may be over when the same search is made later. */
const PASSING: ReadonlySet<string> = new Set([
  "overloaded",
  "rate_limit_exceeded",
  "embedding_provider_error",
  "embedding_model_unavailable",
  "reranker_unavailable",
  "shutting_down",
]);

/**
 * The search of the API for jobs that measure it: the same code from end to end, with what it took. It is not logged and
 * does not count as a use of the store.
 */
export function measuredSearch(deps: MeasuredSearchDeps) {
  const { rules } = presenterFor("openai");
  const stores = { ...deps.stores, touch: () => Promise.resolve() };

  return async (asked: Asked, signal: AbortSignal): Promise<Answer> => {
    const { tenantId, storeId, query, mode, results, onePerFile } = asked;
    let record: SearchRecord | null = null;
    const { search } = searchService({ ...deps, stores, onSearch: (made) => (record = made) });
    const caller: Caller = {
      keyId: "",
      tenantId,
      role: "read",
      storeIds: null,
      dialect: null,
      tenantStatus: (await deps.tenants.get(tenantId))?.status ?? "suspended",
    };
    const body = {
      query,
      search_mode: mode,
      max_num_results: results,
      ...(onePerFile ? { max_chunks_per_file: 1 } : {}),
    };
    try {
      const { page, generation } = await search(caller, storeId, body, rules, signal, asked.generation);
      const hits = page.data.map((hit) => ({ file: hit.file_id, chunk: rowOfChunkId(hit.chunk_id ?? "") ?? -1 }));
      const { total, embed } = (record as SearchRecord | null)?.latencyMs ?? { total: 0, embed: 0 };
      return { ok: true, generation, hits, ms: { total, embed } };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { ok: false, code: error.code, message: error.message, passing: PASSING.has(error.code) };
    }
  };
}
