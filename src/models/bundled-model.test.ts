import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import {
  BUNDLED_MODELS,
  bundledDirectories,
  bundledModelFiles,
  bundledModels,
  DEFAULT_BUNDLED_MODEL,
  modelFileNames,
  WORD_TABLE,
} from "./bundled-model.ts";

test("a model's files are named below its folder, without its card and hidden files", () => {
  const temp = tempDir();
  const directory = temp.path;
  for (const name of ["tokenizer.json", "onnx/model.onnx", "README.md", ".gitattributes", "1_Pooling/config.json"]) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), "x");
  }
  const names = modelFileNames(directory);
  temp[Symbol.dispose]();
  expect(names).toEqual(["1_Pooling/config.json", "onnx/model.onnx", "tokenizer.json"]);
});

test("bundled models are those of known names whose folders hold a model", () => {
  using temp = tempDir();
  for (const name of ["models/lectern-embed/tokenizer.json", "models/train/tokenizer.json", "models/lexicon/a.json"]) {
    mkdirSync(dirname(join(temp.path, name)), { recursive: true });
    writeFileSync(join(temp.path, name), "{}");
  }
  expect(bundledDirectories(temp.path)).toEqual([
    { name: "lectern-embed", directory: join(temp.path, "models/lectern-embed") },
  ]);
});

test("the table of words and the default are among those that are here", () => {
  expect(bundledModels()).toContain(WORD_TABLE);
  expect(bundledModels()).toContain(DEFAULT_BUNDLED_MODEL);
  expect(BUNDLED_MODELS).toEqual(expect.arrayContaining(bundledModels()));
});

test.each(bundledModels())("%s is complete and readable", async (name) => {
  const files = bundledModelFiles(name);
  expect([...files.keys()]).toContain("tokenizer.json");
  const graphs = [...files].filter(([name]) => name.endsWith(".onnx"));
  expect(graphs.length).toBe(1);
  for (const [, path] of files) expect((await Bun.file(path).bytes()).length).toBeGreaterThan(0);
});
