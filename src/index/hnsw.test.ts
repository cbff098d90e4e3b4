import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { clusteredVectors, seededRandom } from "../../test/helpers/random.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { loadVectors } from "../platform/native.ts";
import { Bitset } from "./bitset.ts";
import { HnswGraph, type VerifiedFile } from "./hnsw.ts";
import { unitVectors } from "./vector-input.ts";

const addon = loadVectors();
const SETTINGS = { m: 8, efConstruction: 60 };
const DIMENSIONS = 24;
const random = seededRandom(5);

let dir: TempDir;
beforeEach(() => {
  dir = tempDir();
});
afterEach(() => dir[Symbol.dispose]());

const vectorsOf = (count: number, dimensions = DIMENSIONS): Float32Array =>
  unitVectors(clusteredVectors(random, count, dimensions, 20), dimensions);

function graphOf(vectors: Float32Array, threads: number, dimensions = DIMENSIONS): HnswGraph {
  const graph = HnswGraph.create(addon, dimensions, 1, SETTINGS);
  const batch = dimensions * 70;
  for (let at = 0; at < vectors.length; at += batch) graph.add(vectors.subarray(at, at + batch), threads);
  return graph;
}

function nearest(vectors: Float32Array, query: Float32Array, k: number, allowed?: Bitset): number[] {
  const dimensions = query.length;
  const scored = Array.from({ length: vectors.length / dimensions }, (_, i) => {
    let score = 0;
    for (let d = 0; d < dimensions; d++) score += vectors[i * dimensions + d]! * query[d]!;
    return { i, score };
  });
  const kept = scored.filter(({ i }) => allowed === undefined || allowed.has(i));
  return kept
    .sort((a, b) => b.score - a.score)
    .slice(0, k)
    .map(({ i }) => i);
}

/** The links of the bottom level and the vectors stand in rows; what is behind them depends on the levels alone. */
function levelsOf(path: string, count: number): number[] {
  const bytes = readFileSync(path);
  const rowBytes = Number(bytes.readBigUInt64LE(24));
  const levels: number[] = [];
  for (let i = 0, at = 96 + count * rowBytes; i < count; i++) {
    const links = bytes.readUInt32LE(at);
    levels.push(links / (4 + SETTINGS.m * 4));
    at += 4 + links;
  }
  return levels;
}

test.each([1, 2, 4])("a graph built by %d threads finds what a scan finds", (threads) => {
  const vectors = vectorsOf(2000);
  const graph = graphOf(vectors, threads);
  let found = 0;
  for (let i = 0; i < 50; i++) {
    const query = vectorsOf(1);
    const { labels, similarities } = graph.search(query, 10, 200);
    const expected = nearest(vectors, query, 10);
    found += expected.filter((label) => labels.includes(label)).length;
    expect([...similarities]).toEqual([...similarities].sort((a, b) => b - a));
  }
  expect(found / 500).toBeGreaterThan(0.97);
  graph.release();
});

test("levels are those of the labels, however many threads there are", () => {
  const vectors = vectorsOf(1500);
  const paths = [1, 3].map((threads) => {
    const path = dir.join(`${threads}.hnsw`);
    const graph = graphOf(vectors, threads);
    graph.writeUnverified(path);
    graph.release();
    return path;
  });
  const [one, three] = paths.map((path) => levelsOf(path, 1500));
  expect(one).toEqual(three!);
  // One in eight rises, one in 64 rises twice.
  expect(one!.filter((level) => level > 0).length).toBeWithin(130, 250);
  expect(Math.max(...one!)).toBeGreaterThan(1);
});

test("one thread builds the same graph of the same vectors, in batches of any size", () => {
  const vectors = vectorsOf(500);
  const files = [graphOf(vectors, 1), HnswGraph.create(addon, DIMENSIONS, 1, SETTINGS)].map((graph, i) => {
    if (i === 1) for (let at = 0; at < 500; at++) graph.add(vectors.slice(at * DIMENSIONS, (at + 1) * DIMENSIONS));
    const path = dir.join(`${i}.hnsw`);
    graph.writeUnverified(path);
    // All but the capacity.
    return Buffer.concat([readFileSync(path).subarray(0, 8), readFileSync(path).subarray(16)]);
  });
  expect(files[0]!.equals(files[1]!)).toBe(true);
});

