import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { loadVectors } from "../platform/native.ts";
import { PartBuilder } from "./builder.ts";
import {
  cleanLeftovers,
  graphPath,
  idsPath,
  type Manifest,
  nextSerial,
  type PartEntry,
  publishManifest,
  readManifest,
  retireDirectory,
} from "./generation.ts";
import { DEFAULT_GRAPH_SETTINGS, HnswGraph } from "./hnsw.ts";
import { openGraph, releaseGraph } from "./open-graph.ts";
import { DamagedFileError, sealGraphFile } from "./part-file.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { unitVectors } from "./vector-input.ts";

const DIMENSIONS = 12;
const IDENTITY = { model: "m", revision: "r1", dimensions: DIMENSIONS };
const addon = loadVectors();

let temp: TempDir;
let root: string;
let directory: string;
beforeEach(() => {
  temp = tempDir();
  root = temp.path;
  directory = join(root, "gen-1");
});
afterEach(() => temp[Symbol.dispose]());

const vectorsOf = (count: number, seed = 1): Float32Array => {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count * DIMENSIONS }, random.gauss);
};
const idsFrom = (first: number, count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => first + i);

async function build(count: number, firstId: number, base: PartEntry | null = null, seed = 1): Promise<PartEntry> {
  const plan = {
    directory,
    serial: nextSerial(directory),
    dimensions: DIMENSIONS,
    settings: DEFAULT_GRAPH_SETTINGS,
    expected: count,
    base,
  };
  const builder = await PartBuilder.start(addon, plan);
  builder.add(idsFrom(firstId, count), vectorsOf(count, seed));
  return builder.finish();
}

async function publish(...parts: PartEntry[]): Promise<Manifest> {
  const manifest = { identity: IDENTITY, parts };
  publishManifest(directory, manifest);
  return manifest;
}

test("a published graph opens with every vector under its chunk id", async () => {
  const part = await build(300, 1000);
  await publish(part);
  const opened = await openGraph(addon, directory, IDENTITY, DIMENSIONS);
  if (!opened.ok) throw new Error(opened.detail);
  const [only] = opened.graph.parts;
  const unit = unitVectors(vectorsOf(300), DIMENSIONS);
  for (const i of [0, 17, 299]) {
    const { labels, similarities } = only!.graph.search(unit.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS), 3, 50);
    expect(only!.chunkIds[labels[0]!]).toBe(1000 + i);
    expect(similarities[0]).toBeCloseTo(1, 5);
  }
  releaseGraph(opened.graph);
  expect(() => only!.graph.search(unit.subarray(0, DIMENSIONS), 1, 10)).toThrow("released");
});

test("a part grows from an earlier one without losing anything, under a new name", async () => {
  const first = await build(200, 0);
  await publish(first);
  const second = await build(150, 5000, first, 2);
  expect(second).toMatchObject({ serial: first.serial + 1, vectors: 350 });
  await publish(second);
  expect(existsSync(graphPath(directory, first.serial))).toBe(false);
  const opened = await openGraph(addon, directory, IDENTITY, DIMENSIONS);
  if (!opened.ok) throw new Error(opened.detail);
  const { graph, chunkIds } = opened.graph.parts[0]!;
  const old = unitVectors(vectorsOf(200), DIMENSIONS).subarray(0, DIMENSIONS);
  const added = unitVectors(vectorsOf(150, 2), DIMENSIONS).subarray(0, DIMENSIONS);
  expect(chunkIds[graph.search(old, 1, 100).labels[0]!]).toBe(0);
  expect(chunkIds[graph.search(added, 1, 100).labels[0]!]).toBe(5000);
  releaseGraph(opened.graph);
});

const damages: [string, (path: string) => void][] = [
  ["deleted", (path) => rmSync(path)],
  ["empty", (path) => truncateSync(path, 0)],
  ["cut off", (path) => truncateSync(path, readFileSync(path).length - 5)],
  ["longer", (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(8)]))],
  ["flipped in the first byte", (path) => flip(path, 0)],
  ["flipped in the middle", (path) => flip(path, 0.5)],
  ["flipped near the end", (path) => flip(path, 0.98)],
];

function flip(path: string, where: number): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length * where);
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(path, bytes);
}

for (const [how, damage] of damages) {
  test(`a graph file that is ${how} is noticed before it is read`, async () => {
    const part = await build(100, 0);
    await publish(part);
    damage(graphPath(directory, part.serial));
    expect(await openGraph(addon, directory, IDENTITY, DIMENSIONS)).toMatchObject({ ok: false, reason: "damaged" });
    await expect(build(1, 900, part)).rejects.toThrow(DamagedFileError);
  });
  test(`a file of ids that is ${how} is noticed`, async () => {
    const part = await build(100, 0);
    await publish(part);
    damage(idsPath(directory, part.serial));
    expect(await openGraph(addon, directory, IDENTITY, DIMENSIONS)).toMatchObject({ ok: false, reason: "damaged" });
  });
  test(`a manifest that is ${how} does not open`, async () => {
    await publish(await build(100, 0));
    damage(join(directory, "manifest.json"));
    expect((await openGraph(addon, directory, IDENTITY, DIMENSIONS)).ok).toBe(false);
  });
}

