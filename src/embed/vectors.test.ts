import { describe, expect, test } from "bun:test";
import type { ModelInfo } from "./provider.ts";
import { beyondFloat32, combineWindows, fitVectors, normaliseRow, resolveDimensions, unitVector } from "./vectors.ts";

const model: ModelInfo = {
  id: "m",
  revision: "r",
  dimensions: 256,
  defaultDimensions: 256,
  matryoshka: null,
  matryoshkaExact: false,
  maxTokens: 512,
  windowTokens: null,
  location: "local",
  queryPrefix: "",
  passagePrefix: "",
  unrelatedCosine: 0,
};

describe("one vector for a text", () => {
  test("a single window is a copy of its own", () => {
    const vectors = Float32Array.of(9, 0.6, 0.8, 9).subarray(1, 3);
    const combined = combineWindows({ vectors, windows: 1, tokens: 3 }, 2);
    expect([...combined]).toEqual([...Float32Array.of(0.6, 0.8)]);
    expect(combined.buffer.byteLength).toBe(8);
  });

  test("several windows are averaged and have unit length", () => {
    const combined = combineWindows({ vectors: Float32Array.of(1, 0, 0, 1), windows: 2, tokens: 3 }, 2);
    expect(combined[0]).toBeCloseTo(Math.SQRT1_2, 6);
    expect(combined[1]).toBeCloseTo(Math.SQRT1_2, 6);
  });

  test("windows that cancel leave the first that has a direction", () => {
    expect([...combineWindows({ vectors: Float32Array.of(1, 0, -1, 0), windows: 2, tokens: 3 }, 2)]).toEqual([1, 0]);
    const behind = Float32Array.of(0, 0, 0, -1, 0, 1);
    expect([...combineWindows({ vectors: behind, windows: 3, tokens: 3 }, 2)]).toEqual([0, -1]);
  });

  test("zero and broken rows become zero, never NaN", () => {
    for (const bad of [
      [0, 0],
      [NaN, 1],
      [Infinity, 1],
    ]) {
      const row = Float32Array.from(bad);
      normaliseRow(row, 0, 2);
      expect([...row]).toEqual([0, 0]);
    }
  });
});

test("shortened vectors keep their first values and have unit length", () => {
  const short = fitVectors(Float32Array.of(3, 4, 12, 0, 5, 1), 3, 2);
  expect([...short]).toEqual([...Float32Array.of(0.6, 0.8, 0, 1)]);
  const same = Float32Array.of(1, 0);
  expect(fitVectors(same, 2, 2)).toBe(same);
});

test("a vector whose first values all are zero keeps a direction, and zeros stay zeros", () => {
  const short = fitVectors(Float32Array.of(0, 0, 0.6, -0.8, 0, 0, 1, 0, 0, 0, 0, 0), 4, 2);
  expect([...short.subarray(2)]).toEqual([1, 0, 0, 0]);
  expect(Math.hypot(...short.subarray(0, 2))).toBeCloseTo(1, 6);
  expect([...fitVectors(Float32Array.of(0, 0, 1, -1), 4, 2)].map((x) => x.toFixed(3))).toEqual(["0.707", "0.707"]);
});

test("vectors of more dimensions than they have are filled with zeros, row by row", () => {
  expect([...fitVectors(Float32Array.of(0.6, 0.8, 0, 1), 2, 3)]).toEqual([...Float32Array.of(0.6, 0.8, 0, 0, 1, 0)]);
});

test("numbers that no float32 can hold are found", () => {
  expect(beyondFloat32([1, -3.4e38, 1e-300, 0])).toBeNull();
  expect(beyondFloat32([1, 1e39])).toBe(1);
  expect(beyondFloat32([-Infinity])).toBe(0);
  expect(beyondFloat32([0, Number.NaN])).toBe(1);
});

test("a vector is brought to unit length, however large or small its numbers", () => {
  for (const scale of [1, 3e38, 1e-50, 1e-320]) {
    const unit = unitVector([3 * scale, 4 * scale]);
    expect(unit[0]).toBeCloseTo(0.6, 2);
    expect(unit[1]).toBeCloseTo(0.8, 2);
  }
  expect([...unitVector([0, 0])]).toEqual([0, 0]);
});

describe("dimensions that a client asks for", () => {
  const trained = { ...model, matryoshka: [64, 128, 256] };
  const cases: [what: string, model: ModelInfo, asked: number | null | undefined, result: number | RegExp][] = [
    ["none", model, undefined, 256],
    ["null", model, null, 256],
    ["the model's own", model, 256, 256],
    ["fewer, of a model that cannot be shortened", model, 128, /gives 256 dimensions and cannot be shortened/],
    ["a trained size", trained, 64, 64],
    ["a size between trained ones", trained, 100, 100],
    ["more than there are", trained, 512, /gives at most 256 dimensions, not 512/],
    ["a size that an exact provider lists", { ...trained, matryoshkaExact: true }, 128, 128],
    [
      "a size that an exact provider does not list",
      { ...trained, matryoshkaExact: true },
      100,
      /gives 64, 128, 256 dimensions, not 100/,
    ],
    ["none, of a model whose default is smaller", { ...trained, defaultDimensions: 128 }, null, 128],
    ["zero", trained, 0, /positive integer/],
    ["a fraction", trained, 1.5, /positive integer/],
  ];
  for (const [what, of, asked, expected] of cases) {
    test(what, () => {
      const result = resolveDimensions(of, asked);
      if (typeof expected === "number") expect(result).toEqual({ ok: true, dimensions: expected });
      else expect(result.ok ? "" : result.message).toMatch(expected);
    });
  }
});
