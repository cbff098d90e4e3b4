/** The cosines of a unit query with windows, in their order. */
export function cosinesOf(unit: Float32Array, windows: Float32Array): Float64Array {
  const dimensions = unit.length;
  const cosines = new Float64Array(windows.length / dimensions);
  for (let n = 0; n < cosines.length; n++) {
    const start = n * dimensions;
    let dot = 0;
    let squares = 0;
    for (let i = 0; i < dimensions; i++) {
      const value = windows[start + i]!;
      dot += value * unit[i]!;
      squares += value * value;
    }
    cosines[n] = squares > 0 ? dot / Math.sqrt(squares) : 0;
  }
  return cosines;
}

/** The query in 16-bit steps, fine enough to add next to no error and coarse enough for 32-bit sums. */
export function roundQuery(unit: Float32Array, stride: number): { values: Int16Array; step: number } {
  let largest = 0;
  for (let i = 0; i < unit.length; i++) largest = Math.max(largest, Math.abs(unit[i]!));
  const levels = Math.min(8191, Math.floor(0x7fffffff / (127 * stride)));
  const step = largest / levels;
  const values = new Int16Array(stride);
  for (let i = 0; i < unit.length; i++) values[i] = step > 0 ? Math.round(unit[i]! / step) : 0;
  return { values, step };
}
