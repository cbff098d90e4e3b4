/**
 * Data for benchmarks and for tests of large stores, the same for the same seed: vectors that lie as embeddings do,
 * words of a Zipf-like distribution, and a store filled with them through the API.
 */
import { type SeededRandom, seededRandom } from "../helpers/random.ts";
import { json } from "../helpers/api.ts";
import type { TestServer } from "../helpers/server.ts";

/** What the bundled model gives. */
export const DIMENSIONS = 256;

const LATENT = 48;
const TOPICS = 500;

/**
 * Vectors as embeddings are: a few dozen strong directions, topics, and noise in all dimensions. Independent Gaussian
 * vectors have no neighbours, which would say nothing about recall. Components have six decimals, as in JSON.
 */
export class Embeddings {
  readonly dimensions: number;
  readonly #random: SeededRandom;
  readonly #mixing: Float32Array;
  readonly #topics: Float32Array;

  constructor(seed: number, dimensions = DIMENSIONS) {
    this.dimensions = dimensions;
    this.#random = seededRandom(seed);
    this.#mixing = Float32Array.from({ length: LATENT * dimensions }, this.#random.gauss);
    this.#topics = Float32Array.from({ length: TOPICS * LATENT }, this.#random.gauss);
  }

  /** Of unit length. */
  next(): Float32Array {
    const { dimensions } = this;
    const topic = this.#random.below(TOPICS) * LATENT;
    const vector = new Float64Array(dimensions);
    for (let d = 0; d < dimensions; d++) vector[d] = (this.#random() - 0.5) * 5;
    for (let l = 0; l < LATENT; l++) {
      const weight = (this.#topics[topic + l] ?? 0) + this.#random.gauss();
      for (let d = 0; d < dimensions; d++) vector[d]! += weight * this.#mixing[l * dimensions + d]!;
    }
    const length = Math.hypot(...vector);
    return Float32Array.from(vector, (value) => Math.round((value / length) * 1e6) / 1e6);
  }

  /** `count` vectors in a row. */
  many(count: number): Float32Array {
    const flat = new Float32Array(count * this.dimensions);
    for (let i = 0; i < count; i++) flat.set(this.next(), i * this.dimensions);
    return flat;
  }
}

/** Positions of the `k` vectors in `flat` most similar to `query`, best first, in float64; `keep` leaves others out. */
export function bruteForce(
  flat: Float32Array,
  query: Float32Array,
  k: number,
  keep?: (i: number) => boolean,
): number[] {
  const dimensions = query.length;
  const best: { at: number; score: number }[] = [];
  for (let at = 0; at < flat.length / dimensions; at++) {
    if (keep !== undefined && !keep(at)) continue;
    let score = 0;
    for (let d = 0; d < dimensions; d++) score += flat[at * dimensions + d]! * query[d]!;
    if (best.length === k && score <= best[k - 1]!.score) continue;
    if (best.length === k) best.pop();
    let place = best.length;
    while (place > 0 && best[place - 1]!.score < score) place--;
    best.splice(place, 0, { at, score });
  }
  return best.map(({ at }) => at);
}

/** Share of `wanted` that is among `found`. */
export function recall<T>(found: readonly T[], wanted: readonly T[]): number {
  const set = new Set(found);
  return wanted.length === 0 ? 1 : wanted.filter((one) => set.has(one)).length / wanted.length;
}

const VOCABULARY = 60_000;
const CONSONANTS = "bcdfghklmnprstvw";
const VOWELS = "aeiou";

function syllable(n: number): string {
  return `${CONSONANTS[n % 16]}${VOWELS[Math.floor(n / 16) % 5]}`;
}

/** The word of a rank: two to four syllables, no two ranks the same. */
export function wordOf(rank: number): string {
  let word = "";
  for (let rest = rank + 80; rest > 0; rest = Math.floor(rest / 80)) word += syllable(rest % 80);
  return word;
}

/** Words whose frequency falls as 1 / rank. */
export class Words {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  word(): string {
    return wordOf(Math.floor(VOCABULARY ** this.#random()) - 1);
  }

  /** About `words` words, in sentences of twelve. */
  text(words: number): string {
    const sentences = Array.from({ length: Math.max(1, Math.round(words / 12)) }, () => {
      const sentence = Array.from({ length: 12 }, () => this.word()).join(" ");
      return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
    });
    return sentences.join(" ");
  }

  /** Six words: three that many chunks have, three that few have. */
  question(): string {
    const common = Array.from({ length: 3 }, (_, i) => wordOf(i * 12 + this.#random.below(12)));
    const rare = Array.from({ length: 3 }, () => wordOf(100 + this.#random.below(20_000)));
    return [...common, ...rare].join(" ");
  }
}

/** Lots of files, by which filters keep a share of a store. */
export const LOTS = 1000;

export function attributesOf(lot: number): Record<string, number> {
  return { half: lot % 2, tenth: lot % 10, hundredth: lot % 100, thousandth: lot };
}

/** Filters by the share of a store that they keep. */
export const SHARES: readonly { share: string; filter: { key: string; value: number } | null }[] = [
  { share: "all", filter: null },
  { share: "50 %", filter: { key: "half", value: 0 } },
  { share: "10 %", filter: { key: "tenth", value: 3 } },
  { share: "1 %", filter: { key: "hundredth", value: 3 } },
  { share: "0.1 %", filter: { key: "thousandth", value: 3 } },
];

/** The lot of the chunk at a position: neighbours are of one lot, and every lot is as large. */
export function lotOf(at: number, count: number): number {
  return Math.floor((at * LOTS) / count);
}

const BATCH = 1000;
const AT_ONCE = 2;

/**
 * Puts chunks with ready-made vectors into a store: `text(i)` and the i-th vector of `flat`, for i from `from` on.
 * `lots` spreads them over LOTS sets of attributes; without it all are in files of none.
 */
export async function fillStore(
  server: TestServer,
  storeId: string,
  flat: Float32Array,
  options: { dimensions: number; text: (i: number) => string; from?: number; lots?: boolean },
): Promise<void> {
  const { dimensions, text, from = 0, lots = false } = options;
  const count = flat.length / dimensions;
  let next = 0;
  const lane = async () => {
    for (let at = next; at < count; at = next) {
      next = Math.min(count, at + BATCH);
      const embeddings = Array.from({ length: next - at }, (_, i) => ({
        content: text(from + at + i),
        embedding: [...flat.subarray((at + i) * dimensions, (at + i + 1) * dimensions)].map(
          (value) => Math.round(value * 1e6) / 1e6,
        ),
        ...(lots ? { attributes: attributesOf(lotOf(at + i, count)) } : {}),
      }));
      await json(server, "POST", `/v1/vector_stores/${storeId}/embeddings/batch`, { embeddings });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
