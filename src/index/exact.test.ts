import { expect, test } from "bun:test";
import { Bitset } from "./bitset.ts";
import { ExactIndex } from "./exact.ts";
import { createScanKernel } from "./scan-kernel.ts";
import { segmentCapacity } from "./scan-segment.ts";
import { clusteredVectors, seededRandom } from "../../test/helpers/random.ts";
import { unitQuery, unitVectors, VectorRejectedError } from "./vector-input.ts";

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa > 0 && bb > 0 ? dot / Math.sqrt(aa * bb) : 0;
}

function bestWindow(query: Float32Array, windows: Float32Array): number {
  let best = -1;
  for (let at = 0; at < windows.length; at += query.length) {
    best = Math.max(best, cosine(query, windows.subarray(at, at + query.length)));
  }
  return best;
}

/** All owners by float32 brute force, best first. */
function bruteForce(
  query: Float32Array,
  vectors: ReadonlyMap<number, Float32Array>,
): { owner: number; score: number }[] {
  return [...vectors]
    .map(([owner, windows]) => ({ owner, score: bestWindow(query, windows) }))
    .sort((a, b) => b.score - a.score || a.owner - b.owner);
}

test.each([32, 64, 96, 384])("the kernel's dot products are those of plain integers at %d bytes a row", (stride) => {
  const random = seededRandom(stride);
  const rows = 32;
  const at = {
    scales: stride * 2,
    out: stride * 2 + 4 * rows,
    list: stride * 2 + 8 * rows,
    rows: stride * 2 + 12 * rows,
  };
  const memory = new WebAssembly.Memory({ initial: Math.ceil((at.rows + rows * stride) / 65_536) });
  const query = new Int16Array(memory.buffer, 0, stride).map(() => random.below(16_383) - 8191);
  new Int16Array(memory.buffer, 0, stride).set(query);
  const data = new Int8Array(memory.buffer, at.rows, rows * stride);
  for (let i = 0; i < data.length; i++) data[i] = random.below(255) - 127;
  const scales = new Float32Array(memory.buffer, at.scales, rows).fill(0).map(() => random());
  new Float32Array(memory.buffer, at.scales, rows).set(scales);
  const list = Int32Array.from({ length: 12 }, () => random.below(rows));
  new Int32Array(memory.buffer, at.list, 12).set(list);
  const expected = (row: number): number => {
    let sum = 0;
    for (let i = 0; i < stride; i++) sum += data[row * stride + i]! * query[i]!;
    return Math.fround(Math.fround(Math.fround(sum) * scales[row]!) * 0.5);
  };
  const out = new Float32Array(memory.buffer, at.out, rows);
  const kernel = createScanKernel(memory);
  kernel.scan(at.rows, at.scales, rows, stride, 0, stride * 2, at.out, 0.5);
  expect([...out]).toEqual(Array.from({ length: rows }, (_, row) => expected(row)));
  kernel.gather(at.rows, at.scales, 12, stride, 0, stride * 2, at.out, 0.5, at.list);
  expect([...out.subarray(0, 12)]).toEqual([...list].map(expected));
});

test.each([1, 3, 31, 32, 33, 100, 256])(
  "answers equal float32 brute force at %d dimensions, several windows each",
  (dimensions) => {
    const random = seededRandom(dimensions);
    const index = new ExactIndex(dimensions);
    const vectors = new Map<number, Float32Array>();
    let owner = 0;
    const fetch = (owners: readonly number[]) => owners.map((o) => vectors.get(o) ?? null);
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 40; i++) {
        if (vectors.size > 20 && random() < 0.35) {
          const victim = random.pick([...vectors.keys()]);
          vectors.delete(victim);
          index.remove(victim);
        } else {
          const windows = clusteredVectors(random, 1 + random.below(4), dimensions, 3);
          vectors.set(owner, windows);
          index.add(owner++, unitVectors(windows, dimensions));
        }
      }
      const query = random.vector(dimensions);
      const expected = bruteForce(query, vectors).slice(0, 10);
      const hits = index.search(query, { depth: 10, exact: 10, fetch });
      hits.forEach((hit, i) => expect(hit.score).toBeCloseTo(expected[i]!.score, 5));
      if (dimensions > 1) expect(hits.map((hit) => hit.owner)).toEqual(expected.map((hit) => hit.owner));
      const some = [...vectors.keys()].filter(() => random() < 0.2);
      const scores = index.scoresOf(query, some);
      some.forEach((o, i) => expect(Math.abs(scores[i]! - bestWindow(query, vectors.get(o)!))).toBeLessThan(0.02));
    }
    expect(index.count).toBe([...vectors.values()].reduce((sum, v) => sum + v.length / dimensions, 0));
  },
);

