import { descriptors } from "../platform/descriptors.ts";
import type { Metrics } from "../platform/metrics.ts";
import * as metric from "./metric-list.ts";
import type { Indexes } from "./open-indexes.ts";
import type { OpenStorage } from "./open-storage.ts";
import type { Jobs } from "./start-jobs.ts";
import type { Workers } from "./start-workers.ts";

export interface Gauged {
  data: OpenStorage;
  jobs: Jobs;
  indexes: Indexes;
  workers: Workers;
}

/** What is read from the running parts whenever the metrics are asked for. */
export function registerGauges(metrics: Metrics, { data, jobs, indexes, workers }: Gauged): void {
  const { registry } = indexes;
  metrics.gauge(metric.JOBS_WAITING, async () =>
    (await jobs.runner.stats()).map(({ kind, waiting }) => [{ kind }, waiting]),
  );
  metrics.gauge(metric.JOBS_RUNNING, async () =>
    (await jobs.runner.stats()).map(({ kind, running }) => [{ kind }, running]),
  );
  metrics.gauge(metric.INDEX_BYTES, () => registry.stats.bytes);
  metrics.gauge(metric.INDEX_CHUNKS, () => registry.stats.chunks);
  metrics.gauge(metric.INDEX_VECTORS, () => registry.stats.vectors);
  metrics.gauge(metric.INDEXES_OPEN, () => registry.stats.open);
  metrics.gauge(metric.INDEX_MAPPED_BYTES, () => indexes.mappedBytes());
  metrics.gauge(metric.LANE_BUSY, () => workers.stats().map(([lane, { busy }]) => [{ lane }, busy]));
  metrics.gauge(metric.LANE_WAITING, () => workers.stats().map(([lane, { waiting }]) => [{ lane }, waiting]));
  metrics.gauge(metric.LANE_RESTARTS, () => workers.stats().map(([lane, { restarts }]) => [{ lane }, restarts]));
  metrics.gauge(metric.EMBEDDING_CACHE_BYTES, async () => (await data.storage.embeddingCache.size()).bytes);
  // Where the system tells (proc(5)): at the limit no connection is accepted any more.
  if (descriptors() !== null) {
    metrics.gauge(metric.OPEN_FDS, () => descriptors()?.open ?? 0);
    metrics.gauge(metric.MAX_FDS, () => descriptors()?.most ?? 0);
  }
  metrics.gauge(metric.RESIDENT_BYTES, () => process.memoryUsage.rss());
  metrics.gauge(metric.HEAP_BYTES, () => {
    const { heapUsed, heapTotal, external } = process.memoryUsage();
    return [
      [{ part: "used" }, heapUsed],
      [{ part: "beside" }, external],
      [{ part: "taken" }, heapTotal],
    ];
  });
  metrics.gauge(metric.WORKER_RESIDENT_BYTES, () => workers.residentBytes());
}
