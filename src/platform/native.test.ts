import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import type { EmbeddedNative } from "./native-embedded.ts";
import { loadOnnxRuntime, loadVectors, unpack, unpackNatives, vectorsFileName } from "./native.ts";

const LIBRARY_BYTES = 3_000_000;
let temp: TempDir;
let base: string;
let files: EmbeddedNative[];

beforeAll(() => {
  temp = tempDir();
  base = temp.path;
  files = [
    source("onnxruntime_binding.node", "binding"),
    source("libonnxruntime.so.1", "x".repeat(LIBRARY_BYTES)),
    source(vectorsFileName(), "vectors"),
  ];
});

afterAll(() => temp[Symbol.dispose]());

function source(name: string, text: string): EmbeddedNative {
  const path = join(base, `embedded-${name}`);
  writeFileSync(path, text);
  return { name, path, bytes: text.length, sha256: new Bun.CryptoHasher("sha256").update(text).digest("hex") };
}

function freshParent(name: string): string {
  return join(base, name, "native");
}

test("every file is unpacked into one private directory named by their hash", async () => {
  const parent = freshParent("first");
  const natives = await unpack(files, parent);
  const directory = dirname(natives.vectors);
  expect(natives.onnxruntime).toBe(join(directory, "onnxruntime_binding.node"));
  expect(natives.vectors).toBe(join(directory, vectorsFileName()));
  expect(readdirSync(parent)).toEqual([directory.slice(parent.length + 1)]);
  expect(readdirSync(directory).sort()).toEqual(files.map((file) => file.name).sort());
  for (const file of files) expect(readFileSync(join(directory, file.name))).toEqual(readFileSync(file.path));
  for (const path of [parent, directory, natives.vectors]) expect(statSync(path).mode & 0o077).toBe(0);
});

test("a second start reuses the files as they are", async () => {
  const parent = freshParent("second");
  const before = statSync((await unpack(files, parent)).vectors);
  const after = statSync((await unpack(files, parent)).vectors);
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
});

test.each([
  ["truncated", (path: string) => truncateSync(path, 5)],
  ["empty", (path: string) => truncateSync(path, 0)],
  ["altered without changing its size", (path: string) => writeFileSync(path, "y".repeat(LIBRARY_BYTES))],
  ["missing", (path: string) => rmSync(path)],
])("a copy that is %s is replaced", async (_how, damage) => {
  const parent = freshParent("damaged");
  const library = join(dirname((await unpack(files, parent)).vectors), "libonnxruntime.so.1");
  damage(library);
  await unpack(files, parent);
  expect(readFileSync(library, "utf8")).toBe("x".repeat(LIBRARY_BYTES));
});

test("what a crash or another version left is removed", async () => {
  const parent = freshParent("stale");
  const directory = dirname((await unpack(files, parent)).vectors);
  mkdirSync(join(parent, "0123456789abcdef"));
  writeFileSync(join(parent, "0123456789abcdef", "libonnxruntime.so.1"), "old");
  writeFileSync(join(directory, "libonnxruntime.so.1.tmp"), "half");
  await unpack(files, parent);
  expect(readdirSync(parent)).toEqual([directory.slice(parent.length + 1)]);
  expect(existsSync(join(directory, "libonnxruntime.so.1.tmp"))).toBe(false);
});

test("a directory that others could write to is made private again", async () => {
  const parent = freshParent("loose");
  const directory = dirname((await unpack(files, parent)).vectors);
  chmodSync(directory, 0o777);
  await unpack(files, parent);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("a damaged source is refused and leaves nothing to load", async () => {
  const parent = freshParent("bad-source");
  const bad = { ...source("libbad.so", "good"), sha256: "0".repeat(64) };
  await expect(unpack([bad, ...files], parent)).rejects.toThrow("libbad.so is damaged");
  expect(readdirSync(parent, { recursive: true }).map(String)).not.toContainEqual(expect.stringMatching(/libbad\.so$/));
});

test("a level that the binary was not built for is refused by name", async () => {
  const other = process.arch === "arm64" ? "x86-64-v3" : "arm64";
  await expect(unpackNatives(freshParent("level"), other)).rejects.toThrow(`no native code for ${other}`);
});

test("our own addon answers on the main thread", () => {
  const addon = loadVectors();
  const graph = addon.graphCreate(2, 2, 8, 50);
  addon.graphAdd(graph, Float32Array.of(1, 0, 0, 1), 1);
  const labels = new Int32Array(1);
  expect(addon.graphSearch(graph, Float32Array.of(0, 1), 10, null, null, labels, new Float32Array(1))).toBe(1);
  expect(labels).toEqual(Int32Array.of(1));
  addon.graphRelease(graph);
});

test("ONNX Runtime loads, in a build that has no telemetry uploader", () => {
  expect(typeof loadOnnxRuntime().InferenceSession.create).toBe("function");
  const packageDirectory = dirname(require.resolve("onnxruntime-node/package.json"));
  const directory = join(packageDirectory, "bin/napi-v6", process.platform, process.arch);
  const libraries = readdirSync(directory).filter((name) => name.startsWith("libonnxruntime"));
  expect(libraries.length).toBeGreaterThan(0);
  for (const name of libraries) {
    const bytes = readFileSync(join(directory, name));
    for (const mark of ["mat-debug", "ORT_DISABLE_TELEMETRY", "libcurl"]) expect(bytes.includes(mark)).toBe(false);
  }
});
