/**
 * How the lines of print lie on a page, from where its ink is: seen along the lines, rows of much ink and rows of none
 * take turns, and at no other angle as clearly.
 */
export interface Ink {
  xs: Float32Array;
  ys: Float32Array;
}

export interface Lie {
  /** Lines run from top to bottom, or from bottom to top. */
  isSideways: boolean;
  /** Degrees by which they are turned clockwise from there. */
  skew: number;
}

const MOST_SKEW = 12;
const COARSE = 0.5;
const FINE = 0.1;
/** Less is not worth turning a page. */
const LEAST_SKEW = 0.25;
/** Rows that are clearer than columns by less than this part may be either. */
const CLEARER = 1.25;
/** What skew has to gain. */
const GAIN = 1.02;
const LEAST_INK = 200;

export function lieOf(ink: Ink): Lie {
  if (ink.xs.length < LEAST_INK) return { isSideways: false, skew: 0 };
  const rows = clearest(ink.xs, ink.ys);
  const columns = clearest(ink.ys, ink.xs);
  const isSideways = columns.clarity > CLEARER * rows.clarity;
  // Seen from the side, clockwise is counterclockwise.
  return isSideways ? { isSideways, skew: -columns.angle } : { isSideways, skew: rows.angle };
}

/** The angle at which rows along `along` are told apart best. */
function clearest(along: Float32Array, across: Float32Array): { angle: number; clarity: number } {
  const rows = new Rows(along, across);
  const straight = rows.clarityAt(0);
  let best = { angle: 0, clarity: straight };
  const look = (from: number, to: number, step: number) => {
    for (let angle = from; angle <= to + step / 2; angle += step) {
      const clarity = rows.clarityAt(angle);
      if (clarity > best.clarity) best = { angle, clarity };
    }
  };
  look(-MOST_SKEW, MOST_SKEW, COARSE);
  look(best.angle - COARSE, best.angle + COARSE, FINE);
  if (Math.abs(best.angle) < LEAST_SKEW || best.clarity < GAIN * straight) return { angle: 0, clarity: straight };
  return best;
}

class Rows {
  readonly #along: Float32Array;
  readonly #across: Float32Array;
  /** The row at which counting begins, before all that any angle makes of the ink. */
  readonly #first: number;
  readonly #counts: Float64Array;

  constructor(along: Float32Array, across: Float32Array) {
    this.#along = along;
    this.#across = across;
    const lean = Math.tan(((MOST_SKEW + COARSE) * Math.PI) / 180) * along.reduce((most, x) => Math.max(most, x), 0);
    this.#first = -Math.ceil(lean) - 1;
    this.#counts = new Float64Array(Math.ceil(across.reduce((most, y) => Math.max(most, y), 0) + 2 * lean) + 3);
  }

  /** How unevenly ink is spread over rows that are turned by an angle: 1 is evenly. */
  clarityAt(degrees: number): number {
    const slope = Math.tan((degrees * Math.PI) / 180);
    const [along, across, counts, first] = [this.#along, this.#across, this.#counts, this.#first];
    counts.fill(0);
    for (let i = 0; i < along.length; i++) {
      const row = Math.round(across[i]! - slope * along[i]!) - first;
      counts[row] = (counts[row] ?? 0) + 1;
    }
    let squares = 0;
    for (const count of counts) squares += count * count;
    const span = counts.findLastIndex((count) => count > 0) - counts.findIndex((count) => count > 0) + 1;
    return (squares * span) / (along.length * along.length);
  }
}
