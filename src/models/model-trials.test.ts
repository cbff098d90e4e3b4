import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { ModelTrials } from "./model-trials.ts";

const FOLDER = { kind: "embedding" as const, directory: "/models/a", files: [] };

test("a folder is tried once, also by those who ask meanwhile, and after a start", async () => {
  using dir = tempDir();
  const path = dir.join("data", "tried.json");
  let runs = 0;
  const run = () => Promise.resolve(++runs === 1 ? ["it never ends"] : []);
  const trials = new ModelTrials({ path, run });
  expect(trials.known("r1")).toBeNull();
  const both = [trials.outcomeOf("r1", FOLDER), trials.outcomeOf("r1", FOLDER)];
  expect(await Promise.all(both)).toEqual([["it never ends"], ["it never ends"]]);
  const later = new ModelTrials({ path, run });
  expect(later.known("r1")).toEqual(["it never ends"]);
  expect(await later.outcomeOf("r1", FOLDER)).toEqual(["it never ends"]);
  // Other files are another folder.
  expect(await later.outcomeOf("r2", FOLDER)).toEqual([]);
  expect(runs).toBe(2);
});

test("a trial that itself fails is no outcome", async () => {
  using dir = tempDir();
  const path = dir.join("tried.json");
  const trials = new ModelTrials({ path, run: () => Promise.reject(new Error("no process")) });
  expect(await trials.outcomeOf("r1", FOLDER).catch((error: Error) => error.message)).toBe("no process");
  expect([trials.known("r1"), existsSync(path)]).toEqual([null, false]);
});

test("a record that is torn, or of something else, counts for nothing", () => {
  using dir = tempDir();
  const path = dir.join("tried.json");
  for (const content of ["{", "[]", "null", '{"r1":"fine","r2":[1]}']) {
    writeFileSync(path, content);
    const trials = new ModelTrials({ path, run: () => Promise.resolve([]) });
    expect([trials.known("r1"), trials.known("r2")]).toEqual([null, null]);
  }
});
