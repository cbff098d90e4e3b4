/** From token vectors to one vector a window: pooling, dense projections, unit length. */

export type PoolingMode = "cls" | "max" | "mean" | "mean_sqrt_len" | "weighted_mean" | "last_token";

export interface DenseLayer {
  inputs: number;
  outputs: number;
  /** outputs x inputs, row-major. */
  weight: Float32Array;
  bias: Float32Array | null;
  activation: "identity" | "tanh" | "relu";
}

/**
 * Pools one window.
 * @param hidden token vectors of the whole batch, row-major
 * @param start index of the window's first value in `hidden`
 * @param skip tokens at the start that are computed but not pooled (prompts of models trained so)
 * @param length tokens of the window, padding not counted
 * @returns the modes' vectors one after the other, in the order sentence-transformers joins them
 */
export function poolWindow(
  modes: readonly PoolingMode[],
  hidden: Float32Array,
  start: number,
  length: number,
  size: number,
  skip: number,
): Float32Array {
  const out = new Float32Array(size * modes.length);
  const first = Math.min(skip, length - 1);
  modes.forEach((mode, m) =>
    poolInto(mode, hidden, start, first, length, size, out.subarray(m * size, (m + 1) * size)),
  );
  return out;
}

function poolInto(
  mode: PoolingMode,
  hidden: Float32Array,
  start: number,
  first: number,
  length: number,
  size: number,
  out: Float32Array,
): void {
  if (mode === "cls" || mode === "last_token") {
    const row = start + (mode === "cls" ? first : length - 1) * size;
    out.set(hidden.subarray(row, row + size));
    return;
  }
  if (mode === "max") out.fill(-Infinity);
  let weights = 0;
  for (let t = first; t < length; t++) {
    const row = start + t * size;
    const weight = mode === "weighted_mean" ? t + 1 : 1;
    weights += weight;
    if (mode === "max") {
      for (let d = 0; d < size; d++) out[d] = Math.max(out[d] as number, hidden[row + d] as number);
    } else {
      for (let d = 0; d < size; d++) out[d] = (out[d] as number) + weight * (hidden[row + d] as number);
    }
  }
  if (mode === "max") return;
  const divisor = mode === "mean_sqrt_len" ? Math.sqrt(weights) : weights;
  for (let d = 0; d < size; d++) out[d] = (out[d] as number) / divisor;
}

export function applyDense(layer: DenseLayer, input: Float32Array): Float32Array {
  const out = new Float32Array(layer.outputs);
  for (let o = 0; o < layer.outputs; o++) {
    let sum = layer.bias?.[o] ?? 0;
    const row = o * layer.inputs;
    for (let i = 0; i < layer.inputs; i++) sum += (layer.weight[row + i] as number) * (input[i] as number);
    out[o] = layer.activation === "tanh" ? Math.tanh(sum) : layer.activation === "relu" ? Math.max(0, sum) : sum;
  }
  return out;
}
