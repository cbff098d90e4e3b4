/**
 * `make soak HOURS=`: a server is used in every way for so long, disturbed, and watched. dist/soak/ has samples.jsonl as it
 * goes, a checkpoint (index.html, table.txt, summary.json, server.log) every minute, and the same at the end. SEED repeats the order of things.
 * SOAK_KILLS=500: killed so often instead, at any instant, however long that takes; then only answers are judged.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runSeed } from "../helpers/random.ts";
import { ROOT } from "../helpers/server.ts";
import { pageOf } from "./page.ts";
import { summaryOf, tableOf } from "./report.ts";
import { Soak } from "./soak.ts";

const CHECKPOINT_S = 60;
const hours = Number(process.env["HOURS"] ?? process.argv[2] ?? 1);
if (!(hours > 0)) throw new Error("HOURS must be a number above 0; it may have a fraction.");
const kills = process.env["SOAK_KILLS"] === undefined ? undefined : Number(process.env["SOAK_KILLS"]);
const out = join(ROOT, process.env["SOAK_OUT"] ?? "dist/soak");
mkdirSync(out, { recursive: true });
rmSync(join(out, "samples.jsonl"), { force: true });

let nextCheckpoint = CHECKPOINT_S;
function keep(soak: Soak): void {
  for (const [name, text] of [
    ["summary.json", JSON.stringify({ ...summaryOf(soak), wrong: soak.wrong }, null, 1)],
    ["index.html", pageOf(soak)],
    ["table.txt", tableOf(soak)],
    ["server.log", [...soak.house.logs, soak.house.server.log()].join("\n== the next start\n")],
  ] as const) {
    writeFileSync(join(out, `${name}.new`), text);
    renameSync(join(out, `${name}.new`), join(out, name));
  }
}

const soak = await Soak.run({
  durationMs: kills === undefined ? hours * 3_600_000 : 0,
  kills,
  seed: runSeed("soak"),
  sampleMs: 5_000,
  log: (line) => console.log(line),
  onSample(running) {
    const last = running.sampler.samples.at(-1);
    if (last !== undefined) appendFileSync(join(out, "samples.jsonl"), `${JSON.stringify(last)}\n`);
    if (running.seconds < nextCheckpoint) return;
    nextCheckpoint = running.seconds + CHECKPOINT_S;
    keep(running);
  },
});
keep(soak);
const { notFlat, missing, wrongAnswers } = summaryOf(soak) as {
  notFlat: string[];
  missing: string[];
  wrongAnswers: number;
};
if (kills === undefined) console.log(tableOf(soak));
console.log(JSON.stringify(summaryOf(soak)));
if (kills !== undefined) {
  console.log(`verdict: ${soak.house.happened.kill} kills, ${wrongAnswers} wrong answers`);
  process.exit(wrongAnswers === 0 ? 0 : 1);
}
console.log(
  `verdict: ${notFlat.length === 0 ? "flat" : `not flat: ${notFlat.join(", ")}`}; ${wrongAnswers} wrong answers; ${missing.length} operations never answered`,
);
process.exit(notFlat.length === 0 && wrongAnswers === 0 && missing.length === 0 ? 0 : 1);
