import { createHash } from "node:crypto";
import { HOUR_SECONDS } from "../../platform/clock.ts";
import type { Log } from "../../platform/log.ts";
import type { LoggedSearch } from "../../storage/logged-search.ts";
import type { NewQueryLogRow } from "../../storage/query-log.ts";
import type { QueryHour } from "../../storage/statistics.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { SearchRecord } from "../../search/record.ts";
import { countSearch } from "../latency.ts";

/**
 * Takes every search and writes them down in groups, so that a search pays for a push onto a list and no disk write. What
 * is waiting at a kill is lost; at a stop it is written.
 */
export interface RecorderDeps {
  storage: Pick<Storage, "transaction">;
  log: Log;
  /** Read at every search and at every group. */
  mode: () => "on" | "hash" | "off";
  /** Whether the disk has room for a log, asked at every group. */
  hasRoom: () => Promise<boolean>;
}

/** A search that waits to be written: of its filters only what is kept of them. */
type Waiting = Omit<SearchRecord, "filters"> & KeptFilters;
type KeptFilters = Pick<LoggedSearch, "filters" | "filters_cut">;

const EVERY_MS = 250;
const GROUP = 200;
/** Bytes of a filter's JSON that are kept. */
const FILTER_BYTES = 2048;
/** Hex digits of the hash that says of two long filters whether they are the same. */
const HASH_DIGITS = 16;

export class QueryRecorder implements AsyncDisposable {
  readonly #deps: RecorderDeps;
  #waiting: Waiting[] = [];
  #isPaused = false;
  #timer: Timer | null = null;
  /** Groups are written one after the other; whoever flushes waits for those under way as well. */
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Cheap; never throws. */
  record(search: SearchRecord): void {
    const filters = this.#deps.mode() === "off" ? { filters: null } : keptOf(search.filters);
    this.#waiting.push({ ...search, ...filters });
    if (this.#waiting.length === GROUP) this.#schedule(0);
    else if (this.#timer === null) this.#schedule(EVERY_MS);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Writes what is waiting, for those who are about to read it. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length > 0) this.#writing = this.#writing.then(() => this.#guardedWrite(group));
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }

  async #guardedWrite(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#write(group);
    } catch (error) {
      this.#deps.log.error("searches could not be logged", { lost: group.length, error: String(error) });
    }
  }

  /** Below the least free disk space searches are counted but not logged, as uploads are refused. */
  async #mayLog(): Promise<boolean> {
    const { log, mode, hasRoom } = this.#deps;
    if (mode() === "off") return false;
    const isPaused = !(await hasRoom());
    if (isPaused && !this.#isPaused) log.warn("searches are not logged: there is too little free disk space");
    if (!isPaused && this.#isPaused) log.info("searches are logged again");
    this.#isPaused = isPaused;
    return !isPaused;
  }

  #schedule(inMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), inMs);
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const mode = (await this.#mayLog()) ? this.#deps.mode() : "off";
    await this.#deps.storage.transaction(async ({ stores, queryLog, statistics }) => {
      // A store may have been deleted since; what belongs to it must not outlive it.
      const alive = new Map<string, boolean>();
      for (const { tenantId, storeId } of group)
        if (!alive.has(storeId)) alive.set(storeId, await isThere(stores, tenantId, storeId));
      const kept = group.filter(({ storeId }) => alive.get(storeId));
      if (mode !== "off") await queryLog.add(kept.map((search) => rowOf(search, mode)));
      for (const hour of hoursOf(kept)) await statistics.addQueries(hour);
    }, "work");
  }
}

async function isThere(stores: Tables["stores"], tenantId: string, storeId: string): Promise<boolean> {
  const store = await stores.get(tenantId, storeId);
  return store !== null && store.lifecycle !== "deleting";
}

function rowOf(search: Waiting, mode: "on" | "hash"): NewQueryLogRow {
  const { total, embed, vector, keyword, fetch } = search.latencyMs;
  return {
    tenantId: search.tenantId,
    storeId: search.storeId,
    createdAt: search.createdAt,
    query: mode === "on" ? search.queries : null,
    sha256: createHash("sha256").update(search.queries.join("\n")).digest("hex"),
    body: {
      search_mode: search.searchMode,
      filters: search.filters,
      ...(search.filters_cut === undefined ? {} : { filters_cut: search.filters_cut }),
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
      source: search.source.type,
      source_id: search.source.id,
    },
  };
}

/** A long filter becomes a text, which is no filter: nobody can take it for what was asked. */
function keptOf(filters: unknown): KeptFilters {
  const json = filters === null || filters === undefined ? "" : JSON.stringify(filters);
  const bytes = Buffer.byteLength(json);
  if (bytes <= FILTER_BYTES) return { filters: filters ?? null };
  const { read } = new TextEncoder().encodeInto(json.slice(0, FILTER_BYTES), new Uint8Array(FILTER_BYTES));
  const sha256 = createHash("sha256").update(json).digest("hex").slice(0, HASH_DIGITS);
  return { filters: json.slice(0, read).toWellFormed(), filters_cut: { bytes, sha256 } };
}

/** Microseconds are as fine as these clocks go. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function hoursOf(searches: readonly Waiting[]): QueryHour[] {
  const hours = new Map<string, QueryHour>();
  for (const { tenantId, storeId, createdAt, latencyMs, results } of searches) {
    const hour = Math.floor(createdAt / HOUR_SECONDS);
    const key = `${storeId} ${hour}`;
    const sum: QueryHour = hours.get(key) ?? { tenantId, storeId, hour, queries: 0, empty: 0, latency: {} };
    hours.set(key, sum);
    sum.queries += 1;
    if (results.length === 0) sum.empty += 1;
    countSearch(sum.latency, latencyMs);
  }
  // In one order, so that two servers that write at the same time do not wait for each other.
  return [...hours.values()].sort((a, b) => (a.storeId < b.storeId ? -1 : a.storeId > b.storeId ? 1 : a.hour - b.hour));
}
