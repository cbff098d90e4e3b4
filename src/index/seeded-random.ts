/** Repeatable random numbers for tests and benchmarks: the same seed gives the same stream on every machine. */
export interface SeededRandom {
  /** In [0, 1). */
  uniform(this: void): number;
  /** A whole number in [0, limit). */
  below(this: void, limit: number): number;
  /** Of the standard normal distribution. */
  gauss(this: void): number;
  pick<T>(this: void, items: readonly T[]): T;
  /** Of standard normal values. */
  vector(this: void, dimensions: number): Float32Array;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  /** mulberry32 (Tommy Ettinger, public domain): uniform in [0, 1). */
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const gauss = (): number => Math.sqrt(-2 * Math.log(uniform() + 1e-12)) * Math.cos(2 * Math.PI * uniform());
  return {
    uniform,
    below,
    gauss,
    pick: <T>(items: readonly T[]): T => items[below(items.length)]!,
    vector: (dimensions: number): Float32Array => Float32Array.from({ length: dimensions }, gauss),
  };
}

/** Vectors around a few centres, as embeddings are: near neighbours exist and differ by little. */
export function clusteredVectors(
  random: SeededRandom,
  count: number,
  dimensions: number,
  clusters: number,
): Float32Array {
  const centres = Float32Array.from({ length: clusters * dimensions }, random.gauss);
  const flat = new Float32Array(count * dimensions);
  for (let i = 0; i < count; i++) {
    const centre = random.below(clusters) * dimensions;
    for (let d = 0; d < dimensions; d++) flat[i * dimensions + d] = centres[centre + d]! + random.gauss();
  }
  return flat;
}
