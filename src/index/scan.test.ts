import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../test/helpers/random.ts";
import { loadVectors } from "../platform/native.ts";
import type { NativePart } from "../platform/vector-addon.ts";
import { Bitset } from "./bitset.ts";
import { ExactIndex } from "./exact.ts";
import { NativeScan } from "./native-scan.ts";
import type { BestAsk, ScanKernels, ScanPart, ScanQuery, ScoredSlots } from "./scan.ts";
import { ScanSegment, strideOf } from "./scan-segment.ts";
import { unitQuery, unitVectors } from "./vector-input.ts";
import { WasmScan } from "./wasm-scan.ts";

const addon = loadVectors();
const native = new NativeScan(addon);
const wasm = new WasmScan();
const random = seededRandom(20);

afterAll(() => addon.useLevel(addon.levels()[0]!));

const COUNTS = [0, 1, 15, 16, 17, 63, 64, 65, 700];
const DIMENSIONS = [1, 3, 63, 64, 65, 96, 100, 257, 384];

/** Vectors of several kinds: around centres, zeros, single components, numbers that are barely there. */
function vectorsOf(count: number, dimensions: number): Float32Array {
  const centre = random.vector(dimensions);
  const flat = new Float32Array(count * dimensions);
  for (let i = 0; i < count; i++) {
    const vector = flat.subarray(i * dimensions, (i + 1) * dimensions);
    const kind = random.below(10);
    if (kind === 0) continue;
    if (kind === 1) vector[random.below(dimensions)] = 1;
    else if (kind === 2) vector.fill(1e-41);
    else for (let d = 0; d < dimensions; d++) vector[d] = centre[d]! * (kind % 3) + random.gauss();
  }
  return unitVectors(flat, dimensions);
}

function queryOf(dimensions: number): ScanQuery {
  const unit = unitQuery(random.vector(dimensions), dimensions);
  const values = new Int16Array(strideOf(dimensions));
  const step = unit.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 8191;
  unit.forEach((value, i) => (values[i] = Math.round(value / step)));
  return { unit, values, step };
}

/** The same vectors in one part, or cut into two. */
function partsOf(kernels: ScanKernels, vectors: Float32Array, dimensions: number, cut: number): ScanPart[] {
  const count = vectors.length / dimensions;
  return [
    { from: 0, to: cut },
    { from: cut, to: count },
  ].map(({ from, to }) => {
    const segment = new ScanSegment(dimensions, kernels);
    segment.write(0, vectors.subarray(from * dimensions, to * dimensions));
    return segment.part(to - from, from);
  });
}

/** As plain a loop as can be, in the kernels' order of roundings. */
function loopScores({ codes, scales, count }: ScanPart, { values, step }: ScanQuery): Float32Array {
  return Float32Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += codes[row * values.length + i]! * values[i]!;
    return Math.fround(Math.fround(Math.fround(sum) * scales[row]!) * Math.fround(step));
  });
}

type Scored = { readonly score: number; readonly slot: number };

function loopAll(parts: readonly ScanPart[], query: ScanQuery): Scored[] {
  return parts.flatMap((part) => [...loopScores(part, query)].map((score, row) => ({ score, slot: part.base + row })));
}

function loopBest(all: readonly Scored[], { limit, bottom, filter }: BestAsk): ScoredSlots {
  const best = all
    .filter(({ score, slot }) => score > Math.fround(bottom) && (filter?.allowed.has(filter.owners[slot]!) ?? true))
    .sort((a, b) => b.score - a.score || a.slot - b.slot)
    .slice(0, limit);
  return {
    slots: Int32Array.from(best, ({ slot }) => slot),
    scores: Float32Array.from(best, ({ score }) => score),
  };
}