test("the ten best of clustered vectors are those of float32 brute force, with few read back", () => {
  const dimensions = 128;
  const count = 5000;
  const random = seededRandom(77);
  const flat = clusteredVectors(random, count + 50, dimensions, 30);
  const index = new ExactIndex(dimensions);
  const vectors = new Map<number, Float32Array>();
  for (let i = 0; i < count; i++) {
    const vector = flat.subarray(i * dimensions, (i + 1) * dimensions);
    vectors.set(i, vector);
    index.add(i, unitVectors(vector, dimensions));
  }
  for (let q = count; q < count + 50; q++) {
    const query = flat.subarray(q * dimensions, (q + 1) * dimensions);
    const hits = index.search(query, { depth: 50, exact: 10, fetch: (owners) => owners.map((o) => vectors.get(o)!) });
    expect(hits.length).toBe(50);
    expect(hits.slice(0, 10).map((hit) => hit.owner)).toEqual(
      bruteForce(query, vectors)
        .slice(0, 10)
        .map((hit) => hit.owner),
    );
  }
  expect(index.rescored / 50).toBeLessThan(60);
});

test("a list of slots and a set of owners restrict the answer", () => {
  const dimensions = 40;
  const random = seededRandom(8);
  const index = new ExactIndex(dimensions);
  const vectors = new Map<number, Float32Array>();
  for (let i = 0; i < 500; i++) {
    vectors.set(i, random.vector(dimensions));
    index.add(i, unitVectors(vectors.get(i)!, dimensions));
  }
  const fetch = (owners: readonly number[]) => owners.map((o) => vectors.get(o)!);
  const query = random.vector(dimensions);
  for (const share of [0, 0.01, 0.3, 0.9]) {
    const allowed = new Bitset();
    const kept = new Map([...vectors].filter(() => random() < share));
    for (const owner of kept.keys()) allowed.add(owner);
    const slots = new Bitset();
    allowed.forEach((owner) => index.forEachSlotOf(owner, (slot) => slots.add(slot)));
    const expected = bruteForce(query, kept)
      .slice(0, 20)
      .map((hit) => hit.owner);
    const options = { depth: 20, exact: 20, fetch };
    expect(index.search(query, { ...options, slots: slots.toArray() }).map((h) => h.owner)).toEqual(expected);
    expect(index.search(query, { ...options, allowed }).map((h) => h.owner)).toEqual(expected);
  }
});

test("a filter finds all that it keeps, wherever that ranks", () => {
  const dimensions = 32;
  const random = seededRandom(9);
  const index = new ExactIndex(dimensions);
  const vectors = Array.from({ length: 5000 }, () => random.vector(dimensions));
  for (const [i, vector] of vectors.entries()) index.add(i, unitVectors(vector, dimensions));
  const fetch = (owners: readonly number[]) => owners.map((o) => vectors[o]!);
  const query = random.vector(dimensions);
  const ranked = bruteForce(query, new Map(vectors.entries())).map((hit) => hit.owner);
  const filters = { half: ranked.filter((_, i) => i % 2 === 0), worst: ranked.slice(2500), few: ranked.slice(4980) };
  for (const [name, owners] of Object.entries(filters)) {
    const allowed = new Bitset();
    for (const owner of owners) allowed.add(owner);
    const found = index.search(query, { depth: 20, exact: 20, fetch, allowed }).map((hit) => hit.owner);
    expect([name, found]).toEqual([name, owners.slice(0, 20)]);
  }
});

