/** Ratios of two things measured in turns: their mean and how far it can be trusted. */

/** Student's t for the 95 % interval, by degrees of freedom; from 20 on nearly that of the normal distribution. */
const T = [
  0, 12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1, 2.09,
];
const T_OF_MANY = 2.05;

export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** Geometric mean of ratios, with the 95 % interval of Student's t over their logarithms. One ratio has no width. */
export function interval(values: readonly number[]): Interval {
  const logs = values.map((value) => Math.log(value));
  const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length;
  const variance = logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, logs.length - 1);
  const half = (T[logs.length - 1] ?? T_OF_MANY) * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}

/** Ratios turn by turn, of those turns in which both were measured. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.flatMap((our, turn) => {
    const their = theirs[turn];
    return their !== undefined && our > 0 && their > 0 ? [our / their] : [];
  });
}

/** The things in an order that begins with another one each turn, and runs backwards in every other round of turns. */
export function rotated<T>(things: readonly T[], turn: number): T[] {
  const from = things.length === 0 ? 0 : turn % things.length;
  const round = [...things.slice(from), ...things.slice(0, from)];
  return Math.floor(turn / Math.max(1, things.length)) % 2 === 0 ? round : round.toReversed();
}
