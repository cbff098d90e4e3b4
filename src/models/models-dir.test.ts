import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { removeUnfinished, scanModels } from "./models-dir.ts";
import type { FolderFiles } from "../embed/testing/model-folders.ts";
import { SMALL_WORDS, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";

const folder = transformerFolder(
  randomTransformer({
    vocabulary: SMALL_WORDS.length,
    positions: 64,
    tokenTypes: 2,
    hidden: 4,
    heads: 1,
    layers: 1,
    feedForward: 4,
    seed: 1,
  }),
);
let temp: TempDir;
let root: string;

beforeEach(() => {
  temp = tempDir();
  root = temp.path;
});
afterEach(() => temp[Symbol.dispose]());

function put(name: string, files: FolderFiles): void {
  for (const [file, content] of Object.entries(files)) {
    const path = join(root, name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

test("a data directory without models has none", async () => {
  expect(await scanModels(join(root, "absent"))).toEqual([]);
  expect(await scanModels(root)).toEqual([]);
});

test("models are found under their name or their owner's, broken ones with their problems", async () => {
  put("plain", folder);
  put("team/minilm", folder);
  put("broken", { "config.json": "{", "tokenizer.json": "{}", "onnx/model.onnx": "x" });
  put("empty/inner", { "notes.txt": "x" });
  put("bad name", folder);
  symlinkSync(join(root, "plain"), join(root, "linked"));
  symlinkSync(join(root, "gone"), join(root, "dangling"));
  const found = await scanModels(root);
  expect(found.map((model) => [model.id, model.ok])).toEqual([
    ["bad name", false],
    ["broken", false],
    ["dangling", false],
    ["empty", false],
    ["linked", true],
    ["plain", true],
    ["team/minilm", true],
  ]);
  const problems = Object.fromEntries(found.flatMap((model) => (model.ok ? [] : [[model.id, model.problems]])));
  expect(problems["broken"]?.[0]).toStartWith("config.json cannot be read as JSON");
  expect(problems["bad name"]).toEqual(["'bad name' cannot be a model's name: use letters, digits, '.', '_' and '-'"]);
  expect(problems["empty"]).toContain("config.json is missing");
});

test("the revision is that of the content, whatever the name, and changes with it", async () => {
  put("a", folder);
  put("b", folder);
  const [a, b] = await scanModels(root);
  put("b", { "sentence_bert_config.json": '{"max_seq_length":32}' });
  const [again, changed] = await scanModels(root);
  const revision = (model: typeof a) => (model?.ok === true ? model.revision : "");
  expect(revision(a)).toMatch(/^[0-9a-f]{16}$/);
  expect(revision(b)).toBe(revision(a));
  expect(revision(again)).toBe(revision(a));
  expect(revision(changed)).not.toBe(revision(a));
});

test("what a killed process left half copied or half removed is cleared away, and nothing else", async () => {
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  const left = [`.adding-${gone.pid}`, `.removing-${gone.pid}-17`, `owner/.removing-${gone.pid}-17`];
  // The number of a process is given again: what has this one's was made by one before it.
  const ofBefore = [`.adding-${process.pid}`];
  const others = [`.adding-${process.ppid}`, `.removing-${process.ppid}-17`, ".adding-", ".adding-1x", ".kept", "a"];
  for (const name of [...left, ...ofBefore, ...others, "owner/model"]) put(name, folder);
  removeUnfinished(root);
  expect(readdirSync(root).toSorted()).toEqual([...others, "owner"].toSorted());
  expect(readdirSync(join(root, "owner"))).toEqual(["model"]);
  removeUnfinished(join(root, "nowhere"));
});

test("a link that is called like a half copied model is removed, and what it leads to is not", () => {
  put("model", folder);
  symlinkSync(join(root, "model"), join(root, `.adding-${process.pid}`));
  const before = readdirSync(join(root, "model"), { recursive: true });
  removeUnfinished(root);
  expect(readdirSync(root)).toEqual(["model"]);
  expect(readdirSync(join(root, "model"), { recursive: true })).toEqual(before);
});
