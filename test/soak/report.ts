/** What came of a soak: the verdict of each series, a table, and the page. */
import { isFlat, type Bound, type Trend, trendOf } from "./trend.ts";
import { WINDOW_FROM } from "./schedule.ts";
import { type Sample, SERIES, type SeriesName } from "./sampler.ts";
import type { Soak } from "./soak.ts";

/** What each may rise over the window: a part of its median, or so much, whichever is more. */
const BOUNDS: Partial<Record<SeriesName, Bound>> = {
  rss: { part: 0.1, least: 16 },
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

export interface Row {
  series: SeriesName;
  title: string;
  trend: Trend;
  most: number;
  bound: Bound | null;
  isFlat: boolean | null;
}

/** The second half of the run, as far as it is one life of the server. */
export function windowOf(soak: Soak): Sample[] {
  const from = (soak.options.durationMs / 1000) * WINDOW_FROM;
  const { samples } = soak.sampler;
  const life = samples.findLast(({ at }) => at >= from)?.life;
  return samples.filter((sample) => sample.at >= from && sample.life === life);
}

export function rowsOf(soak: Soak): Row[] {
  const window = windowOf(soak);
  const times = window.map(({ at }) => at);
  return (Object.keys(SERIES) as SeriesName[]).flatMap((series) => {
    const values = window.map((sample) => sample[series]);
    const trend = trendOf(times, values);
    if (trend === null) return [];
    const bound = BOUNDS[series] ?? null;
    const most = Math.max(...values.filter(Number.isFinite));
    return [
      { series, title: SERIES[series], trend, most, bound, isFlat: bound === null ? null : isFlat(trend, bound) },
    ];
  });
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
    notFlat: rowsOf(soak)
      .filter((row) => row.isFlat === false)
      .map(({ series }) => series),
  };
}

const shown = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));

export function tableOf(soak: Soak): string {
  const head = ["series", "median", "most", "rise", "95 % interval", "may rise", "flat"];
  const rows = rowsOf(soak).map(({ title, trend, most, bound, isFlat: flat }) => [
    title,
    shown(trend.median),
    shown(most),
    shown(trend.rise),
    `${shown(trend.low)} to ${shown(trend.high)}`,
    bound === null ? "–" : shown(Math.max(bound.least, bound.part * trend.median)),
    flat === null ? "–" : flat ? "yes" : "NO",
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  return all.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
}
