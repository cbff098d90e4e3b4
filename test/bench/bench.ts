/** What every benchmark is made of: how it reports, and how times are taken. */
import { cpus, loadavg } from "node:os";
import { LECTERN, ROOT } from "../helpers/server.ts";

export type Value = number | string | boolean | null;
/** One line of a table. `trial` says what was measured; units are in the names of the other columns. */
export type Row = { trial: string } & Record<string, Value>;

/** `small` is for trying a benchmark out: its figures say nothing. `full` adds the largest sizes. */
export type Scale = "small" | "normal" | "full";

export interface Bench {
  /** What is measured, and against what. */
  about: string;
  /** It is stopped after this long; five times that at `full`. */
  minutes: number;
  run(context: BenchContext): Promise<void>;
}

export interface BenchContext {
  scale: Scale;
  report(row: Row): void;
  /** Something that a reader of the table must know: what was left out, and why. */
  note(text: string): void;
}

export interface Machine {
  commit: string;
  cpu: string;
  cores: number;
  bun: string;
  lectern: string;
}

export async function machine(): Promise<Machine> {
  const git = async (...args: string[]) => (await Bun.$`git ${args}`.cwd(ROOT).quiet().nothrow().text()).trim();
  const changed = (await git("status", "--porcelain", "--untracked-files=no")) === "" ? "" : "+changes";
  return {
    commit: `${await git("rev-parse", "--short=12", "HEAD")}${changed}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    bun: Bun.version,
    lectern: LECTERN.length === 1 ? "binary" : "source",
  };
}

/** Processes that want a core, over the last minute. */
export const load = () => loadavg()[0] ?? 0;

export function round(value: number, digits = 3): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : 0;
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * p) / 100) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]) => percentile(values, 50);
export const mean = (values: readonly number[]) =>
  values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);

export interface Times {
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
}

export function timesOf(values: readonly number[]): Times {
  return { p50_ms: percentile(values, 50), p95_ms: percentile(values, 95), p99_ms: percentile(values, 99) };
}

/** The median of each percentile over several runs: one run that something else disturbed does not count. */
export function medianTimes(runs: readonly Times[]): Times {
  const over = (pick: (times: Times) => number) => round(median(runs.map(pick)));
  return { p50_ms: over((t) => t.p50_ms), p95_ms: over((t) => t.p95_ms), p99_ms: over((t) => t.p99_ms) };
}

export interface Trial {
  name: string;
  /** Does the i-th of its kind. */
  run(i: number): unknown;
}

export interface Measured extends Times {
  /** Mean time on a core, of all threads of this process: what else the machine does does not count. */
  cpu_ms: number;
}

/**
 * Times trials that take turns: `rounds` times over, each runs `each` times after a warm-up. What else the machine does
 * meets all of them alike.
 */
export async function interleaved(
  trials: readonly Trial[],
  { rounds, each }: { rounds: number; each: number },
): Promise<Map<string, Measured>> {
  const runs = trials.map((trial) => ({ trial, times: [] as Times[], cpuMs: [] as number[] }));
  for (const trial of trials) for (let i = 0; i < Math.ceil(each / 4); i++) await trial.run(i);
  for (let turn = 0; turn < rounds; turn++) {
    for (const { trial, times, cpuMs } of runs) {
      const taken: number[] = [];
      const cpuBefore = process.cpuUsage();
      for (let i = 0; i < each; i++) {
        const started = performance.now();
        const outcome = trial.run(turn * each + i);
        // What is synchronous is not charged for a turn of the event loop.
        if (outcome instanceof Promise) await outcome;
        taken.push(performance.now() - started);
      }
      const { user, system } = process.cpuUsage(cpuBefore);
      times.push(timesOf(taken));
      cpuMs.push((user + system) / 1000 / each);
    }
  }
  return new Map(
    runs.map(({ trial, times, cpuMs }) => [trial.name, { ...medianTimes(times), cpu_ms: round(median(cpuMs)) }]),
  );
}

/** Calls a second of wall time, running `once` for about this long; `once` says how many it did. */
export async function rate(seconds: number, once: () => Promise<number>): Promise<number> {
  let done = 0;
  const started = performance.now();
  do done += await once();
  while (performance.now() - started < seconds * 1000);
  return done / ((performance.now() - started) / 1000);
}