describe.each(addon.levels())("at level %s", (level) => {
  test.each(DIMENSIONS)("scores are those of a plain loop and of WebAssembly at %d dimensions", (dimensions) => {
    addon.useLevel(level);
    for (const count of COUNTS) {
      const vectors = vectorsOf(count, dimensions);
      const query = queryOf(dimensions);
      const [part] = partsOf(native, vectors, dimensions, count);
      const expected = loopScores(part!, query);
      const rows = Int32Array.from({ length: count === 0 ? 0 : count + 5 }, () => random.below(count));
      for (const kernels of [native, wasm]) {
        const out = new Float32Array(count);
        kernels.scan(part!, query, out);
        expect([...out]).toEqual([...expected]);
        const listed = new Float32Array(rows.length);
        kernels.gather(part!, rows, query, listed);
        expect([...listed]).toEqual([...rows].map((row) => expected[row]!));
      }
    }
  });

  test.each(DIMENSIONS)("the best are those of a plain loop at %d dimensions", (dimensions) => {
    addon.useLevel(level);
    for (const count of [0, 1, 64, 65, 3000]) {
      const parts = partsOf(native, vectorsOf(count, dimensions), dimensions, Math.floor(count * 0.4));
      const query = queryOf(dimensions);
      const all = loopAll(parts, query);
      const owners = Int32Array.from({ length: count }, () => random.below(count));
      const allowed = new Bitset();
      for (let i = 0; i < count / 3; i++) allowed.add(random.below(count));
      for (const filter of [null, { owners, allowed }]) {
        for (const limit of [0, 7, 100, count]) {
          for (const bottom of [-Infinity, 0.1]) {
            const ask = { limit, bottom, filter };
            const expected = loopBest(all, ask);
            expect(native.best(parts, query, ask)).toEqual(expected);
            expect(wasm.best(parts, query, ask)).toEqual(expected);
          }
        }
      }
    }
  });
});

test("sketches follow vectors that move", () => {
  const dimensions = 128;
  const index = new ExactIndex(dimensions, 0, native);
  const plain = new ExactIndex(dimensions, 0, wasm);
  const live: number[] = [];
  for (let round = 0, owner = 0; round < 30; round++) {
    for (let i = 0; i < 200; i++, owner++) {
      const vectors = vectorsOf(1 + random.below(3), dimensions);
      index.add(owner, vectors);
      plain.add(owner, vectors);
      live.push(owner);
    }
    for (let i = 0; i < 60; i++) {
      const [gone] = live.splice(random.below(live.length), 1);
      index.remove(gone!);
      plain.remove(gone!);
    }
    const query = random.vector(dimensions);
    const options = { depth: 30, exact: 0, fetch: null };
    expect(index.search(query, options)).toEqual(plain.search(query, options));
  }
});

test("estimates of real directions stay within their errors", () => {
  // Vectors with a few strong components are what a bad rotation would betray.
  const [dimensions, count] = [256, 4000];
  const flat = new Float32Array(count * dimensions);
  for (let i = 0; i < count; i++) {
    for (let n = 0; n < 4; n++) flat[i * dimensions + random.below(24)] = random.gauss();
  }
  const parts = partsOf(native, unitVectors(flat, dimensions), dimensions, count);
  for (let i = 0; i < 100; i++) {
    const vector = new Float32Array(dimensions);
    for (let n = 0; n < 4; n++) vector[random.below(24)] = random.gauss();
    const unit = unitQuery(vector, dimensions);
    const values = new Int16Array(dimensions);
    unit.forEach((value, d) => (values[d] = Math.round(value * 8191)));
    const query = { unit, values, step: 1 / 8191 };
    const ask = { limit: 50, bottom: -Infinity, filter: null };
    expect(native.best(parts, query, ask)).toEqual(loopBest(loopAll(parts, query), ask));
  }
});

