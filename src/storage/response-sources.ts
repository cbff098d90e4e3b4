import type { FileId, StoreId, TenantId } from "./ids.ts";
import { type IsGone, type KeptItem, withoutSources } from "./response-items.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, table } from "./table.ts";

/** Which files an item of an answer holds text of, so that it goes with them. */
export const RESPONSE_SOURCE = table("response_source", {
  item: integer(),
  store_id: id<StoreId>(),
  file_id: id<FileId>(),
  tenant_id: id<TenantId>(),
  /** Passages of it whose text is in the item. */
  results: integer(),
  /** Quotations of it beside citations. */
  quotes: integer(),
  /** The item's text cites it. */
  cited: boolean(),
});

/** A file, in whatever store, or a store with all of its files. */
export interface Deleted {
  type: "file" | "vector_store";
  id: string;
}

export interface Source {
  store_id: StoreId;
  file_id: FileId;
  results: number;
  quotes: number;
  cited: boolean;
}

export interface ResponseSourcesTable {
  /** Inside the transaction that adds the item. */
  add(tenantId: TenantId, item: number, sources: readonly Source[]): Promise<void>;
  /** Of these files in stores, those of which one of the two is deleted. */
  gone(tenantId: TenantId, of: readonly Pick<Source, "store_id" | "file_id">[]): Promise<IsGone>;
  /** Empties up to `limit` items; inside a transaction of the caller. Returns how many, and their passages. */
  empty(tenantId: TenantId, deleted: Deleted, limit: number): Promise<{ items: number; results: number }>;
  /** Passages and quotations whose text is still there, and answers that cite it. */
  leftOf(tenantId: TenantId, deleted: Deleted): Promise<{ results: number; answers: number }>;
}

const COLUMNS = { file: "file_id", vector_store: "store_id" } as const;
const ADD = RESPONSE_SOURCE.into("item", "store_id", "file_id", "tenant_id", "results", "quotes", "cited");
const GONE = /*sql*/ `SELECT json_extract(j.value, '$[0]') AS store_id, json_extract(j.value, '$[1]') AS file_id FROM json_each(?2) j
  WHERE NOT EXISTS (SELECT 1 FROM vector_store s WHERE s.id = json_extract(j.value, '$[0]') AND s.tenant_id = ?1
                      AND s.lifecycle <> 'deleting')
     OR NOT EXISTS (SELECT 1 FROM file f WHERE f.id = json_extract(j.value, '$[1]') AND f.tenant_id = ?1)`;
const HELD = "tenant_id = ?1 AND (results > 0 OR quotes > 0)";
const SOME = {
  file: /*sql*/ `SELECT DISTINCT item FROM response_source WHERE file_id = ?2 AND ${HELD} LIMIT ?3`,
  vector_store: /*sql*/ `SELECT DISTINCT item FROM response_source WHERE store_id = ?2 AND ${HELD} LIMIT ?3`,
};
const COUNT = {
  file: /*sql*/ `SELECT CAST(coalesce(sum(results), 0) AS BIGINT) AS results FROM response_source WHERE item = ?3 AND file_id = ?2 AND tenant_id = ?1`,
  vector_store: /*sql*/ `SELECT CAST(coalesce(sum(results), 0) AS BIGINT) AS results FROM response_source WHERE item = ?3 AND store_id = ?2 AND tenant_id = ?1`,
};
const SET_EMPTY = {
  file: /*sql*/ `UPDATE response_source SET results = 0, quotes = 0 WHERE item = ?3 AND file_id = ?2 AND tenant_id = ?1`,
  vector_store: /*sql*/ `UPDATE response_source SET results = 0, quotes = 0 WHERE item = ?3 AND store_id = ?2 AND tenant_id = ?1`,
};
const LEFT = (
  column: (typeof COLUMNS)[Deleted["type"]],
) => /*sql*/ `SELECT CAST(coalesce(sum(s.results + s.quotes), 0) AS BIGINT) AS results,
    count(DISTINCT CASE WHEN s.cited = 1 THEN i.response END) AS answers
  FROM response_source s JOIN response_item i ON i.seq = s.item WHERE s.tenant_id = ?1 AND s.${column} = ?2`;
const LEFT_OF = { file: LEFT(COLUMNS.file), vector_store: LEFT(COLUMNS.vector_store) };
const BODY = /*sql*/ `SELECT body FROM response_item WHERE seq = ?1`;
const SET_BODY = /*sql*/ `UPDATE response_item SET body = ?2 WHERE seq = ?1`;

export function responseSourcesTable(sql: Sql): ResponseSourcesTable {
  return {
    async add(tenantId, item, sources) {
      for (const { store_id: store, file_id: file, results, quotes, cited } of sources)
        await sql.run(ADD, [item, store, file, tenantId, results, quotes, cited ? 1 : 0]);
    },
    async gone(tenantId, of) {
      if (of.length === 0) return () => false;
      const pairs = JSON.stringify(of.map((one) => [one.store_id, one.file_id]));
      const rows = await sql.all<{ store_id: string; file_id: string }>(GONE, [tenantId, pairs]);
      const found = new Set(rows.map((row) => `${row.store_id} ${row.file_id}`));
      return (storeId, fileId) => found.has(`${storeId} ${fileId}`);
    },
    async empty(tenantId, { type, id: subject }, limit) {
      const items = await sql.all<{ item: number }>(SOME[type], [tenantId, subject, limit]);
      let results = 0;
      for (const { item } of items) {
        const row = await sql.get<{ body: string }>(BODY, [item]);
        const isGone: IsGone = (storeId, fileId) => (type === "file" ? fileId : storeId) === subject;
        const kept = JSON.parse(row?.body ?? "null") as KeptItem;
        await sql.run(SET_BODY, [item, JSON.stringify(withoutSources(kept, isGone))]);
        results += (await sql.get<{ results: number }>(COUNT[type], [tenantId, subject, item]))?.results ?? 0;
        await sql.run(SET_EMPTY[type], [tenantId, subject, item]);
      }
      return { items: items.length, results };
    },
    leftOf: async (tenantId, { type, id: subject }) =>
      (await sql.get<{ results: number; answers: number }>(LEFT_OF[type], [tenantId, subject])) ?? {
        results: 0,
        answers: 0,
      },
  };
}

/** What an item holds of each file. */
export function sourcesOf(item: KeptItem): Source[] {
  const sources = new Map<string, Source>();
  const of = (storeId: StoreId, fileId: FileId): Source => {
    const key = `${storeId} ${fileId}`;
    const source = sources.get(key) ?? { store_id: storeId, file_id: fileId, results: 0, quotes: 0, cited: false };
    sources.set(key, source);
    return source;
  };
  if (item.type === "file_search_call")
    for (const { vector_store_id: store, file_id: file, text } of item.results ?? []) {
      if (text !== "") of(store, file).results += 1;
    }
  if (item.type === "message" && item.role === "assistant")
    for (const part of item.content)
      for (const one of part.type === "output_text" ? part.annotations : []) {
        const source = of(one.vector_store_id, one.file_id);
        source.cited = true;
        if (one.quote !== "") source.quotes += 1;
      }
  return [...sources.values()];
}
