import { expect, test } from "bun:test";
import type { EmbeddedText } from "./provider.ts";
import { unrelatedCosine } from "./unrelated.ts";

const text = (...vectors: number[]): EmbeddedText => ({ vectors: new Float32Array(vectors), windows: 1, tokens: 1 });

test("is the mean cosine of all pairs", () => {
  expect(unrelatedCosine([text(1, 0), text(0.6, 0.8)], [text(1, 0), text(0, 1)], 2)).toBeCloseTo(
    (1 + 0 + 0.6 + 0.8) / 4,
  );
});

test("stays within its bounds, whatever the model", () => {
  expect(unrelatedCosine([text(1, 0)], [text(-1, 0)], 2)).toBe(0);
  expect(unrelatedCosine([text(1, 0)], [text(1, 0)], 2)).toBe(0.95);
  expect(unrelatedCosine([], [], 2)).toBe(0);
});
