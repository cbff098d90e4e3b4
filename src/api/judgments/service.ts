import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { JudgmentRow } from "../../storage/judgments.ts";
import { OF_STORE } from "../../storage/judgments.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { notFound } from "../../http/not-found.ts";
import { pageQuery } from "../../http/page-query.ts";
import { merged, readJudgments } from "../judgment-input.ts";
import type { AddJudgmentsBody, Judgment } from "../judgment-schema.ts";
import { showRelevant } from "../judgment-show.ts";
import { MAX_JUDGMENTS, MAX_RELEVANT } from "../judgment-schema.ts";

export interface JudgmentsDeps extends Pick<Storage, "transaction" | "judgments" | "shownIds"> {
  clock: Clock;
  access: StoreAccess;
  cursors: Cursors;
}

/** What came of adding judged queries. */
export interface AddedJudgments {
  data: Judgment[];
  added: number;
  replaced: number;
  /** That the store has now. */
  total: number;
}

/** What should be found in a store, as people judged it. */
export interface JudgmentsService {
  /** Adds judged queries; one that is there already has its list replaced, or added to. All of them, or none. */
  add(asking: Asking, body: AddJudgmentsBody): Promise<AddedJudgments>;
  /** `asked`: only what is judged for exactly this query. */
  list(asking: Asking, cursor: Cursor, asked?: string): Promise<{ data: Judgment[]; hasMore: boolean }>;
  remove(asking: Asking, id: string): Promise<void>;
  /** Returns how many there were. */
  removeAll(asking: Asking): Promise<number>;
}

const REMOVED_AT_ONCE = 1000;

export function judgmentsService(deps: JudgmentsDeps): JudgmentsService {
  const { transaction, judgments, clock, access, cursors, shownIds } = deps;

  return {
    async add(asking, body) {
      const store = await access.usable(asking);
      const owner = { tenantId: store.tenant_id, storeId: store.id, evaluation: OF_STORE };
      const read = await readJudgments({ judgments, shownIds }, store, {
        given: body.judgments,
        strict: true,
        merge: body.merge,
      });
      const { rows, ...counts } = await transaction(async ({ judgments, stores }) => {
        await access.usable(asking, stores);
        const before = await judgments.count(owner);
        const at = clock.nowSeconds();
        const rows: JudgmentRow[] = [];
        for (const [i, { query, relevant }] of read.entries()) {
          const there = body.merge === true ? await judgments.ofQuery(owner, query) : null;
          const all = there === null ? relevant : merged(there.relevant, relevant);
          if (all.length > MAX_RELEVANT) throw tooManyAnswers(i, all.length);
          rows.push(await judgments.put(owner, { id: newId("q_"), query, relevant: all }, at));
        }
        const total = await judgments.count(owner);
        if (total > MAX_JUDGMENTS) {
          const text = `Invalid 'judgments': a vector store has at most ${MAX_JUDGMENTS} judged queries, and this one would have ${total}.`;
          throw new AppError("array_above_max_length", text, { param: "judgments" });
        }
        const added = total - before;
        return { rows, added, replaced: rows.length - added, total };
      });
      return { data: await shown(deps, store, rows), ...counts };
    },

    async list(asking, cursor, asked) {
      const store = await access.open(asking);
      if (asked !== undefined) {
        const owner = { tenantId: store.tenant_id, storeId: store.id, evaluation: OF_STORE };
        const row = await judgments.ofQuery(owner, asked);
        return { data: await shown(deps, store, row === null ? [] : [row]), hasMore: false };
      }
      const seqOf = async (id: string) =>
        (await judgments.get(store.tenant_id, store.id, id))?.seq ?? cursors.find(store.tenant_id, id);
      const query = await pageQuery(cursor, seqOf, "judgment");
      const { rows, hasMore } = await judgments.list(store.tenant_id, store.id, query);
      cursors.remember(store.tenant_id, rows);
      return { data: await shown(deps, store, rows), hasMore };
    },

    async remove(asking, id) {
      const store = await access.open(asking);
      if (await judgments.remove(store.tenant_id, store.id, id)) return;
      throw notFound("judgment", id, { param: "judgment_id" });
    },

    async removeAll(asking) {
      const store = await access.open(asking);
      const owner = { tenantId: store.tenant_id, storeId: store.id, evaluation: OF_STORE };
      return await transaction(async ({ judgments }) => {
        let count = 0;
        for (;;) {
          const removed = await judgments.removeSome(owner, REMOVED_AT_ONCE);
          if (removed === 0) return count;
          count += removed;
        }
      });
    },
  };
}

async function shown(
  { judgments, shownIds }: Pick<JudgmentsDeps, "judgments" | "shownIds">,
  { tenant_id: tenantId, id: storeId }: Pick<StoreRow, "tenant_id" | "id">,
  rows: readonly JudgmentRow[],
): Promise<Judgment[]> {
  const judged = rows.flatMap(({ relevant }) => relevant.flatMap(({ file }) => file ?? []));
  const files = await judgments.filesOf(tenantId, storeId, [...new Set(judged)]);
  return rows.map((row) => ({
    id: row.id,
    object: "vector_store.judgment",
    vector_store_id: storeId,
    created_at: row.created_at,
    query: row.query,
    relevant: showRelevant(row.relevant, files, shownIds.chunks),
  }));
}

function tooManyAnswers(place: number, count: number): AppError {
  const param = `judgments[${place}].relevant`;
  const text = `Invalid '${param}': a query has at most ${MAX_RELEVANT} judged files and chunks, and this one would have ${count}.`;
  return new AppError("array_above_max_length", text, { param });
}
