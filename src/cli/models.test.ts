import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { storeApp } from "../app/testing/store-app.ts";
import type { FolderFiles } from "../embed/testing/model-folders.ts";
import { SMALL_SHAPE, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";
import { cellsOf, lectern, serveApp } from "./testing/command.ts";

// A folder that is added is run once in a process of its own.
setDefaultTimeout(60_000);

const FOLDER = transformerFolder(randomTransformer(SMALL_SHAPE));

function put(folder: string, files: FolderFiles): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

test("the list shows what there is, and beside it what cannot be used and why", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  put(`${f.dataDir}/models/half`, { "config.json": "{}" });
  const { status, out, err } = await server.run(["models", "list"]);
  expect(status).toBe(0);
  expect(cellsOf(out).map(([name, where]) => [name, where])).toContainEqual(["words-64", "bundled"]);
  expect(err).toContain("half cannot be used: ");
  const json = JSON.parse((await server.run(["models", "list", "--json"])).out);
  expect(json.models).toContainEqual(expect.objectContaining({ id: "words-64", dimensions: 64 }));
  expect(json.broken).toEqual([expect.objectContaining({ id: "half", usable: false })]);
});

test("folders are verified without a server: the revision, or what is missing, and the status", async () => {
  using dir = tempDir();
  const whole = put(dir.join("whole"), FOLDER);
  const { "tokenizer.json": _, ...less } = FOLDER;
  const half = put(dir.join("half"), less);
  expect(await lectern(["models", "verify", whole])).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^\S+: ok, revision \S+\n$/),
  });
  const both = await lectern(["models", "verify", whole, half]);
  expect(both.status).toBe(1);
  expect(both.out).toContain(`${half}: cannot be used\n  - tokenizer.json`);
});

test("the models of a server are asked for a vector or a score; one that it does not have is a failure", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["models", "verify", "words-64", "lectern-rank"];
  const asked = await server.run(argv);
  expect(asked).toMatchObject({ status: 0, out: "words-64: ok, 64 dimensions\nlectern-rank: ok, a reranker\n" });
  const unknown = await server.run([...argv, "none"]);
  expect([unknown.status, unknown.out]).toEqual([1, expect.stringContaining("none: cannot be used\n  - ")]);
});

test("a folder is copied whole into the data directory, without what is never read, and named by --id", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const folder = put(dir.join("house"), { ...FOLDER, "model.safetensors": "large", ".git/x": "hidden" });
  const argv = ["models", "add", folder, "--id", "acme/house", "--data", f.dataDir, "--max-tokens", "16"];
  const added = await server.run([...argv, "--query-prefix", "query: "]);
  expect(added).toMatchObject({ status: 0, out: "acme/house\n" });
  expect(added.err).toContain("Added acme/house: 16 dimensions, windows of 16 tokens.");
  const target = join(f.dataDir, "models/acme/house");
  expect(readdirSync(target)).not.toContain("model.safetensors");
  expect(readdirSync(target)).not.toContain(".git");
  expect(readFileSync(join(target, "lectern.json"), "utf8")).toContain('"query: "');
  expect(readdirSync(join(f.dataDir, "models"))).toEqual(["acme"]);
  const again = await server.run(argv);
  expect([again.status, again.err]).toEqual([1, expect.stringContaining("There is a model 'acme/house' already")]);
  expect(await server.run(["models", "remove", "acme/house"])).toMatchObject({ out: "Removed acme/house\n" });
  expect(existsSync(target)).toBe(false);
});

test.each<[fault: string, files: FolderFiles, words: string]>([
  ["no tokenizer", { ...FOLDER, "tokenizer.json": "" }, "tokenizer.json"],
  ["a graph that is none", { ...FOLDER, "onnx/model.onnx": "no graph" }, "model.onnx"],
])("a folder with %s is refused with what is wrong, and leaves nothing", async (_fault, files, words) => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(["models", "add", put(dir.join("bad"), files), "--data", f.dataDir]);
  expect([status, err]).toEqual([1, expect.stringContaining(words)]);
  const models = join(f.dataDir, "models");
  expect(existsSync(models) ? readdirSync(models) : []).toEqual([]);
});

