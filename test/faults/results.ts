/**
 * What was tried, a line of JSON each, so that a long series can be broken off and gone on with: FAULT_RESULTS names the
 * file. Lines count for the executable that they were made with alone.
 */
import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { LECTERN } from "../helpers/server.ts";
import type { Tally } from "./series.ts";

export interface TriedSeries extends Tally {
  /** Which executable it was: size and time of its making. */
  of: string;
  most: number | null;
  step: number;
  seconds: number;
  /** Where it is to be gone on with; absent when it came to its end. */
  next?: number;
}

const keyOf = ({
  of,
  script,
  kind,
  action,
  most,
  step,
}: Omit<TriedSeries, keyof Tally | "seconds" | "next"> & TallyName) => [of, script, kind, action, most, step].join(" ");
type TallyName = Pick<Tally, "script" | "kind" | "action">;

export class Results {
  readonly #path: string | undefined;
  readonly #of: string;
  readonly #tried = new Map<string, TriedSeries>();

  constructor(path: string | undefined) {
    this.#path = path;
    const { size, mtimeMs } = statSync(LECTERN.at(-1) ?? "");
    this.#of = `${size}-${Math.floor(mtimeMs)}`;
    if (path === undefined || !existsSync(path)) return;
    for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
      const one = JSON.parse(line) as TriedSeries;
      this.#tried.set(keyOf(one), one);
    }
  }

  /** What came of it, as far as it came, if nothing was found: a finding is looked for again. */
  of(name: TallyName, most: number, step: number): TriedSeries | undefined {
    const tried = this.#tried.get(keyOf({ ...name, of: this.#of, most: finite(most), step }));
    return tried?.findings.length === 0 ? tried : undefined;
  }

  keep(tally: Tally, as: { most: number; step: number; seconds: number; next?: number }): void {
    const line: TriedSeries = { ...tally, ...as, of: this.#of, most: finite(as.most) };
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}

const finite = (most: number) => (Number.isFinite(most) ? most : null);

/** By script and kind: calls reached, the most of any error, and those that failed with all errors together. */
export function tableOf(tallies: readonly Tally[]): string {
  const rows = new Map<string, { reached: number; failed: number; refused: number; stopped: number; found: number }>();
  for (const { script, kind, failed, refused, stopped, findings } of tallies) {
    const name = `${script.padEnd(13)} ${kind}`;
    const row = rows.get(name) ?? { reached: 0, failed: 0, refused: 0, stopped: 0, found: 0 };
    row.reached = Math.max(row.reached, failed);
    row.failed += failed;
    row.refused += refused;
    row.stopped += stopped;
    row.found += findings.length;
    rows.set(name, row);
  }
  return [...rows]
    .filter(([, { failed, found }]) => failed + found > 0)
    .map(
      ([name, { reached, failed, refused, stopped, found }]) =>
        `${name.padEnd(23)} ${reached} calls, ${failed} failures, ${refused} refused, ${stopped} stopped, ${found} findings`,
    )
    .join("\n");
}

/** Without what is the results' own. */
export function tallyOf(tried: TriedSeries | undefined): Tally | undefined {
  if (tried === undefined) return undefined;
  const { script, kind, action, failed, refused, stopped, findings } = tried;
  return { script, kind, action, failed, refused, stopped, findings };
}
