import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { type DeletionCheckDeps, remainingOf } from "../../storage/deletion-check.ts";
import type { DeletionRow, RemovedCounts } from "../../storage/deletions.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Deletion } from "./schema.ts";

export interface DeletionsDeps {
  storage: Pick<Storage, "deletions">;
  clock: Clock;
  check: DeletionCheckDeps;
}

export type DeletionsService = ReturnType<typeof deletionsService>;

/** What was deleted, and the proof that it is gone. Operators see those of all tenants, other administrators their own. */
export function deletionsService({ storage: { deletions }, clock, check }: DeletionsDeps) {
  function find(caller: Caller, id: string): DeletionRow {
    const row = deletions.get(id);
    if (row === null || (caller.isOperator !== true && row.tenant_id !== caller.tenantId)) throw notFound(id);
    return row;
  }

  return {
    list(caller: Caller, cursor: Cursor): { data: Deletion[]; hasMore: boolean } {
      const own = caller.isOperator === true ? null : caller.tenantId;
      const place = (id: string) => {
        const row = deletions.get(id);
        return row === null || (own !== null && row.tenant_id !== own) ? undefined : row.seq;
      };
      const query = pageQuery(cursor, place, "deletion");
      const { rows, hasMore } = deletions.list(own, query);
      return { data: rows.map(show), hasMore };
    },

    get: (caller: Caller, id: string): Deletion => show(find(caller, id)),

    /** Looks everywhere again, now. */
    async verify(caller: Caller, id: string): Promise<Deletion> {
      const row = find(caller, id);
      deletions.setVerified(row.seq, clock.nowSeconds(), await remainingOf(check, row));
      return show(find(caller, id));
    },
  };
}

function show(row: DeletionRow): Deletion {
  const { files, chunks, vectors, keyword_postings, cache_entries, bytes } = row;
  return {
    id: row.id,
    object: "deletion",
    tenant_id: row.tenant_id,
    subject: { type: row.subject_type, id: row.subject_id },
    requested_at: row.requested_at,
    completed_at: row.completed_at,
    removed: { files, chunks, vectors, keyword_postings, cache_entries, bytes },
    remaining: row.remaining === null ? null : (JSON.parse(row.remaining) as RemovedCounts),
    verified_at: row.verified_at,
  };
}

function notFound(id: string): AppError {
  return new AppError("deletion_not_found", `No deletion found with id '${id.slice(0, 100)}'`);
}
