/** Much used models by the shape of their files: each gives what an independent computation gives. */
import { describe, expect, test } from "bun:test";
import pairs from "../../../test/fixtures/tokenizers/reference-pairs.json" with { type: "json" };
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { loadOnnxRuntime } from "../../platform/native.ts";
import { crossEncoderLogit } from "../testing/cross-encoders.ts";
import { encoderShapes, REFERENCE_TEXTS, rerankerShapes } from "../testing/hub-shapes.ts";
import { transformerForward } from "../testing/transformer.ts";
import { createCrossEncoder } from "./cross-encoder.ts";
import { directoryModelFiles } from "./model-files.ts";
import { createLocalModel } from "./session.ts";

const ort = loadOnnxRuntime();
const TEXTS = [0, 1, 3, 5, 10];

/** As a folder: weights may lie beside a graph. */
async function folder(path: string, files: Record<string, Uint8Array | string>) {
  for (const [name, content] of Object.entries(files)) await Bun.write(`${path}/${name}`, content);
  return directoryModelFiles(path);
}

describe("an encoder with the files of", () => {
  test.each(encoderShapes().map((shape) => [shape.name, shape] as const))("%s", async (_, shape) => {
    using dir = tempDir();
    const files = await folder(dir.path, shape.files);
    const model = await createLocalModel(ort, files, { id: "m", location: "local", threads: 1 });
    const { window: maxTokens, queryPrefix, matryoshka } = shape;
    expect(model.info).toMatchObject({ maxTokens, queryPrefix, matryoshka, dimensions: 16 });
    const embedded = await model.embed(
      TEXTS.map((text) => REFERENCE_TEXTS[text] ?? ""),
      "passage",
    );
    await model.dispose();
    TEXTS.forEach((text, i) => {
      const row = shape.row(text);
      const hidden = transformerForward(shape.model, row, new Array<number>(row.length).fill(0));
      const expected = unit(pooled(hidden, shape.pooling));
      const worst = Math.max(...expected.map((x, d) => Math.abs(x - (embedded[i]?.vectors[d] ?? NaN))));
      expect({ text, isClose: worst < shape.tolerance, worst }).toMatchObject({ isClose: true });
    });
  });
});

describe("a reranker with the files of", () => {
  test.each(rerankerShapes().map((shape) => [shape.name, shape] as const))("%s", async (_, shape) => {
    using dir = tempDir();
    const encoder = await createCrossEncoder(ort, await folder(dir.path, shape.files), { id: "m", threads: 1 });
    expect(encoder.info.maxTokens).toBe(shape.window);
    const own = pairs[shape.kind].filter(({ max }) => max === null).slice(0, 4);
    for (const { a, b, ids, types } of own) {
      const { scores } = await encoder.score(REFERENCE_TEXTS[a] ?? "", [REFERENCE_TEXTS[b] ?? ""]);
      const logit = crossEncoderLogit(shape.model, ids, types);
      expect(Math.abs((scores[0] ?? NaN) - 1 / (1 + Math.exp(-logit)))).toBeLessThan(shape.tolerance);
    }
    await encoder.dispose();
  });
});

function pooled(rows: readonly number[][], pooling: "cls" | "mean" | "last"): number[] {
  if (pooling !== "mean") return rows.at(pooling === "cls" ? 0 : -1) ?? [];
  return (rows[0] ?? []).map((_, d) => rows.reduce((sum, row) => sum + (row[d] ?? 0), 0) / rows.length);
}

function unit(vector: number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}
