/** What `make eval` prints and compares: rows by set and mode, their means, and the table of scores. */
import { existsSync } from "node:fs";
import { type Calibration, calibrationOf, type Judged, quantile } from "./calibration.ts";
import { MODES, type SearchMode } from "./client.ts";
import { meanOf, type Scores } from "./measures.ts";

export interface Row extends Scores {
  set: string;
  mode: SearchMode;
  queries: number;
  p50_ms: number;
}

/** Results of the default search, and the best scores of questions put to their own store and to one about else. */
export interface Shown {
  results: Judged[];
  own: number[];
  foreign: number[];
}

/** What a figure may fall by, by the beginning of its name; those of small stores are of some dozen questions each. */
const MOST_LOST = { mean: 0.005, small: 0.05 } as const;

/** Means over all sets, over the English ones that the target is set for, and over the long ones, by mode. */
export function summarise(all: readonly Row[]): Row[] {
  const target = new Set(["cisi", "cacm", "npl", "cosqa-dev", "se-coffee", "se-beer"]);
  const groups: [string, (row: Row) => boolean][] = [
    ["mean", (row) => !row.set.endsWith("-long") && row.set !== "across languages"],
    ["mean of six", (row) => target.has(row.set)],
    ["mean xquad", (row) => row.set.startsWith("xquad") && !row.set.endsWith("-long")],
    ["mean long", (row) => row.set.endsWith("-long")],
  ];
  return groups.flatMap(([set, belongs]) =>
    MODES.flatMap((mode) => {
      const members = all.filter((row) => row.mode === mode && belongs(row));
      if (members.length < 2) return [];
      const queries = members.reduce((sum, row) => sum + row.queries, 0);
      const p50 = members.reduce((sum, row) => sum + row.p50_ms, 0) / members.length;
      return [{ set, mode, queries, ...meanOf(members), p50_ms: p50 }];
    }),
  );
}

export function table(all: readonly Row[]): string {
  const lines = all.map((row) =>
    [
      row.set.padEnd(16),
      row.mode.padEnd(8),
      String(row.queries).padStart(7),
      ...[row.ndcg, row.recall, row.mrr].map((value) => value.toFixed(4).padStart(9)),
      row.p50_ms.toFixed(2).padStart(8),
    ].join(" "),
  );
  return [`${"set".padEnd(16)} ${"mode".padEnd(8)} queries   nDCG@10 Recall@10    MRR@10   p50 ms`, ...lines].join(
    "\n",
  );
}

/** The figures of the scores, by name. */
export function scoreFigures({ results, own, foreign }: Shown): { calibration: Calibration; figures: Figures } {
  const calibration = calibrationOf(results);
  const mean = (scores: readonly number[]) => scores.reduce((sum, one) => sum + one, 0) / Math.max(1, scores.length);
  const figures = {
    "scores calibration error": calibration.error,
    "scores mean of the best, own store": mean(own),
    "scores mean of the best, other store": mean(foreign),
    "scores median of the best, own store": quantile(own, 0.5),
    "scores nine tenths of the best, other store": quantile(foreign, 0.9),
  };
  return { calibration, figures: rounded(figures) };
}

export function scoreTable({ bins }: Calibration, figures: Figures): string {
  const lines = bins.map(({ from, share, shown, relevant }) =>
    [
      `${from.toFixed(1)} to ${(from + 0.1).toFixed(1)}`.padEnd(12),
      ...[share, shown, relevant].map((value) => value.toFixed(3).padStart(9)),
    ].join(" "),
  );
  return [
    `${"score".padEnd(12)}   results     shown  relevant`,
    ...lines,
    ...Object.entries(figures).map(([name, value]) => `${name}: ${value}`),
  ].join("\n");
}

export type Figures = Record<string, number>;

export function figuresOf(all: readonly Row[]): Figures {
  return rounded(Object.fromEntries(all.map((row) => [`${row.set} ${row.mode}`, row.ndcg])));
}

/** Figures that fell by more than is allowed; those without a counterpart, and single sets, are not compared. */
export async function fallen(figures: Figures, baselineFile: string): Promise<string[]> {
  if (!existsSync(baselineFile)) return [];
  const baseline = (await Bun.file(baselineFile).json()) as Figures;
  return Object.entries(figures).flatMap(([key, value]) => {
    const before = baseline[key];
    if (before === undefined) return [];
    const lost = riseIsLoss(key) ? value - before : before - value;
    const most = key.startsWith("mean") ? MOST_LOST.mean : key.startsWith("small") ? MOST_LOST.small : Infinity;
    return lost > most ? [`${key} went from ${before} to ${value}`] : [];
  });
}

function riseIsLoss(key: string): boolean {
  return /: (?:refused|calibration error)$/.test(key);
}

export function rounded(figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Number(value.toFixed(4))]));
}
