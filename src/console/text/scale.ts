/** Places of values on a plot. */

/** Round numbers from 0 to what is at least `most`, three steps or four. */
export function ticksUpTo(most: number): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 2.5, 5, 10].find((one) => one * unit >= rough * 0.999) ?? 10);
  const count = Math.ceil((most / step) * 0.999);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

/** Stretches of a line without the places that have no value, as a path. */
export function linePath(points: readonly (readonly [x: number, y: number | null])[]): string {
  let path = "";
  let isOpen = false;
  for (const [x, y] of points) {
    if (y !== null) path += `${isOpen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isOpen = y !== null;
  }
  return path;
}
