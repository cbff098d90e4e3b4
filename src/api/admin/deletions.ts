import type { Clock } from "../../platform/clock.ts";
import { checkDeletion, type DeletionCheckDeps, lastCheck } from "../../storage/deletion-check.ts";
import type { DeletionRow, RemainingCounts } from "../../storage/deletions.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import { notFound } from "../../http/not-found.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Deletion } from "./schema.ts";

export interface DeletionsDeps {
  storage: Pick<Storage, "deletions">;
  clock: Clock;
  check: DeletionCheckDeps;
}

/** What was deleted, and the proof that it is gone. Operators see those of all tenants, other administrators their own. */
export interface DeletionsService {
  list(caller: Caller, cursor: Cursor): Promise<{ data: Deletion[]; hasMore: boolean }>;
  get(caller: Caller, id: string): Promise<Deletion>;
  /** Looks everywhere again, now; over PostgreSQL at every server. */
  verify(caller: Caller, id: string): Promise<Deletion>;
}

export function deletionsService({ storage: { deletions }, clock, check }: DeletionsDeps): DeletionsService {
  async function find(caller: Caller, id: string): Promise<DeletionRow> {
    const row = await deletions.get(id);
    if (row === null || (caller.isOperator !== true && row.tenant_id !== caller.tenantId))
      throw notFound("deletion", id);
    return row;
  }

  return {
    async list(caller, cursor) {
      const own = caller.isOperator === true ? null : caller.tenantId;
      const place = async (id: string) => {
        const row = await deletions.get(id);
        return row === null || (own !== null && row.tenant_id !== own) ? undefined : row.seq;
      };
      const query = await pageQuery(cursor, place, "deletion");
      const { rows, hasMore } = await deletions.list(own, query);
      return { data: rows.map(show), hasMore };
    },

    get: async (caller, id) => show(await find(caller, id)),

    async verify(caller, id) {
      const row = await find(caller, id);
      const found = await checkDeletion(check, row);
      await deletions.setVerified(row.seq, ...lastCheck(found, clock.nowSeconds()));
      return show(await find(caller, id));
    },
  };
}

function show(row: DeletionRow): Deletion {
  const { files, chunks, vectors, keyword_postings, cache_entries, bytes, results } = row;
  return {
    id: row.id,
    object: "deletion",
    tenant_id: row.tenant_id,
    subject: { type: row.subject_type, id: row.subject_id },
    requested_at: row.requested_at,
    completed_at: row.completed_at,
    removed: { files, chunks, vectors, keyword_postings, cache_entries, bytes, results },
    remaining: row.remaining === null ? null : inOrder(row.remaining),
    verified_at: row.verified_at,
    unchecked: row.remaining?.unchecked ?? null,
  };
}

/** In the order of the document, whatever was not counted when the receipt was written. */
function inOrder(left: RemainingCounts): RemainingCounts {
  const { files, chunks, vectors, keyword_postings, cache_entries, bytes, results, answers } = left;
  return { files, chunks, vectors, keyword_postings, cache_entries, bytes, results, answers };
}