test("a link that leads out of the folder is not followed", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const folder = put(dir.join("linked"), FOLDER);
  writeFileSync(dir.join("secret"), "secret");
  symlinkSync(dir.join("secret"), join(folder, "notes.txt"));
  const { status, err } = await server.run(["models", "add", folder, "--data", f.dataDir]);
  expect([status, err]).toEqual([1, expect.stringContaining("notes.txt")]);
  const models = join(f.dataDir, "models");
  expect(existsSync(models) ? readdirSync(models) : []).toEqual([]);
});

test.each<[status: number, argv: string[], sentence: string]>([
  [1, ["add", "/nowhere/at/all"], "There is no folder /nowhere/at/all."],
  [2, ["add", "/tmp", "--price", "1"], "--price is for models add --remote, not for a folder."],
  [2, ["add", "/tmp", "--max-tokens", "0"], "--max-tokens must be a whole number"],
  [2, ["add", "--remote"], "Say what it speaks: --dialect"],
  [2, ["add", "--remote", "--dialect", "openai"], "Say which model: --model NAME"],
  [2, ["add", "--remote", "--dialect", "klingon", "--model", "x"], "--dialect does not fit"],
  [2, ["add", "--remote", "--dialect", "openai", "--model", "x", "--price", "much"], "--price does not fit"],
  [2, ["add", "--remote", "--dialect", "openai", "--model", "x", "--variant", "int8"], "--variant is for a folder"],
  [1, ["add", "--remote", "--dialect", "openai", "--model", "words-64"], "which was not added by this verb"],
  [1, ["remove", "none"], "none"],
])("with status %d %j is refused, and nothing is written", async (expected, argv, sentence) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, out, err } = await server.run(["models", ...argv, "--data", f.dataDir]);
  expect([status, out]).toEqual([expected, ""]);
  expect(err).toContain(sentence);
  expect(existsSync(`${f.dataDir}/models.toml`)).toBe(false);
});

test("adding needs a data directory on this machine", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(["models", "add", dir.path, "--data", dir.path]);
  expect([status, err]).toEqual([1, expect.stringContaining("is no data directory of a server on this machine")]);
});

test("a remote model is asked for its dimensions and kept with them; one that does not answer is not kept", async () => {
  await using f = await storeApp({ allowPrivateAddresses: true });
  await using server = serveApp(f);
  let status = 200;
  await using provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (status !== 200) return Response.json({ error: { message: "no such model" } }, { status });
      const { input } = (await request.json()) as { input: string[] };
      const data = input.map((text, index) => ({ index, embedding: [1, text.length, 2, 0] }));
      return Response.json({ object: "list", data, usage: { prompt_tokens: 1, total_tokens: 1 } });
    },
  });
  const address = `${provider.url.origin}/v1`;
  const argv = ["models", "add", "--remote", "--address", address, "--data", f.dataDir, "--model"];
  const added = await server.run([...argv, "house"]);
  expect(added).toMatchObject({ status: 0, out: "house\n" });
  const kept = readFileSync(`${f.dataDir}/models.toml`, "utf8");
  expect(kept).toContain("dimensions = 4");
  expect((await server.run([...argv, "house"])).err).toContain("There is a model 'house' already");
  const wrong = await server.run([...argv, "other", "--dimensions", "5"]);
  expect([wrong.status, wrong.err]).toEqual([1, expect.stringContaining("its vectors have 4 dimensions, not 5")]);
  status = 404;
  expect((await server.run([...argv, "gone"])).status).toBe(1);
  expect(readFileSync(`${f.dataDir}/models.toml`, "utf8")).toBe(kept);
});

test("naming an inactive model shows whom it calls and lets it be used", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const model = 'id = "house"\ndialect = "openai-compatible"\naddress = "http://127.0.0.1:9/v1"\ninactive = true\n';
  writeFileSync(`${f.dataDir}/models.toml`, `[[models]]\n${model}dimensions = 4\n`);
  const { err } = await server.run(["models", "verify", "house", "--data", f.dataDir]);
  expect(err).toContain('house is active now: it calls "http://127.0.0.1:9/v1"');
  expect(readFileSync(`${f.dataDir}/models.toml`, "utf8")).not.toContain("inactive");
});