test("a graph of another identity does not open", async () => {
  await publish(await build(10, 0));
  const other = await openGraph(addon, directory, { ...IDENTITY, revision: "r2" }, DIMENSIONS);
  expect(other).toMatchObject({ ok: false, reason: "other-identity" });
  expect(readManifest(directory, { dimensions: DIMENSIONS, revision: "r1", model: "m" }).ok).toBe(true);
  expect(readManifest(join(root, "nowhere"), IDENTITY)).toEqual({ ok: false, reason: "missing" });
});

test("what was written is checked against what was added", async () => {
  const part = await build(120, 0);
  const path = graphPath(directory, part.serial);
  const right = new Int32Array(120);
  // The builder's own fingerprints cannot be read back, so wrong ones stand for a vector that rotted on its way.
  expect(() => sealGraphFile(path, DIMENSIONS, right)).toThrow("not the one that was added");
  expect(() => sealGraphFile(path, DIMENSIONS, new Int32Array(119))).toThrow("wrong header");
  expect(() => sealGraphFile(path, DIMENSIONS + 1, right)).toThrow("wrong header");
  for (const bytes of [0, 50, 96, 5000, part.graph.bytes - 1]) {
    truncateSync(path, bytes);
    expect(() => sealGraphFile(path, DIMENSIONS, right)).toThrow(DamagedFileError);
  }
});

test("a full disk during a build fails the build and leaves the graph before it intact", async () => {
  const before = await publish(await build(50, 0));
  const plan = {
    directory,
    serial: 2,
    dimensions: DIMENSIONS,
    settings: DEFAULT_GRAPH_SETTINGS,
    expected: 5,
    base: null,
  };
  const builder = await PartBuilder.start(addon, plan);
  builder.add(idsFrom(0, 5), vectorsOf(5));
  symlinkSync("/dev/full", graphPath(directory, 2)); // every write fails with ENOSPC
  expect(() => builder.finish()).toThrow();
  expect(readdirSync(directory).sort()).toEqual(["manifest.json", "part-1.hnsw", "part-1.ids"]);
  expect(readManifest(directory, IDENTITY)).toMatchObject({ ok: true, manifest: { parts: before.parts } });
  const opened = await openGraph(addon, directory, IDENTITY, DIMENSIONS);
  expect(opened.ok).toBe(true);
  if (opened.ok) releaseGraph(opened.graph);
});

test("a batch with a bad vector is refused as a whole", async () => {
  const plan = {
    directory,
    serial: 1,
    dimensions: DIMENSIONS,
    settings: DEFAULT_GRAPH_SETTINGS,
    expected: 0,
    base: null,
  };
  const builder = await PartBuilder.start(addon, plan);
  const bad = vectorsOf(3);
  bad[DIMENSIONS * 2 + 1] = Number.NaN;
  expect(() => builder.add(idsFrom(0, 3), bad)).toThrow("not finite");
  expect(builder.count).toBe(0);
  builder.add(idsFrom(0, 40), vectorsOf(40)); // grows past what was expected
  expect(builder.finish().vectors).toBe(40);
});

test("the wrapper refuses what a graph cannot hold", () => {
  const graph = HnswGraph.create(addon, 4, 2, DEFAULT_GRAPH_SETTINGS);
  const good = Float32Array.of(1, 0, 0, 0);
  expect(() => graph.add(Float32Array.of(1, Number.NaN, 0, 0))).toThrow("not finite");
  expect(() => graph.add(Float32Array.of(1, 0, 0))).toThrow("dimensions");
  for (let i = 0; i < 50; i++) expect(graph.add(good)).toBe(i); // past its capacity
  expect(graph.search(good, 1000, 10).labels.length).toBe(50); // more than there are
  expect(graph.search(good, 0, 10).labels.length).toBe(0);
  expect(() => graph.search(Float32Array.of(1, 0, Number.POSITIVE_INFINITY, 0), 1, 10)).toThrow("not finite");
  expect(() => graph.reserve(2 ** 32)).toThrow(RangeError);
  graph.release();
  graph.release();
  expect(() => graph.add(good)).toThrow("released");
});

test("publishing removes what it does not name, and leftovers of crashes are cleaned at start", async () => {
  const part = await build(10, 0);
  writeFileSync(join(directory, "part-9.hnsw"), "half");
  writeFileSync(join(directory, "manifest.json.tmp"), "{");
  await publish(part);
  const whole = ["manifest.json", "part-1.hnsw", "part-1.ids"];
  expect(readdirSync(directory).sort()).toEqual(whole);
  writeFileSync(join(directory, "part-2.ids"), "half");
  renameSync(directory, join(root, "gen-7"));
  mkdirSync(join(root, "gen-2-abc.deleted"));
  mkdirSync(join(root, "gen-3"));
  expect(cleanLeftovers(root, (name) => name === "gen-7")).toBe(3);
  expect(readdirSync(root)).toEqual(["gen-7"]);
  expect(readdirSync(join(root, "gen-7")).sort()).toEqual(whole);
  expect(cleanLeftovers(root, (name) => name === "gen-7")).toBe(0);
});

test("a retired generation is gone, and retiring it again does nothing", async () => {
  await publish(await build(10, 0));
  retireDirectory(directory);
  retireDirectory(directory);
  expect(readdirSync(root)).toEqual([]);
});

test("serial numbers are never given twice while a file of theirs exists", async () => {
  expect(nextSerial(directory)).toBe(1);
  mkdirSync(directory);
  writeFileSync(join(directory, "part-12.ids"), "");
  expect(nextSerial(directory)).toBe(13);
});
