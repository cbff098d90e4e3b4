/**
 * The soak for a minute and a half: no wrong answer while the server is killed, restarted, without space and moved in time, and
 * every operation is answered. `make soak` takes as long as it is told, and looks at what grows.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { runSeed } from "../helpers/random.ts";
import { pageOf } from "./page.ts";
import { summaryOf } from "./report.ts";
import { Soak } from "./soak.ts";

// A machine with much else to do takes its time over each start.
setDefaultTimeout(600_000);

test("a minute and a half of everything, with disturbances, and no wrong answer", async () => {
  const soak = await Soak.run({ durationMs: 95_000, seed: runSeed("soak"), sampleMs: 2_000, paceMs: 0 });
  expect(soak.wrong).toEqual([]);
  const { happened } = soak.house;
  expect([happened.kill > 1, happened.restart > 0, happened.clock > 0, happened.full > 0]).toEqual([
    true,
    true,
    true,
    soak.house.isMounted,
  ]);
  const { requests, checksOfLastingStores } = summaryOf(soak) as { requests: number; checksOfLastingStores: number };
  expect([requests > 100, checksOfLastingStores > 5, soak.sampler.samples.length > 5]).toEqual([true, true, true]);
  // Which of them a slow machine comes to in so short a time is chance.
  expect(soak.ledger.missing.length).toBeLessThan(soak.ledger.counts.size / 2);
  expect(pageOf(soak)).toMatch(/^<!doctype html>.*<svg.*<\/html>$/s);
});