test("works across several memories", () => {
  const dimensions = 2048;
  const capacity = segmentCapacity(dimensions);
  const random = seededRandom(4);
  const index = new ExactIndex(dimensions);
  const count = capacity * 2 + 10;
  const sparse = (i: number): Float32Array => {
    const vector = new Float32Array(dimensions);
    vector[i % dimensions] = 1;
    vector[(i * 31 + 7) % dimensions] = 0.5 + (i % 97) / 100;
    return unitVectors(vector, dimensions);
  };
  for (let i = 0; i < count; i++) index.add(i, sparse(i));
  const fetch = (owners: readonly number[]) => owners.map(sparse);
  for (const wanted of [0, capacity - 1, capacity, capacity * 2 + 9, random.below(count)]) {
    expect(index.search(sparse(wanted), { depth: 3, exact: 3, fetch })[0]).toMatchObject({ owner: wanted });
    const slots = Int32Array.from([0, capacity - 1, capacity, capacity * 2 + 9, wanted].sort((a, b) => a - b));
    expect(index.search(sparse(wanted), { depth: 1, exact: 1, fetch, slots })[0]).toMatchObject({ owner: wanted });
  }
  const mixed = [capacity * 2 + 9, 0, capacity, 5, capacity - 1, capacity + 3, 5, capacity * 2];
  const alone = mixed.map((owner) => index.scoresOf(sparse(5), [owner])[0]!);
  expect([...index.scoresOf(sparse(5), mixed)]).toEqual(alone);
  expect(new Set(alone).size).toBeGreaterThan(1);
  for (let i = 0; i < capacity + 5; i++) index.remove(i);
  expect(index.count).toBe(capacity + 5);
  expect(index.search(sparse(capacity + 6), { depth: 1, exact: 1, fetch })[0]!.owner).toBe(capacity + 6);
});

test("vectors that storage no longer has keep their rounded score", () => {
  const index = new ExactIndex(4);
  index.add(0, unitVectors(Float32Array.of(1, 2, 3, 4), 4));
  const hits = index.search(Float32Array.of(1, 2, 3, 4), {
    depth: 5,
    exact: 5,
    fetch: (owners) => owners.map(() => null),
  });
  expect(hits.length).toBe(1);
  expect(hits[0]!.score).toBeCloseTo(1, 1);
});

test("identical vectors fill the answer without reading all of them", () => {
  const index = new ExactIndex(16);
  const vector = unitVectors(new Float32Array(16).fill(0.3), 16);
  for (let i = 0; i < 5000; i++) index.add(i, vector);
  let read = 0;
  const fetch = (owners: readonly number[]) => {
    read += owners.length;
    return owners.map(() => vector);
  };
  expect(index.search(vector, { depth: 20, exact: 20, fetch }).length).toBe(20);
  expect(read).toBeLessThanOrEqual(2000);
});

test.each([
  ["where a sample of the scores looks", (i: number) => i % 16 === 0],
  ["where no sample of the scores looks", (i: number) => i % 16 === 1],
])("finds the nearest when they all lie %s", (_, isNear) => {
  const random = seededRandom(3);
  const index = new ExactIndex(16);
  const vectors = new Map<number, Float32Array>();
  for (let i = 0; i < 4000; i++) {
    const vector = Float32Array.from({ length: 16 }, (_, d) => (d === 0 && isNear(i) ? 20 : 0) + random.gauss());
    vectors.set(i, vector);
    index.add(i, unitVectors(vector, 16));
  }
  const query = Float32Array.from({ length: 16 }, (_, d) => (d === 0 ? 1 : 0));
  const fetch = (owners: readonly number[]) => owners.map((owner) => vectors.get(owner)!);
  const found = index.search(query, { depth: 300, exact: 300, fetch });
  expect(found.map((hit) => hit.owner)).toEqual(
    bruteForce(query, vectors)
      .slice(0, 300)
      .map((hit) => hit.owner),
  );
});

test("an empty index finds nothing", () => {
  const options = { depth: 5, exact: 5, fetch: () => [] };
  expect(new ExactIndex(8).search(new Float32Array(8).fill(1), options)).toEqual([]);
});

test("a zero vector is similar to nothing", () => {
  const index = new ExactIndex(8);
  index.add(0, unitVectors(new Float32Array(8), 8));
  expect(index.search(new Float32Array(8).fill(1), { depth: 1, exact: 0, fetch: null })).toEqual([
    { owner: 0, score: 0 },
  ]);
});

test.each([
  ["NaN", [Number.NaN, 1], "not-finite"],
  ["infinity", [Number.POSITIVE_INFINITY, 1], "not-finite"],
  ["an incomplete vector", [1, 2, 3], "dimensions"],
])("refuses %s", (_, values, reason) => {
  expect(() => unitVectors(Float32Array.from(values), 2)).toThrow(expect.objectContaining({ reason }));
  expect(() => unitQuery(Float32Array.from([...values, 1]), 2)).toThrow(VectorRejectedError);
});
