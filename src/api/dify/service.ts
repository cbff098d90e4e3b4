import { float } from "../../http/openai.ts";
import type { Scalar } from "../../index/filter.ts";
import { nextTurn } from "../../platform/next-turn.ts";
import type { ChunkAttributes } from "../../storage/chunk-reads.ts";
import type { FileAttributes } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Asking } from "../asking.ts";
import { everyFile } from "../every-file.ts";
import { MOST_PASSAGES, type Passage, type PassageSearch, textOf } from "../passages.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { StoreAccess } from "../store-access.ts";
import { storeByName } from "../store-by-name.ts";
import { isListed, isOfFile, type Plan, planOf, type ValueTest } from "./conditions.ts";
import type { DifyBody, DifyRecords } from "./schema.ts";

export interface DifyDeps extends Pick<Storage, "stores" | "storeFiles" | "chunks" | "generations"> {
  access: StoreAccess;
  search: PassageSearch;
}

/** A store as external knowledge of Dify. */
export interface DifyService {
  retrieve(caller: Caller, body: DifyBody, signal: AbortSignal): Promise<DifyRecords>;
}

const DEFAULT_TOP_K = 5;
/** Chunks read between two turns of the event loop. */
const SLICE = 500;

export function difyService({ stores, storeFiles, chunks, generations, access, search }: DifyDeps): DifyService {
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
    const listed = new Map(plan.tests.map((test) => [test, new Set<Scalar>()]));
    if (plan.tests.length === 0) return plan.filter(listed);
    const store = await access.usable(asking);
    for await (const rows of everyFile(storeFiles, store, { status: "completed", filename: null }, signal)) {
      for (const [test, found] of listed)
        for (const row of rows) {
          if (!isOfFile(test)) addListed(test, found, row.attributes);
          else if (test.holds(test.key === "file_id" ? row.file_id : row.filename)) found.add(row.file_id);
        }
    }
    const own = [...listed].filter(([test]) => !isOfFile(test));
    if (own.length > 0)
      for await (const rows of everyChunk(store, signal))
        for (const [test, found] of own) for (const { attributes } of rows) addListed(test, found, attributes);
    return plan.filter(listed);
  }

  /** What chunks have of their own, in slices; requests have their turn between two. */
  async function* everyChunk(store: StoreRow, signal: AbortSignal): AsyncGenerator<ChunkAttributes[]> {
    const generation = await generations.liveOf(store);
    if (generation === null) return;
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const rows = await chunks.attributesBefore(generation, before, SLICE);
      yield rows;
      before = rows.at(-1)?.chunk_id ?? before;
      if (rows.length < SLICE) return;
      await nextTurn();
      signal.throwIfAborted();
    }
  }
}

function addListed(test: ValueTest, found: Set<Scalar>, attributes: FileAttributes | null): void {
  const value = attributes !== null && Object.hasOwn(attributes, test.key) ? attributes[test.key] : undefined;
  if (value !== undefined && isListed(test, value)) found.add(value);
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
