/**
 * `make soak HOURS=`: a server is used in every way for so long, disturbed, and watched. dist/soak/ has samples.jsonl as it
 * goes, a checkpoint (index.html, table.txt, summary.json, rests.json, server.log) every minute, and the same at the end.
 * SEED repeats the order of things.
 * SOAK_KILLS=500: killed so often instead, at any instant, however long that takes; then only answers are judged. Kills of
 * a call that was broken off count: the next one does those that are left.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runSeed } from "../helpers/random.ts";
import { ROOT } from "../helpers/server.ts";
import { pageOf } from "./page.ts";
import { summaryOf, tableOf } from "./report.ts";
import { Soak } from "./soak.ts";
import { StormRecord } from "./storm.ts";

const CHECKPOINT_S = 60;
const hours = Number(process.env["HOURS"] ?? process.argv[2] ?? 1);
if (!(hours > 0)) throw new Error("HOURS must be a number above 0; it may have a fraction.");
const kills = process.env["SOAK_KILLS"] === undefined ? undefined : Number(process.env["SOAK_KILLS"]);
const out = resolve(ROOT, process.env["SOAK_OUT"] ?? "dist/soak");
mkdirSync(out, { recursive: true });
rmSync(join(out, "samples.jsonl"), { force: true });
const storm = kills === undefined ? null : await StormRecord.open(join(out, "storm.json"));
const before = storm?.before ?? { kills: 0, wrong: 0 };
if (before.kills > 0) console.log(`${before.kills} kills and ${before.wrong} wrong answers before`);

let nextCheckpoint = CHECKPOINT_S;
function keep(soak: Soak): void {
  storm?.keep({ seed: soak.options.seed, kills: soak.house.happened.kill, wrong: soak.wrong });
  for (const [name, text] of [
    ["summary.json", JSON.stringify({ ...summaryOf(soak), wrong: soak.wrong }, null, 1)],
    ["rests.json", JSON.stringify(soak.sampler.rests, null, 1)],
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
  kills: kills === undefined ? undefined : Math.max(0, kills - before.kills),
  paceMs: kills === undefined ? undefined : 0,
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
const { notFlat, steadyLoad, missing, wrongAnswers } = summaryOf(soak) as {
  notFlat: string[];
  steadyLoad: boolean | null;
  missing: string[];
  wrongAnswers: number;
};
if (kills === undefined) console.log(tableOf(soak));
console.log(JSON.stringify(summaryOf(soak)));
if (kills !== undefined) {
  const wrong = before.wrong + wrongAnswers;
  console.log(`verdict: ${before.kills + soak.house.happened.kill} kills, ${wrong} wrong answers`);
  process.exit(wrong === 0 ? 0 : 1);
}
console.log(
  `verdict: ${notFlat.length === 0 ? "flat" : `not flat: ${notFlat.join(", ")}`}; ${wrongAnswers} wrong answers; ${missing.length} operations never answered`,
);
if (steadyLoad === false) console.log("the load was not the same throughout: what rose may have risen with it");
process.exit(notFlat.length === 0 && wrongAnswers === 0 && missing.length === 0 ? 0 : 1);
