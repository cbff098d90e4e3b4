/**
 * `make faults`: every system call of every kind of write fails once, in turn. FAULT_SCRIPTS and FAULT_KINDS (names,
 * commas between) choose among them, FAULT_ERRORS among the errors; FAULT_CALLS is how many calls of each at most,
 * FAULT_STEP every how many-th.
 * FAULT_RESULTS names a file in which what was tried is kept: the same command goes on where it was broken off.
 */
import { lacks } from "../helpers/lacks.ts";
import { Results, tableOf, tallyOf } from "./results.ts";
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

const results = new Results(process.env["FAULT_RESULTS"]);
const tallies: Tally[] = [];
const rounds = Math.max(...Object.values(ERRORS).map((errors) => errors.length));
// Every pair of script and kind with its first error comes before any with its second.
for (let round = 0; round < rounds; round++)
  for (const kind of kinds)
    for (const [name, run] of wanted) {
      const action = ERRORS[kind]?.[round];
      if (action === undefined || chosen("FAULT_ERRORS")?.includes(action) === false) continue;
      const tried = results.of({ script: name, kind, action }, most, step);
      if (tried !== undefined && tried.next === undefined) {
        tallies.push(tried);
        continue;
      }
      const started = performance.now();
      const kept = () => ({ most, step, seconds: Math.round((performance.now() - started) / 1000) });
      const tally = await run({
        ...{ kind, action, most, step, before: tallyOf(tried), from: tried?.next ?? 1 },
        onChecked: (done, next) => results.keep(done, { ...kept(), next }),
        onFinding: (finding) => console.log(`  - ${finding}`),
      });
      tallies.push(tally);
      results.keep(tally, kept());
      if (tally.failed === 0 && tally.findings.length === 0) continue;
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      const { failed, refused, stopped, findings } = tally;
      console.log(
        `${name.padEnd(13)} ${kind.padEnd(8)} ${action.padEnd(7)} ${failed} failed, ${refused} refused, ${stopped} stopped, ${findings.length} findings, ${seconds} s`,
      );
    }
await closeSpare();
await closeBenches();
console.log(tableOf(tallies));
const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0);
console.log(
  `${sum((t) => t.failed)} calls failed, ${sum((t) => t.refused)} requests refused, ${sum((t) => t.findings.length)} findings`,
);
process.exit(sum((t) => t.findings.length) === 0 ? 0 : 1);
