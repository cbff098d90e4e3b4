/**
 * `make powerloss`: every kind of write is done once more under the tracer, and at every point of what was recorded the
 * power goes, in POWER_STATES ways (20,000 in all unless set). SEED repeats a run.
 */
import { lacksTracer } from "./tracer.ts";
import { cutPower } from "./power.ts";
import { runSeed } from "../helpers/random.ts";

if (lacksTracer()) process.exit(0);
const states = Number(process.env["POWER_STATES"] ?? 20_000);
const result = await cutPower({
  states,
  seed: runSeed("powerloss"),
  scripts: process.env["FAULT_SCRIPTS"]?.split(","),
});
console.log(
  `${result.states} states, ${result.distinct} of them distinct, at ${result.points} points of ${result.records} records`,
);
for (const [problem, { count, example }] of result.problems)
  console.log(`  ${count} x ${problem}\n      first: ${example}`);
process.exit(result.problems.size === 0 ? 0 : 1);
