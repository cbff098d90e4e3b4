import { expect, test } from "bun:test";
import type { EmbeddedText } from "../embed/provider.ts";
import { measureUnrelated, unrelatedCosine } from "./unrelated.ts";

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

test("is measured between questions and passages; of a model that fails nothing is known", async () => {
  const kinds: string[] = [];
  const measured = await measureUnrelated((texts, kind) => {
    kinds.push(kind);
    return Promise.resolve(texts.map(() => (kind === "query" ? text(1, 0) : text(0.6, 0.8))));
  }, 2);
  expect([measured, kinds]).toEqual([expect.closeTo(0.6), ["query", "passage"]]);
  expect(await measureUnrelated(() => Promise.resolve(null), 2)).toBeNull();
});
