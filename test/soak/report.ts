/** What came of a soak: the verdict of each series, a table, and the page. */
import { isFlat, mayRise, type Bound, type Trend, trendOf } from "./trend.ts";
import { WINDOW_FROM } from "./schedule.ts";
import { type Sample, SERIES, type SeriesName } from "./sampler.ts";
import type { Soak } from "./soak.ts";

/** What each may rise over the window: a part of its median, or so much, whichever is more. */
const BOUNDS: Partial<Record<SeriesName, Bound & { beside?: SeriesName }>> = {
  // The database is mapped: what is read of it counts as resident, and is the system's to take back.
  rss: { part: 0.1, least: 16, beside: "database" },
  anon: { part: 0.1, least: 16 },
  children: { part: 0.1, least: 32 },
  handles: { part: 0.1, least: 5 },
  threads: { part: 0.1, least: 2 },
  processes: { part: 0.1, least: 1 },
  wal: { part: 0.1, least: 4 },
  temporary: { part: 0.1, least: 2 },
  indexes: { part: 0.1, least: 4 },
  strayIndexes: { part: 0.1, least: 1 },
  indexBytes: { part: 0.1, least: 8 },
  stall: { part: 0.25, least: 20 },
  search: { part: 0.25, least: 5 },
  searchTail: { part: 0.25, least: 20 },
  upload: { part: 0.25, least: 10 },
  all: { part: 0.25, least: 50 },
};

/**
 * The same of samples at rest: there is no garbage in them, and nothing of requests that are under way. Memory that is
 * kept for good is seen here, however much the load changes.
 */
const BOUNDS_AT_REST: typeof BOUNDS = {
  rss: { part: 0.1, least: 16, beside: "database" },
  anon: { part: 0.1, least: 16 },
  heap: { part: 0.1, least: 6 },
  heapBeside: { part: 0.1, least: 6 },
  handles: { part: 0.1, least: 3 },
  threads: { part: 0.1, least: 1 },
};
/** What the load may change, up or down, and still be the same load. */
const STEADY: Bound = { part: 0.25, least: 2 };

export interface Row {
  series: SeriesName;
  isAtRest: boolean;
  title: string;
  trend: Trend;
  most: number;
  /** Null: whatever it does. */
  mayRise: number | null;
  isFlat: boolean | null;
}

/** The second half of the run, as far as it is one life of the server and everything that it remembers is full. */
export function windowOf(soak: Soak, of: readonly Sample[] = soak.sampler.samples): Sample[] {
  const from = Math.max((soak.options.durationMs / 1000) * WINDOW_FROM, soak.filledAt);
  const life = soak.sampler.samples.findLast(({ at }) => at >= from)?.life;
  return of.filter((sample) => sample.at >= from && sample.life === life);
}

export function rowsOf(soak: Soak): Row[] {
  return [
    ...rowsIn(windowOf(soak), Object.keys(SERIES) as SeriesName[], BOUNDS, false),
    ...rowsIn(windowOf(soak, soak.sampler.rests), Object.keys(BOUNDS_AT_REST) as SeriesName[], BOUNDS_AT_REST, true),
  ];
}

function rowsIn(
  window: readonly Sample[],
  names: readonly SeriesName[],
  bounds: typeof BOUNDS,
  isAtRest: boolean,
): Row[] {
  const times = window.map(({ at }) => at);
  const trend = (series: SeriesName) =>
    trendOf(
      times,
      window.map((sample) => sample[series]),
    );
  return names.flatMap((series): Row[] => {
    const own = trend(series);
    if (own === null) return [];
    const most = Math.max(...window.map((sample) => sample[series]).filter(Number.isFinite));
    const title = isAtRest ? `at rest: ${SERIES[series]}` : SERIES[series];
    const row = { series, isAtRest, title, trend: own, most, mayRise: null, isFlat: null };
    const bound = bounds[series];
    if (bound === undefined) return [row];
    const beside = bound.beside === undefined ? 0 : (trend(bound.beside)?.rise ?? 0);
    return [{ ...row, mayRise: mayRise(own, bound, beside), isFlat: isFlat(own, bound, beside) }];
  });
}

/** Whether the load was the same throughout; null where that is not known. Where it was not, what rose may have risen with it. */
export function isSteady(soak: Soak): boolean | null {
  const rate = rowsOf(soak).find(({ series, isAtRest }) => series === "rate" && !isAtRest)?.trend;
  return rate === undefined ? null : Math.abs(rate.rise) <= mayRise(rate, STEADY);
}

export function summaryOf(soak: Soak): Record<string, unknown> {
  const counts = [...soak.ledger.counts.values()];
  const sum = (of: (count: { asked: number; ok: number }) => number) =>
    counts.reduce((total, one) => total + of(one), 0);
  const { happened, startMs } = soak.house;
  return {
    hours: soak.seconds / 3600,
    seed: soak.options.seed,
    requests: sum(({ asked }) => asked),
    operations: counts.length,
    operationsAnswered: counts.filter(({ ok }) => ok > 0).length,
    missing: soak.ledger.missing,
    checksOfLastingStores: soak.library.checks,
    wrongAnswers: soak.wrong.length,
    happened,
    slowestStartMs: Math.round(Math.max(...startMs)),
    families: Object.fromEntries(soak.families),
    memoriesFull: soak.isFilled,
    steadyLoad: isSteady(soak),
    notFlat: rowsOf(soak)
      .filter((row) => row.isFlat === false)
      .map(({ series, isAtRest }) => (isAtRest ? `${series} at rest` : series)),
  };
}

const shown = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));

export function tableOf(soak: Soak): string {
  const head = ["series", "median", "most", "rise", "95 % interval", "may rise", "flat"];
  const rows = rowsOf(soak).map(({ title, trend, most, mayRise: bound, isFlat: flat }) => [
    title,
    shown(trend.median),
    shown(most),
    shown(trend.rise),
    `${shown(trend.low)} to ${shown(trend.high)}`,
    bound === null ? "–" : shown(bound),
    flat === null ? "–" : flat ? "yes" : "NO",
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  return all.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
}
