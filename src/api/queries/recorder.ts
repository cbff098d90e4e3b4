import { createHash } from "node:crypto";
import type { Log } from "../../platform/log.ts";
import type { NewQueryLogRow } from "../../storage/query-log.ts";
import type { QueryHour } from "../../storage/statistics.ts";
import type { Storage } from "../../storage/storage.ts";
import type { SearchRecord } from "../search/service.ts";
import { bucketOf } from "../stats/latency.ts";

/**
 * Takes every search and writes them down in groups, so that a search pays for a push onto a list and no disk write. What
 * is waiting at a kill is lost; at a stop it is written.
 */
export interface RecorderDeps {
  storage: Pick<Storage, "db" | "stores" | "queryLog" | "statistics">;
  log: Log;
  /** Read at every group. */
  mode: () => "on" | "hash" | "off";
}

const EVERY_MS = 250;
const GROUP = 200;

export class QueryRecorder implements Disposable {
  readonly #deps: RecorderDeps;
  #waiting: SearchRecord[] = [];
  #timer: Timer | null = null;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Cheap; never throws. */
  record(search: SearchRecord): void {
    this.#waiting.push(search);
    if (this.#waiting.length === GROUP) this.#schedule(0);
    else if (this.#timer === null) this.#schedule(EVERY_MS);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Writes what is waiting, for those who are about to read it. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    try {
      this.#write(group);
    } catch (error) {
      this.#deps.log.error("searches could not be logged", { lost: group.length, error: String(error) });
    }
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #schedule(inMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), inMs);
  }

  #write(group: readonly SearchRecord[]): void {
    const { storage } = this.#deps;
    const mode = this.#deps.mode();
    storage.db.relaxed(() =>
      storage.db.transaction(() => {
        // A store may have been deleted since; what belongs to it must not outlive it.
        const alive = new Map<string, boolean>();
        const kept = group.filter(({ tenantId, storeId }) => {
          const known = alive.get(storeId) ?? isThere(storage, tenantId, storeId);
          alive.set(storeId, known);
          return known;
        });
        if (mode !== "off") storage.queryLog.add(kept.map((search) => rowOf(search, mode)));
        for (const hour of hoursOf(kept)) storage.statistics.addQueries(hour);
      }),
    );
  }
}

function isThere(storage: RecorderDeps["storage"], tenantId: string, storeId: string): boolean {
  const store = storage.stores.get(tenantId, storeId);
  return store !== null && store.lifecycle !== "deleting";
}

function rowOf(search: SearchRecord, mode: "on" | "hash"): NewQueryLogRow {
  const { total, embed, vector, keyword, fetch } = search.latencyMs;
  return {
    tenantId: search.tenantId,
    storeId: search.storeId,
    createdAt: search.createdAt,
    query: mode === "on" ? JSON.stringify(search.queries) : null,
    sha256: createHash("sha256").update(search.queries.join("\n")).digest("hex"),
    body: JSON.stringify({
      search_mode: search.searchMode,
      filters: search.filters,
      max_num_results: search.maxNumResults,
      results: search.results,
      latency_ms: {
        total: rounded(total),
        embed: rounded(embed),
        vector: rounded(vector),
        keyword: rounded(keyword),
        fetch: rounded(fetch),
      },
      key_id: search.keyId,
      model: search.model,
      generation: search.generation,
    }),
  };
}

/** Microseconds are as fine as these clocks go. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function hoursOf(searches: readonly SearchRecord[]): QueryHour[] {
  const hours = new Map<string, QueryHour>();
  for (const { tenantId, storeId, createdAt, latencyMs, results } of searches) {
    const hour = Math.floor(createdAt / 3600);
    const key = `${storeId} ${hour}`;
    const sum = hours.get(key) ?? { tenantId, storeId, hour, queries: 0, empty: 0, latency: {} };
    hours.set(key, sum);
    sum.queries += 1;
    if (results.length === 0) sum.empty += 1;
    const bucket = bucketOf(latencyMs.total);
    sum.latency[bucket] = (sum.latency[bucket] ?? 0) + 1;
  }
  return [...hours.values()];
}
