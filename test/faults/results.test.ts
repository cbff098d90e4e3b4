import { expect, test } from "bun:test";
import { tempDir } from "../helpers/temp-dir.ts";
import { Results, tableOf } from "./results.ts";
import type { Tally } from "./series.ts";

const tally = (more: Partial<Tally>): Tally => ({
  ...{ script: "upload", kind: "write", action: "EIO", failed: 3, refused: 2, stopped: 0, findings: [] },
  ...more,
});
const asItWas = { most: Infinity, step: 1, seconds: 2 };

test("a series goes on where it was broken off; one with a finding begins anew", () => {
  using dir = tempDir();
  const path = dir.join("results.jsonl");
  const results = new Results(path);
  results.keep(tally({ next: 4 }), asItWas);
  results.keep(tally({ kind: "open", findings: ["the file a is lost"] }), asItWas);
  results.keep(tally({ kind: "sync", next: 3 }), asItWas);
  results.keep(tally({ kind: "sync" }), asItWas);
  const again = new Results(path);
  const of = (kind: Tally["kind"], most = Infinity) => again.of({ script: "upload", kind, action: "EIO" }, most, 1);
  expect([of("write")?.next, of("open"), of("sync")]).toEqual([4, undefined, tally({ kind: "sync", next: undefined })]);
  expect([of("mkdir"), of("write", 10)]).toEqual([undefined, undefined]);
});

test("the table tells what failed, what was told, what was found, and what is not at its end", () => {
  const due = (more: Partial<Tally>, isTried = true) => {
    const one = tally(more);
    return { script: one.script, kind: one.kind, action: one.action, tally: isTried ? one : undefined };
  };
  const text = tableOf([
    due({}),
    due({ kind: "open", failed: 4, refused: 4 }),
    due({ action: "short", next: 4 }),
    due({ action: "short", kind: "copy" }, false),
    due({
      script: "start",
      failed: 3,
      refused: 0,
      findings: ["start, write 1: the file f is lost\n it is torn", "x is torn", "?"],
    }),
  ]);
  expect(text.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
    "script error calls refused succeeded lost torn other",
    "upload EIO 7 6 1 0 0 0 whole",
    "upload short 3 2 1 0 0 0 not whole: write, copy",
    "start EIO 3 0 0 1 1 1 whole",
  ]);
});