test("vectors in a mapped file are scanned where they lie", () => {
  const directory = mkdtempSync(join(tmpdir(), "lectern-scan-"));
  try {
    const [part] = partsOf(native, vectorsOf(300, 128), 128, 300);
    const path = join(directory, "codes");
    writeFileSync(path, part!.codes);
    const bytes = Bun.mmap(path);
    const mapped = { ...part!, codes: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    const query = queryOf(128);
    const ask = { limit: 20, bottom: -Infinity, filter: null };
    expect(native.best([mapped], query, ask)).toEqual(loopBest(loopAll([part!], query), ask));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** A call of each function that is right; every one of its arguments is then replaced by what is wrong, and by chance. */
function rightCalls(): Record<string, unknown[]> {
  const [codes, scales] = [new Int8Array(64 * 32).fill(3), new Float32Array(32).fill(0.01)];
  const [words, factors, errors] = [new Uint32Array(32 * 4), new Float32Array(32), new Float32Array(2)];
  const query = new Int16Array(64).fill(5);
  const part: NativePart = { codes, scales, words, factors, errors, count: 32, sketched: 32, base: 0 };
  const [slots, scores] = [new Int32Array(8), new Float32Array(8)];
  const unit = new Float32Array(64).fill(0.125);
  return {
    scan: [codes, scales, 64, 32, query, 0.1, new Float32Array(32)],
    gather: [codes, scales, 64, Int32Array.of(0, 31, 5), query, 0.1, new Float32Array(3)],
    sketch: [codes, scales, 64, 64, 0, 32, words, factors, errors],
    best: [[part], unit, query, 0.1, new Int32Array(32), new Int32Array(1), -1, slots, scores],
  };
}

const functions = addon as unknown as Record<string, (...args: unknown[]) => unknown>;

const WRONG: unknown[] = [
  ...[undefined, null, NaN, -1, 0.5, 2 ** 31, 2 ** 53, Infinity, "64", {}, [], [{}], [null], () => 1],
  ...[
    new Int8Array(3),
    new Int16Array(3),
    new Int32Array(1).fill(-1),
    new Float32Array(3).fill(NaN),
    new Float64Array(8),
  ],
  ...[
    new Uint8Array(64),
    new DataView(new ArrayBuffer(8)),
    new Int16Array(64).fill(-32_768),
    new Int32Array(3).fill(32),
  ],
];

test.each(Object.keys(rightCalls()))("%s refuses what it cannot take, and harms nothing", (name) => {
  functions[name]!(...rightCalls()[name]!);
  const detached = new Int8Array(64 * 32);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const right = rightCalls()[name]!;
  for (let at = 0; at < right.length; at++) {
    for (const wrong of [...WRONG, detached]) {
      const args = rightCalls()[name]!;
      args[at] = wrong;
      try {
        functions[name]!(...args);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
    expect(() => functions[name]!(...right.slice(0, at))).toThrow(TypeError);
  }
  for (let round = 0; round < 2000; round++) {
    const args = rightCalls()[name]!;
    for (let n = 1 + random.below(3); n > 0; n--) args[random.below(args.length)] = random.pick([...WRONG, ...right]);
    if (name === "best" && Array.isArray(args[0]) && random() < 0.5) {
      const part: Record<string, unknown> = { ...(right[0] as object[])[0]! };
      part[random.pick(Object.keys(part))] = random.pick([...WRONG, ...right]);
      args[0] = [part, ...(random() < 0.5 ? [] : [(right[0] as object[])[0]])];
    }
    try {
      functions[name]!(...args);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
  }
});

test("a part that is not what it says is refused", () => {
  const [parts, ...rest] = rightCalls()["best"]! as [NativePart[], ...unknown[]];
  const [part] = parts as [NativePart];
  const wrong: Partial<NativePart>[] = [
    { count: 33 },
    { sketched: 8 },
    { count: 16 },
    { words: new Uint32Array(127) },
    { factors: new Float32Array(31) },
    { errors: new Float32Array(1) },
    { scales: new Float32Array(31) },
    { base: 1 },
  ];
  for (const change of wrong) expect(() => functions["best"]!([{ ...part, ...change }], ...rest)).toThrow(TypeError);
  expect(() => functions["best"]!([part, part], ...rest)).toThrow("ascending");
  expect(functions["best"]!([part], ...rest)).toBe(0);
});
