/**
 * `make powerloss`: every kind of write is done once more under the tracer, and at every point of what was recorded the
 * power goes, in POWER_STATES ways (20,000 in all unless set). SEED repeats a run of the same record.
 * POWER_DIR names a folder for the record and for what was tried: the same command goes on where it was broken off, by
 * POWER_MINUTES, for one.
 */
import { lacks } from "../helpers/lacks.ts";
import { mayTrace, TRACER } from "./tracer.ts";
import { cutPower, type PowerResult } from "./power.ts";
import { runSeed } from "../helpers/random.ts";

if (lacks(TRACER, mayTrace())) process.exit(0);
const states = Number(process.env["POWER_STATES"] ?? 20_000);
const untilMs = Number(process.env["POWER_MINUTES"] ?? Infinity) * 60_000;
const keepIn = process.env["POWER_DIR"];
const told = (result: PowerResult) => {
  const { distinct, points, records, problems } = result;
  console.log(`${result.states} states, ${distinct} of them distinct, at ${points} points of ${records} records`);
  for (const [problem, { count, example }] of problems) console.log(`  ${count} x ${problem}\n      first: ${example}`);
};
const { problems } = await cutPower({
  ...{ states, keepIn },
  // What goes on goes on with the same choices.
  seed: keepIn === undefined ? runSeed("powerloss") : Number(process.env["SEED"] ?? 1),
  scripts: process.env["FAULT_SCRIPTS"]?.split(","),
  isOver: () => performance.now() >= untilMs,
  onPass: told,
});
process.exit(problems.size === 0 ? 0 : 1);