test("only labels of owners that are wanted are found", () => {
  const vectors = vectorsOf(1200);
  const graph = graphOf(vectors, 2);
  const owners = Int32Array.from({ length: 1200 }, (_, label) => (label % 7 === 0 ? -1 : label));
  const allowed = new Bitset();
  for (let label = 0; label < 1200; label += 3) if (label % 7 !== 0) allowed.add(label);
  for (let i = 0; i < 30; i++) {
    const query = vectorsOf(1);
    const { labels } = graph.search(query, 5, 300, { owners, allowed });
    expect([...labels]).toEqual(nearest(vectors, query, 5, allowed));
  }
  expect(graph.search(vectorsOf(1), 5, 50, { owners, allowed: new Bitset() }).labels.length).toBe(0);
  expect(graph.search(vectorsOf(1), 5, 50, { owners: owners.subarray(0, 10), allowed }).labels.length).toBeLessThan(5);
});

test.each([1, 3, 17, 64, 100])("similarities are inner products at %d dimensions", (dimensions) => {
  const vectors = vectorsOf(60, dimensions);
  for (const level of addon.levels()) {
    addon.useLevel(level);
    const graph = graphOf(vectors, 1, dimensions);
    const query = vectorsOf(1, dimensions);
    const { labels, similarities } = graph.search(query, 60, 60);
    labels.forEach((label, i) => {
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += vectors[label * dimensions + d]! * query[d]!;
      expect(similarities[i]).toBeCloseTo(sum, 5);
    });
  }
  addon.useLevel(addon.levels()[0]!);
});

test("a file with any number changed opens to a graph that can be searched, or not at all", async () => {
  const count = 120;
  const graph = graphOf(vectorsOf(count), 1);
  const path = dir.join("graph.hnsw");
  graph.writeUnverified(path);
  const right = readFileSync(path);
  const query = vectorsOf(1);
  const expected = graph.search(query, 10, 50);
  const same = await HnswGraph.read(addon, { path } as VerifiedFile, DIMENSIONS, count);
  expect(same.search(query, 10, 50)).toEqual(expected);
  for (let round = 0; round < 600; round++) {
    const bytes = Buffer.from(right);
    const places = round % 3 === 0 ? 96 : bytes.length - 4;
    bytes.writeInt32LE(random.pick([-1, 0, 1, 255, 65_535, count, 2 ** 31 - 1]), random.below(places));
    const broken = dir.join("broken.hnsw");
    writeFileSync(broken, random() < 0.1 ? bytes.subarray(0, random.below(bytes.length)) : bytes);
    try {
      const opened = await HnswGraph.read(addon, { path: broken } as VerifiedFile, DIMENSIONS, count);
      expect(opened.search(query, 10, 50).labels.length).toBeLessThanOrEqual(10);
      opened.reserve(count + 5);
      opened.add(vectorsOf(5), 2);
      opened.release();
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
  }
});

const functions = addon as unknown as Record<string, (...args: unknown[]) => unknown>;

test("calls with what is no graph, no path or no vectors are refused", () => {
  const graph = addon.graphCreate(4, 10, 4, 20);
  const vectors = Float32Array.of(1, 0, 0, 0);
  const [labels, similarities] = [new Int32Array(1), new Float32Array(1)];
  const calls: Record<string, unknown[]> = {
    graphCreate: [4, 10, 4, 20],
    graphCount: [graph],
    graphReserve: [graph, 20],
    graphAdd: [graph, vectors, 1],
    graphSearch: [graph, vectors, 10, null, null, labels, similarities],
    graphSave: [graph, dir.join("x")],
    graphRead: [dir.join("nowhere"), 4, 1],
  };
  const wrong = [undefined, {}, [], -1, 1.5, NaN, 2 ** 40, () => 1, new Int8Array(4), new Float32Array(3), "a\0b"];
  for (const [name, right] of Object.entries(calls)) {
    for (let at = 0; at < right.length; at++) {
      for (const value of wrong) {
        const args = [...right];
        args[at] = value;
        try {
          void Promise.resolve(functions[name]!(...args)).catch(() => {});
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }
    }
    expect(() => functions[name]!()).toThrow(TypeError);
  }
  addon.graphRelease(graph);
  for (const name of ["graphCount", "graphReserve", "graphAdd", "graphSearch", "graphSave"])
    expect(() => functions[name]!(...calls[name]!)).toThrow("released");
  expect(() => functions["graphRelease"]!({})).toThrow("must be a graph");
});
