/** Repeatable random numbers: the same seed gives the same stream on every machine, so a failing run can be run again. */
export interface SeededRandom {
  /** Uniform in [0, 1). */
  (): number;
  /** A whole number below `limit`. */
  below(limit: number): number;
  /** Normally distributed. */
  gauss(): number;
  pick<T>(items: readonly T[]): T;
  vector(dimensions: number): Float32Array;
}

/** mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const gauss = (): number => Math.sqrt(-2 * Math.log(uniform() + 1e-12)) * Math.cos(2 * Math.PI * uniform());
  return Object.assign(uniform, {
    below,
    gauss,
    pick: <T>(items: readonly T[]): T => items[below(items.length)]!,
    vector: (dimensions: number): Float32Array => Float32Array.from({ length: dimensions }, gauss),
  });
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

/** The seed of this run: SEED if set, else a new one, printed so that it can be set. */
export function runSeed(name: string): number {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${name}: SEED=${seed}`);
  return seed;
}
