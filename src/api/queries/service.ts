import { AppError } from "../../errors.ts";
import { ALL_SEARCHES, type QueryLogRow, type WantedSearches } from "../../storage/query-log.ts";
import type { RowIds } from "../../storage/shown-ids.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Cursor } from "../../http/openai.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { ListQueriesQuery, LoggedQuery } from "./schema.ts";

export interface QueriesDeps extends Pick<Storage, "queryLog" | "shownIds"> {
  access: StoreAccess;
  /** Writes what waits to be logged. */
  flush: () => Promise<void>;
}

export type Wanted = Pick<ListQueriesQuery, "since" | "until" | "query" | "empty" | "min_latency_ms" | "key_id">;

/** The searches of a store, for those who may read it. */
export interface QueriesService {
  /** Times are as the client writes them; all that is kept where it names none. */
  list(asking: Asking, cursor: Cursor, wanted: Wanted): Promise<{ data: LoggedQuery[]; hasMore: boolean }>;
}

export function queriesService({ queryLog, shownIds: { queries: ids }, access, flush }: QueriesDeps): QueriesService {
  return {
    async list(asking, cursor, wanted) {
      const store = await access.open(asking);
      const { since, until } = wanted;
      const searches: WantedSearches = {
        since: since === undefined ? ALL_SEARCHES.since : readTime(since, "since"),
        until: until === undefined ? ALL_SEARCHES.until : readTime(until, "until"),
        text: wanted.query === undefined || wanted.query === "" ? null : wanted.query,
        empty: wanted.empty === true,
        leastMs: wanted.min_latency_ms ?? null,
        keyId: wanted.key_id ?? null,
      };
      await flush();
      const newest = (await queryLog.newest(store.tenant_id, store.id)) ?? 0;
      // Its place is in the id, so that a cursor stays good when its entry has been trimmed.
      const place = (id: string) => {
        const seq = ids.rowOf(id);
        return seq === null || seq > newest ? undefined : seq;
      };
      const query = await pageQuery(cursor, place, "logged query");
      const { rows, hasMore } = await queryLog.list(store.tenant_id, store.id, query, searches);
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
function readTime(text: string, param: "since" | "until"): number {
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Number(text);
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) || text.length <= 10 ? text : `${text}Z`;
  const ms = ISO_8601.test(text) ? Date.parse(zoned.replace(" ", "T")) : Number.NaN;
  if (Number.isFinite(ms)) return ms / 1000;
  const message = `Invalid '${param}': expected a time in ISO-8601 or in Unix seconds.`;
  throw new AppError(param === "since" ? "invalid_since" : "invalid_value", message, { param });
}
