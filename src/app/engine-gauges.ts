import type { IndexRegistry } from "../index/registry.ts";
import type { JobRunner } from "../jobs/runner.ts";
import type { Metrics } from "../platform/metrics.ts";
import type { NativeLanes } from "../workers/native-lane.ts";
import type { ParseLane } from "../workers/parse-lane.ts";

/** What is read from the running parts whenever the metrics are asked for. */
export function registerGauges(
  metrics: Metrics,
  {
    runner,
    indexes,
    lanes,
    parse,
  }: { runner: JobRunner; indexes: IndexRegistry; lanes: NativeLanes; parse: ParseLane },
): void {
  metrics.gauge("lectern_jobs_waiting", async () =>
    (await runner.stats()).map(({ kind, waiting }) => [{ kind }, waiting]),
  );
  metrics.gauge("lectern_jobs_running", async () =>
    (await runner.stats()).map(({ kind, running }) => [{ kind }, running]),
  );
  metrics.gauge("lectern_index_bytes", () => indexes.stats.bytes);
  metrics.gauge("lectern_index_chunks", () => indexes.stats.chunks);
  metrics.gauge("lectern_index_vectors", () => indexes.stats.vectors);
  metrics.gauge("lectern_indexes_open", () => indexes.stats.open);
  metrics.gauge("lectern_lane_busy", () => lanesOf(lanes, parse).map(([lane, stats]) => [{ lane }, stats.busy]));
  metrics.gauge("lectern_lane_waiting", () => lanesOf(lanes, parse).map(([lane, stats]) => [{ lane }, stats.waiting]));
  metrics.gauge("lectern_lane_restarts", () =>
    lanesOf(lanes, parse).map(([lane, stats]) => [{ lane }, stats.restarts]),
  );
  metrics.gauge("process_resident_memory_bytes", () => process.memoryUsage.rss());
}

/** Busy, waiting and restarted workers, by lane. */
export function lanesOf(lanes: NativeLanes, parse: ParseLane) {
  return Object.entries({ ...lanes.stats(), parse: parse.stats() });
}
