import { AppError } from "../../errors.ts";
import type { QueryLogRow } from "../../storage/query-log.ts";
import type { RowIds } from "../../storage/shown-ids.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Cursor } from "../../http/openai.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { LoggedQuery } from "./schema.ts";

export interface QueriesDeps extends Pick<Storage, "queryLog" | "shownIds"> {
  access: StoreAccess;
  /** Writes what waits to be logged. */
  flush: () => Promise<void>;
}

/** The searches of a store, for those who may read it. */
export interface QueriesService {
  /** `since`: a time as the client writes it; all that is kept where it names none. */
  list(asking: Asking, cursor: Cursor, since: string | undefined): Promise<{ data: LoggedQuery[]; hasMore: boolean }>;
}

export function queriesService({ queryLog, shownIds: { queries: ids }, access, flush }: QueriesDeps): QueriesService {
  return {
    async list(asking, cursor, since) {
      const store = await access.open(asking);
      const sinceSeconds = since === undefined ? 0 : readSince(since);
      await flush();
      const newest = (await queryLog.newest(store.tenant_id, store.id)) ?? 0;
      // Its place is in the id, so that a cursor stays good when its entry has been trimmed.
      const place = (id: string) => {
        const seq = ids.rowOf(id);
        return seq === null || seq > newest ? undefined : seq;
      };
      const query = await pageQuery(cursor, place, "logged query");
      const { rows, hasMore } = await queryLog.list(store.tenant_id, store.id, query, sinceSeconds);
      return { data: rows.map((row) => show(row, ids)), hasMore };
    },
  };
}

function show({ seq, created_at, query, query_sha256, body }: QueryLogRow, ids: RowIds): LoggedQuery {
  return {
    id: ids.idOf(seq),
    object: "vector_store.query",
    created_at,
    query,
    query_sha256,
    ...body,
  };
}

const ISO_8601 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;

/** Unix seconds, or ISO-8601 (UTC where it names no zone). */
function readSince(text: string): number {
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Number(text);
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) || text.length <= 10 ? text : `${text}Z`;
  const ms = ISO_8601.test(text) ? Date.parse(zoned.replace(" ", "T")) : Number.NaN;
  if (Number.isFinite(ms)) return ms / 1000;
  throw new AppError("invalid_since", "Invalid 'since': expected a time in ISO-8601 or in Unix seconds.", {
    param: "since",
  });
}
