import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { bundledModelFiles, modelFileNames } from "./bundled-model.ts";

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

test("the bundled model is complete and readable", async () => {
  const files = bundledModelFiles();
  expect([...files.keys()]).toContain("tokenizer.json");
  const graphs = [...files].filter(([name]) => name.endsWith(".onnx"));
  expect(graphs.length).toBe(1);
  for (const [, path] of files) expect((await Bun.file(path).bytes()).length).toBeGreaterThan(0);
});
