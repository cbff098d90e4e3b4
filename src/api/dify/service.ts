import { float } from "../../http/openai.ts";
import type { Caller } from "../../http/caller.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Asking } from "../asking.ts";
import { everyFile } from "../every-file.ts";
import { MOST_PASSAGES, type Passage, type PassageSearch, textOf } from "../passages.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { StoreAccess } from "../store-access.ts";
import { storeByName } from "../store-by-name.ts";
import { type FileTest, type Plan, planOf } from "./conditions.ts";
import type { DifyBody, DifyRecords } from "./schema.ts";

export interface DifyDeps extends Pick<Storage, "stores" | "storeFiles"> {
  access: StoreAccess;
  search: PassageSearch;
}

/** A store as external knowledge of Dify. */
export interface DifyService {
  retrieve(caller: Caller, body: DifyBody, signal: AbortSignal): Promise<DifyRecords>;
}

const DEFAULT_TOP_K = 5;

export function difyService({ stores, storeFiles, access, search }: DifyDeps): DifyService {
  return {
    async retrieve(caller, body, signal) {
      const storeId = await storeByName({ stores }, caller, { name: body.knowledge_id, param: "knowledge_id" });
      const asking: Asking = { caller, storeId, rules: presenterFor("openai").rules };
      const { top_k: topK, score_threshold: threshold } = body.retrieval_setting ?? {};
      const plan = planOf(body);
      const filters = plan === null ? {} : { filters: await filterOf(plan, asking, signal) };
      const wanted = {
        query: body.query,
        max_num_results: Math.min(topK ?? DEFAULT_TOP_K, MOST_PASSAGES),
        ranking_options: { score_threshold: threshold ?? 0 },
        ...filters,
      };
      const { page } = await search.search(asking, wanted, signal);
      return { records: page.data.map(recordOf) };
    },
  };

  async function filterOf(plan: Plan, asking: Asking, signal: AbortSignal): Promise<Record<string, unknown>> {
    const ids = new Map<FileTest, string[]>(plan.tests.map((test) => [test, []]));
    if (plan.tests.length === 0) return plan.filter(ids);
    const store = await access.usable(asking);
    for await (const rows of everyFile(storeFiles, store, { status: "completed", filename: null }, signal))
      for (const [test, found] of ids) for (const row of rows) if (test.holds(row)) found.push(row.file_id);
    return plan.filter(ids);
  }
}

/** `metadata` is an object whatever there is to say: Dify loses a record without one. */
function recordOf(passage: Passage): DifyRecords["records"][number] {
  const { file_id: fileId, filename, chunk_id: chunkId, page, heading = [], attributes } = passage;
  const own = {
    document_id: fileId,
    ...(chunkId === undefined ? {} : { chunk_id: chunkId }),
    path: filename,
    ...(page == null ? {} : { page }),
    ...(heading.length === 0 ? {} : { heading: heading.join(" › ") }),
  };
  // The attributes last: nothing of this server's hides what the owner of the file wrote.
  return {
    content: textOf(passage),
    score: float(passage.score),
    title: filename,
    metadata: { ...own, ...attributes },
  };
}
