import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { endlessFolder } from "../embed/testing/endless-graph.ts";
import { type FolderFiles, SMALL_WORDS, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";
import { unpackNatives } from "../platform/native.ts";
import { NO_BOUNDS } from "../platform/process-bounds.ts";
import { tryModel } from "./model-trial.ts";

setDefaultTimeout(120_000);

const shape = { vocabulary: SMALL_WORDS.length, positions: 32, tokenTypes: 2, hidden: 16, heads: 2 };
const plainFolder = (): FolderFiles =>
  transformerFolder(randomTransformer({ ...shape, layers: 1, feedForward: 32, seed: 1 }));

async function trialOf(dir: TempDir, files: FolderFiles, bounds: { deadlineMs?: number; memoryBytes?: number } = {}) {
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir.path, "model", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  const natives = await unpackNatives(dir.join("data"));
  const folder = { kind: "embedding" as const, directory: dir.join("model"), files: Object.keys(files) };
  return await tryModel(folder, { natives, bounds: NO_BOUNDS, ...bounds });
}

test("nothing is wrong with a model that runs", async () => {
  using dir = tempDir();
  expect(await trialOf(dir, plainFolder())).toEqual([]);
});

test("what a model's files are wrong in is told as ever", async () => {
  using dir = tempDir();
  const problems = await trialOf(dir, { ...plainFolder(), "onnx/model.onnx": "no graph" });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("model.onnx");
});

test("a graph that never ends is ended", async () => {
  using dir = tempDir();
  expect(await trialOf(dir, endlessFolder(), { deadlineMs: 5_000 })).toEqual([
    "it gives no answer for a plain sentence within 5 seconds",
  ]);
});

test("one that takes more memory than its bound is ended", async () => {
  using dir = tempDir();
  expect(await trialOf(dir, endlessFolder(), { memoryBytes: 2 ** 20 })).toEqual([
    "it takes more than 1 MiB of memory for a plain sentence",
  ]);
});
