import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { JudgmentRow, Relevant } from "../../storage/judgments.ts";
import { OF_STORE } from "../../storage/judgments.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { chunkIdOf } from "../search/results.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import { readJudgments } from "./input.ts";
import type { AddJudgmentsBody, Judgment } from "./schema.ts";
import { MAX_JUDGMENTS } from "./schema.ts";

export interface JudgmentsDeps extends Pick<Storage, "db" | "judgments"> {
  clock: Clock;
  access: StoreAccess;
  cursors: Cursors;
}

export type JudgmentsService = ReturnType<typeof judgmentsService>;

const REMOVED_AT_ONCE = 1000;

/** What should be found in a store, as people judged it. */
export function judgmentsService({ db, judgments, clock, access, cursors }: JudgmentsDeps) {
  function show(storeId: string, row: JudgmentRow): Judgment {
    return {
      id: row.id,
      object: "vector_store.judgment",
      vector_store_id: storeId,
      created_at: row.created_at,
      query: row.query,
      relevant: (JSON.parse(row.relevant) as Relevant[]).map(({ file, chunk, grade }) => ({
        file_id: file,
        ...(chunk === null ? {} : { chunk_id: chunkIdOf(chunk) }),
        grade,
      })),
    };
  }

  return {
    /** Adds judged queries; one that is there already has its list replaced. All of them, or none. */
    add(caller: Caller, storeId: string, body: AddJudgmentsBody, rules: DialectRules) {
      const store = access.usable(caller, storeId, rules);
      const owner = { tenantId: store.tenant_id, storeId: store.id, evaluation: OF_STORE };
      const read = readJudgments(judgments, store, body.judgments, { strict: true });
      return db.transaction(() => {
        const before = judgments.count(owner);
        const at = clock.nowSeconds();
        const rows = read.map((one) => judgments.put(owner, { id: newId("q_"), ...one }, at));
        const total = judgments.count(owner);
        if (total > MAX_JUDGMENTS) {
          const text = `Invalid 'judgments': a vector store has at most ${MAX_JUDGMENTS} judged queries, and this one would have ${total}.`;
          throw new AppError("array_above_max_length", text, { param: "judgments" });
        }
        const added = total - before;
        return { data: rows.map((row) => show(store.id, row)), added, replaced: rows.length - added, total };
      });
    },

    list(caller: Caller, storeId: string, cursor: Cursor, rules: DialectRules) {
      const store = access.open(caller, storeId, rules);
      const seqOf = (id: string) =>
        judgments.get(store.tenant_id, store.id, id)?.seq ?? cursors.find(store.tenant_id, id);
      const query = pageQuery(cursor, seqOf, "judgment");
      const { rows, hasMore } = judgments.list(store.tenant_id, store.id, query);
      cursors.remember(store.tenant_id, rows);
      return { data: rows.map((row) => show(store.id, row)), hasMore };
    },

    remove(caller: Caller, storeId: string, id: string, rules: DialectRules): void {
      const store = access.open(caller, storeId, rules);
      if (judgments.remove(store.tenant_id, store.id, id)) return;
      throw new AppError("judgment_not_found", notFound(id), { param: "judgment_id" });
    },

    /** Returns how many there were. */
    removeAll(caller: Caller, storeId: string, rules: DialectRules): number {
      const store = access.open(caller, storeId, rules);
      const owner = { tenantId: store.tenant_id, storeId: store.id, evaluation: OF_STORE };
      return db.transaction(() => {
        let count = 0;
        for (;;) {
          const removed = judgments.removeSome(owner, REMOVED_AT_ONCE);
          if (removed === 0) return count;
          count += removed;
        }
      });
    },
  };
}

function notFound(id: string): string {
  return `No judgment found with id '${id.slice(0, 100)}'`;
}
