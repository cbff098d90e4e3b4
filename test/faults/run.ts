/**
 * `make faults`: every system call of every kind of write fails once, in turn. FAULT_SCRIPTS and FAULT_KINDS (names,
 * commas between) choose among them, FAULT_ERRORS among the errors; FAULT_CALLS is how many calls of each at most,
 * FAULT_STEP every how many-th.
 * FAULT_RESULTS names a file in which what was tried is kept: the same command goes on where it was broken off, by
 * FAULT_MINUTES, for one. With none of these (0) it prints the table of what was tried by then.
 */
import { lacks } from "../helpers/lacks.ts";
import { Results, tableOf } from "./results.ts";
import { SCRIPTS } from "./scripts.ts";
import { closeSpare, ERRORS, series, type SeriesOptions, type Tally } from "./series.ts";
import { KINDS, mayTrace, TRACER } from "./tracer.ts";
import { closeBenches, VERBS, verbSeries } from "./verbs.ts";

if (lacks(TRACER, mayTrace())) process.exit(0);
const chosen = (name: string) => process.env[name]?.split(",");
type Series = (options: Omit<SeriesOptions, "script">) => Promise<Tally>;
const all: [string, Series][] = [
  ...SCRIPTS.map((script): [string, Series] => [script.name, (options) => series({ script, ...options })]),
  ...VERBS.map((verb): [string, Series] => [verb, (options) => verbSeries(verb, options)]),
];
const wanted = all.filter(([name]) => chosen("FAULT_SCRIPTS")?.includes(name) ?? true);
const kinds = KINDS.filter((kind) => chosen("FAULT_KINDS")?.includes(kind) ?? true);
const most = Number(process.env["FAULT_CALLS"] ?? Infinity);
const step = Number(process.env["FAULT_STEP"] ?? 1);
const untilMs = Number(process.env["FAULT_MINUTES"] ?? Infinity) * 60_000;
const isOver = () => performance.now() >= untilMs;

const rounds = Math.max(...Object.values(ERRORS).map((errors) => errors.length));
// Every pair of script and kind with its first error comes before any with its second.
const due = Array.from({ length: rounds }, (_, round) =>
  kinds.flatMap((kind) =>
    wanted.flatMap(([script, run]) => {
      const action = ERRORS[kind]?.[round];
      return action === undefined || chosen("FAULT_ERRORS")?.includes(action) === false
        ? []
        : [{ script, kind, action, run }];
    }),
  ),
).flat();

const results = new Results(process.env["FAULT_RESULTS"]);
const done: (Omit<(typeof due)[number], "run"> & { tally: Tally | undefined })[] = [];
for (const { run, ...name } of due) {
  const tried = results.of(name, most, step);
  if (isOver() || (tried !== undefined && tried.next === undefined)) {
    done.push({ ...name, tally: tried });
    continue;
  }
  const started = performance.now();
  const keep = (tally: Tally) =>
    results.keep(tally, { most, step, seconds: Math.round((performance.now() - started) / 1000) });
  const tally = await run({
    ...{ kind: name.kind, action: name.action, most, step, isOver },
    ...{ before: tried, from: tried?.next ?? 1, onChecked: keep },
    onFinding: (finding) => console.log(`  - ${finding}`),
  });
  done.push({ ...name, tally });
  if (tally.failed === 0 && tally.findings.length === 0) continue;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const { failed, refused, stopped, findings } = tally;
  const { script, kind, action } = name;
  console.log(
    `${script.padEnd(13)} ${kind.padEnd(8)} ${action.padEnd(7)} ${failed} failed, ${refused} refused, ${stopped} stopped, ${findings.length} findings, ${seconds} s`,
  );
}
const last = await closeSpare();
if (last !== null) console.log(`  - ${last}`);
await closeBenches();
console.log(tableOf(done));
const sum = (of: (tally: Tally) => number) =>
  done.reduce((total, { tally }) => total + (tally === undefined ? 0 : of(tally)), 0);
const found = sum((tally) => tally.findings.length) + (last === null ? 0 : 1);
console.log(`${sum((tally) => tally.failed)} calls failed, ${sum((tally) => tally.refused)} told, ${found} findings`);
process.exit(found === 0 ? 0 : 1);
