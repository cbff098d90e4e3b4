/** Arithmetic on embedded texts: one vector for a text of several windows, and shorter vectors. */
import type { EmbeddedText, ModelInfo } from "./provider.ts";

/** Scales a row of `values` to unit length in place; a row that is zero or not finite becomes zero. */
export function normaliseRow(values: Float32Array, start: number, dimensions: number): void {
  let sum = 0;
  for (let i = start; i < start + dimensions; i++) sum += (values[i] as number) ** 2;
  if (!(sum > 0) || sum === Infinity) {
    values.fill(0, start, start + dimensions);
    return;
  }
  const factor = 1 / Math.sqrt(sum);
  for (let i = start; i < start + dimensions; i++) values[i] = (values[i] as number) * factor;
}

/**
 * One unit vector for a whole text: the mean of its windows. Windows of a text are cut evenly
 * (to within one word), so the mean by length is the mean. Where they cancel, it is the first that is not zero.
 */
export function combineWindows(text: EmbeddedText, dimensions: number): Float32Array {
  const out = text.vectors.slice(0, dimensions);
  for (let w = 1; w < text.windows; w++) {
    for (let d = 0; d < dimensions; d++) {
      out[d] = (out[d] as number) + (text.vectors[w * dimensions + d] as number);
    }
  }
  if (text.windows < 2) return out;
  normaliseRow(out, 0, dimensions);
  if (out.some((x) => x !== 0)) return out;
  const first = Math.max(
    0,
    text.vectors.findIndex((x) => x !== 0),
  );
  const start = first - (first % dimensions);
  return text.vectors.slice(start, start + dimensions);
}

/**
 * Rows of `wanted` dimensions: the first ones, scaled to unit length again; where more are wanted than there are, zeros
 * follow, which change neither a row's length nor its cosine with another. A row whose first ones all are zero has the
 * others folded into their place.
 */
export function fitVectors(vectors: Float32Array, dimensions: number, wanted: number): Float32Array {
  if (wanted === dimensions) return vectors;
  const rows = vectors.length / dimensions;
  const kept = Math.min(wanted, dimensions);
  const out = new Float32Array(rows * wanted);
  for (let r = 0; r < rows; r++) {
    out.set(vectors.subarray(r * dimensions, r * dimensions + kept), r * wanted);
    if (kept === dimensions) continue;
    normaliseRow(out, r * wanted, wanted);
    if (out.subarray(r * wanted, (r + 1) * wanted).every((x) => x === 0)) {
      foldRow(vectors.subarray(r * dimensions, (r + 1) * dimensions), out.subarray(r * wanted, (r + 1) * wanted));
    }
  }
  return out;
}

/** Squares, so that nothing cancels. */
function foldRow(from: Float32Array, to: Float32Array): void {
  for (let i = 0; i < from.length; i++) to[i % to.length] = (to[i % to.length] as number) + (from[i] as number) ** 2;
  normaliseRow(to, 0, to.length);
}

/** The place of the first number that no float32 can hold; null where there is none. */
export function beyondFloat32(values: readonly number[]): number | null {
  const at = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
  return at < 0 ? null : at;
}

/** The values of unit length; zeros stay zeros. Values too small for a float32 keep their direction. */
export function unitVector(values: ArrayLike<number>): Float32Array {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  if (largest === 0) return new Float32Array(values.length);
  const unit = Float32Array.from(values, (value) => value / largest);
  normaliseRow(unit, 0, unit.length);
  return unit;
}

export type Dimensions = { ok: true; dimensions: number } | { ok: false; message: string };

/**
 * How many dimensions a client gets. Only a model that was trained for it (Matryoshka) is shortened:
 * the first values of any other model's vectors mean nothing by themselves. Such a model takes any size
 * up to its own, or, where a provider computes only listed sizes, those.
 */
export function resolveDimensions(model: ModelInfo, asked: number | null | undefined): Dimensions {
  if (asked === null || asked === undefined) return { ok: true, dimensions: model.defaultDimensions };
  if (asked === model.dimensions) return { ok: true, dimensions: asked };
  const name = `model '${model.id}'`;
  if (!Number.isInteger(asked) || asked < 1) return { ok: false, message: `dimensions must be a positive integer.` };
  if (model.matryoshka === null) {
    return { ok: false, message: `The ${name} gives ${model.dimensions} dimensions and cannot be shortened.` };
  }
  if (model.matryoshkaExact && !model.matryoshka.includes(asked)) {
    return { ok: false, message: `The ${name} gives ${model.matryoshka.join(", ")} dimensions, not ${asked}.` };
  }
  if (asked > model.dimensions) {
    return { ok: false, message: `The ${name} gives at most ${model.dimensions} dimensions, not ${asked}.` };
  }
  return { ok: true, dimensions: asked };
}

/** Rows of several vectors, one after another. */
export function concatenated(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
