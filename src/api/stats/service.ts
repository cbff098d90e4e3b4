import { AppError } from "../../errors.ts";
import { type Clock, HOUR_SECONDS } from "../../platform/clock.ts";
import type { IngestHourRow, QueryHourRow } from "../../storage/statistics.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { addHistogram, type Histogram, percentile, percentilesOf } from "../latency.ts";
import { WINDOWS } from "./schema.ts";
import type { StoreStats, Window } from "./schema.ts";

export interface StatsDeps extends Pick<Storage, "queryLog" | "statistics"> {
  access: StoreAccess;
  clock: Clock;
  /** Writes what waits to be counted. */
  flush: () => Promise<void>;
}

const ROWS: Record<Window, { rows: number; hours: number }> = {
  "24h": { rows: 24, hours: 1 },
  "7d": { rows: 28, hours: 6 },
  "30d": { rows: 30, hours: 24 },
};
const TOP = 10;

interface Row {
  start: number;
  queries: number;
  empty: number;
  latency: Histogram;
  ingest: Omit<IngestHourRow, "hour">;
}

/** Rows begin at whole hours, at six hours of the day and at midnight (UTC); the last one is under way. */
export interface StatsService {
  /** `window`: as the client names it; the last 24 hours where it does not. */
  of(asking: Asking, window: string | undefined): Promise<StoreStats>;
}

export function statsService({ queryLog, statistics, access, clock, flush }: StatsDeps): StatsService {
  return {
    async of(asking, asked) {
      const store = await access.open(asking);
      const window = readWindow(asked);
      const now = clock.nowSeconds();
      const step = ROWS[window].hours * HOUR_SECONDS;
      const since = Math.floor(now / step) * step - (ROWS[window].rows - 1) * step;
      await flush();
      const fromHour = since / HOUR_SECONDS;
      const rows = fill(
        Array.from({ length: ROWS[window].rows }, (_, i) => since + i * step),
        step,
        await statistics.queryHours(store.tenant_id, store.id, fromHour),
        await statistics.ingestHours(store.tenant_id, store.id, fromHour),
      );
      const latency: Histogram = {};
      for (const row of rows) addHistogram(latency, row.latency);
      const sum = (read: (row: Row) => number) => rows.reduce((total, row) => total + read(row), 0);
      return {
        object: "vector_store.stats",
        vector_store_id: store.id,
        window,
        since,
        until: now,
        queries: {
          count: sum((row) => row.queries),
          empty: sum((row) => row.empty),
          latency_ms: percentilesOf(latency),
          stages_ms: {
            embed: percentilesOf(latency, "embed"),
            vector: percentilesOf(latency, "vector"),
            keyword: percentilesOf(latency, "keyword"),
            fetch: percentilesOf(latency, "fetch"),
          },
          top: await queryLog.top(store.tenant_id, store.id, since, TOP),
        },
        ingest: {
          completed: sum((row) => row.ingest.completed),
          failed: sum((row) => row.ingest.failed),
          cancelled: sum((row) => row.ingest.cancelled),
          bytes: sum((row) => row.ingest.bytes),
          chunks: sum((row) => row.ingest.chunks),
        },
        store: {
          files: store.n_in_progress + store.n_completed + store.n_failed + store.n_cancelled,
          chunks: store.n_chunks,
          bytes: store.file_bytes,
          usage_bytes: store.usage_bytes,
        },
        series: rows.map((row) => ({
          start: row.start,
          queries: row.queries,
          empty: row.empty,
          p95_ms: percentile(row.latency, 0.95),
          completed: row.ingest.completed,
          failed: row.ingest.failed,
        })),
      };
    },
  };
}

function fill(
  starts: readonly number[],
  step: number,
  queries: readonly QueryHourRow[],
  ingests: readonly IngestHourRow[],
): Row[] {
  const rows = starts.map((start): Row => ({
    start,
    queries: 0,
    empty: 0,
    latency: {},
    ingest: { completed: 0, failed: 0, cancelled: 0, bytes: 0, chunks: 0 },
  }));
  const rowAt = (hour: number): Row | undefined => rows[Math.floor((hour * HOUR_SECONDS - (starts[0] ?? 0)) / step)];
  for (const { hour, queries: count, empty, latency } of queries) {
    const row = rowAt(hour);
    if (row === undefined) continue;
    row.queries += count;
    row.empty += empty;
    addHistogram(row.latency, latency);
  }
  for (const { hour, ...more } of ingests) {
    const row = rowAt(hour);
    if (row === undefined) continue;
    for (const key of ["completed", "failed", "cancelled", "bytes", "chunks"] as const) row.ingest[key] += more[key];
  }
  return rows;
}

function readWindow(asked = "24h"): Window {
  const window = WINDOWS.find((known) => known === asked);
  if (window !== undefined) return window;
  throw new AppError("invalid_window", "Invalid 'window': supported values are '24h', '7d' and '30d'.", {
    param: "window",
  });
}
