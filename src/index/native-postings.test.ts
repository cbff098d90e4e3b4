import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";
import { loadVectors } from "../platform/native.ts";
import { Bitset } from "./bitset.ts";
import { KeywordIndex } from "./keyword.ts";
import { PlainScorer } from "./keyword-scores.ts";
import { NativeScorer } from "./native-postings.ts";
import { useSearchThreads } from "./native-scan.ts";
import type { QueryTerm } from "./query-term.ts";
import { packTerms } from "./term-blob.ts";
import { Views } from "./views.ts";

const addon = loadVectors();

const wanted = (hash: number, multiply = 1): QueryTerm => ({ hash, count: 1, multiply, add: 0, among: 0 });
const blobOf = (weights: ReadonlyMap<number, number>, length: number): Uint8Array =>
  packTerms({ weights, length, sequence: [], windows: 1 });

/** Two indexes with the same chunks, one by native code and one by plain loops. */
class Pair {
  readonly native = new KeywordIndex(new NativeScorer(addon));
  readonly plain = new KeywordIndex(new PlainScorer());
  readonly live: number[] = [];
  readonly #random: SeededRandom;
  readonly #vocabulary: number;
  readonly #free: number[] = [];
  limit = 0;

  constructor(random: SeededRandom, vocabulary: number) {
    this.#random = random;
    this.#vocabulary = vocabulary;
  }

  /** Words are the more frequent the lower they are. */
  word(): number {
    return Math.floor(this.#vocabulary ** this.#random()) | 0;
  }

  add(): void {
    const random = this.#random;
    const weights = new Map<number, number>();
    // Short chunks, long ones, and a few whose one word stands everywhere in them.
    const words = random.pick([3, 20, 20, 40]);
    for (let i = 0; i < words; i++) {
      const word = this.word();
      weights.set(word, (weights.get(word) ?? 0) + (random() < 0.02 ? 40 : 1));
    }
    const ordinal = this.#free.pop() ?? this.limit++;
    const blob = blobOf(weights, random() < 0.01 ? 0 : words * random.pick([1, 2]));
    this.native.add(ordinal, blob);
    this.plain.add(ordinal, blob);
    this.live.push(ordinal);
  }

  remove(): void {
    const at = this.#random.below(this.live.length);
    const [ordinal] = this.live.splice(at, 1);
    if (ordinal === undefined) return;
    this.native.remove(ordinal);
    this.plain.remove(ordinal);
  }

  sweep(budget: number): void {
    const freed = this.native.sweep(budget);
    expect(this.plain.sweep(budget)).toEqual([...freed]);
    this.#free.push(...freed);
  }

  question(): QueryTerm[] {
    const random = this.#random;
    const hashes = new Set(Array.from({ length: random.pick([1, 2, 3, 6, 12, 80]) }, () => this.word()));
    const one = (hash: number): QueryTerm => {
      const instead = random() < 0.2 ? { instead: { of: this.word(), share: 0.3, alone: 0.9 } } : {};
      return { ...wanted(hash, random.pick([1, 1, 0.4, 2])), ...instead };
    };
    return [...hashes].map(one);
  }

  allowed(): Bitset | null {
    const share = this.#random.pick([1, 0.5, 0.1, 0.01, 0.001, 0]);
    if (share === 1) return null;
    const set = new Bitset();
    for (let i = 0; i < this.limit * share; i++) set.add(this.#random.below(this.limit + 40));
    return set;
  }

  expectSame(): void {
    const query = this.question();
    const allowed = this.allowed();
    const k = this.#random.pick([0, 1, 10, 100, 5000]);
    const some = Array.from({ length: 60 }, () => this.#random.below(this.limit + 5));
    const also = Int32Array.from(some);
    const [one, other] = [this.native.search(query, k, allowed, also), this.plain.search(query, k, allowed, also)];
    expect([...one.top.ids]).toEqual([...other.top.ids]);
    expect([...one.top.scores]).toEqual([...other.top.scores]);
    expect([...one.scoresOf(some)]).toEqual([...other.scoresOf(some)]);
    expect([[...one.also], [...other.also]]).toEqual([[...one.scoresOf(some)], [...one.scoresOf(some)]]);
    expect([one.maxPossible, one.attainable]).toEqual([other.maxPossible, other.attainable]);
  }
}

describe("native scores are those of the plain loops, bit for bit", () => {
  test.each([1, 2, 3])("over additions, removals, sweeps and ordinals used again (seed %d)", (seed) => {
    const random = seededRandom(seed);
    const pair = new Pair(random, random.pick([30, 3000]));
    for (let round = 0; round < 120; round++) {
      const more = random.pick([10, 40, 200]);
      for (let i = 0; i < more; i++) pair.add();
      for (let i = random.below(more); i > 0; i--) pair.remove();
      if (random() < 0.7) pair.sweep(random.pick([1000, 100_000]));
      for (let i = 0; i < 3; i++) pair.expectSame();
    }
  });

  test("in an index of many windows, with lists long enough for bounds", () => {
    const random = seededRandom(4);
    const pair = new Pair(random, 20_000);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 5000; i++) pair.add();
      for (let i = 0; i < 40; i++) pair.expectSame();
      if (round > 2) for (let i = 0; i < 1500; i++) pair.remove();
      pair.sweep(1e9);
    }
  });

  test("where the average length goes up and down after bounds were written", () => {
    const random = seededRandom(5);
    const pair = new Pair(random, 40);
    for (let i = 0; i < 6000; i++) pair.add();
    for (const length of [4000, 1]) {
      for (let i = 0; i < 6000; i++) {
        const blob = blobOf(new Map([[1 + random.below(3), 1 + random.below(4)]]), length);
        const ordinal = pair.limit++;
        pair.native.add(ordinal, blob);
        pair.plain.add(ordinal, blob);
      }
      for (let i = 0; i < 60; i++) pair.expectSame();
    }
  });
});

describe("a pass by a thread", () => {
  beforeAll(() => useSearchThreads(2));
  afterAll(() => useSearchThreads(0));

  test("is of what lists had, whatever comes, goes and is purged meanwhile", async () => {
    const random = seededRandom(6);
    const views = new Views();
    const index = new KeywordIndex(new NativeScorer(addon), views);
    const [live, free]: [number[], number[]] = [[], []];
    let limit = 0;
    const word = () => Math.floor(60 ** random()) | 0;
    const add = () => {
      const weights = new Map(Array.from({ length: 12 }, () => [word(), 1 + random.below(3)]));
      const ordinal = free.pop() ?? limit++;
      index.add(ordinal, blobOf(weights, 12));
      live.push(ordinal);
    };
    const remove = () => {
      for (const ordinal of live.splice(random.below(live.length), 1)) index.remove(ordinal);
    };
    for (let i = 0; i < 8000; i++) add();
    for (let round = 0; round < 60; round++) {
      const asked = Array.from({ length: 5 }, () => {
        views.open();
        const query = [...new Set([word(), word(), word()])].map((hash) => wanted(hash));
        const also = Int32Array.from({ length: 50 }, () => random.below(limit));
        const expected = index.search(query, 100, null, also);
        const step = index.step(query, 100, null, also);
        const done = step.later();
        for (let i = 0; i < 100; i++) add();
        for (let i = 0; i < 100; i++) remove();
        // Purges the lists that are being read.
        index.search(query, 10);
        const freed = index.sweep(20_000);
        views.afterwards(() => free.push(...freed));
        return { step, done, expected };
      });
      for (const { step, done, expected } of asked) {
        expect(done).not.toBeNull();
        await done;
        const { top, also } = step.pass;
        expect([[...top.ids], [...top.scores]]).toEqual([[...expected.top.ids], [...expected.top.scores]]);
        expect([...also]).toEqual([...expected.also]);
        views.close();
      }
    }
    expect(free.length).toBeLessThan(limit);
  });
});

/** Calls that are right; every one of their arguments is then replaced by what is wrong, and by chance. */
function rightCalls(): Record<string, unknown[]> {
  const slab = new Int32Array(32_768);
  // One list of three postings at the address 1, and one that goes on in a second block.
  slab.set([0, (1 << 8) | 2, (3 << 8) | 1, (8 << 8) | 1]);
  slab.set([9, (2 << 8) | 1, (3 << 8) | 1, (4 << 8) | 9, 0, (5 << 8) | 1], 4);
  const lists = Int32Array.of(1, 3, 1, 5, 4, 1);
  const weights = Float64Array.of(1, 2);
  const lengths = new Float32Array(10).fill(12);
  const norms = Float64Array.of(0.36, 0.05, 12);
  const [ids, scores] = [new Int32Array(4), new Float32Array(4)];
  return {
    keywordBest: [[slab], lists, weights, lengths, 10, norms, Int32Array.of(0xff), ids, scores, Int32Array.of(3, 9), new Float32Array(2)], // prettier-ignore
    keywordScores: [[slab], lists, weights, lengths, 10, norms, Int32Array.of(3, 0, 9), scores],
  };
}

const functions = addon as unknown as Record<string, (...args: unknown[]) => unknown>;

const WRONG: unknown[] = [
  ...[undefined, null, NaN, -1, 0.5, 2 ** 31, 2 ** 53, Infinity, "64", {}, [], [{}], [null], () => 1],
  ...[new Int8Array(3), new Int16Array(3), new Int32Array(1).fill(-1), new Float32Array(3).fill(NaN)],
  ...[new Float64Array(2).fill(NaN), new Float64Array(3).fill(Infinity), new Float64Array(3), new Uint8Array(64)],
  ...[new Int32Array(6).fill(32_768), new Int32Array(6).fill(2 ** 31 - 1), new DataView(new ArrayBuffer(8))],
  ...[[new Int32Array(32_768).fill(-1)], [new Int32Array(32_768).fill(1)], [new Int32Array(5)]],
];

test.each(Object.keys(rightCalls()))("%s refuses what it cannot take, and harms nothing", (name) => {
  const random = seededRandom(11);
  functions[name]!(...rightCalls()[name]!);
  const right = rightCalls()[name]!;
  for (let at = 0; at < right.length; at++) {
    for (const wrong of WRONG) {
      const args = rightCalls()[name]!;
      args[at] = wrong;
      try {
        functions[name]!(...args);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
    expect(() => functions[name]!(...right.slice(0, at))).toThrow(TypeError);
  }
  for (let round = 0; round < 2000; round++) {
    const args = rightCalls()[name]!;
    for (let n = random.below(3); n > 0; n--) args[random.below(args.length)] = random.pick([...WRONG, ...right]);
    // Lists that lead anywhere, and postings of any chunk in any order.
    const [slab] = rightCalls()[name]![0] as [Int32Array];
    for (let n = 1 + random.below(8); n > 0; n--) slab[random.below(12)] = random.below(2 ** 32);
    if (random() < 0.7) args[0] = [slab];
    if (random() < 0.3) args[1] = Int32Array.from({ length: 6 }, () => random.below(random.pick([5, 40_000, 2 ** 32])));
    try {
      functions[name]!(...args);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
  }
});

test("lists that are not what they say are refused", () => {
  const call = (at: number, wrong: unknown) => {
    const args = rightCalls()["keywordBest"]!;
    args[at] = wrong;
    return functions["keywordBest"]!(...args);
  };
  expect(call(6, null)).toBe(4);
  expect(() => call(1, Int32Array.of(1, 3, 1, 5, 400, 1))).toThrow("outside");
  expect(() => call(1, Int32Array.of(0, 3, 1, 5, 4, 1))).toThrow("outside");
  expect(() => call(1, Int32Array.of(1, 40_000, 1, 5, 4, 1))).toThrow("more postings");
  expect(() => call(1, Int32Array.of(1, -1, 1, 5, 4, 1))).toThrow("fewer");
  expect(() => call(4, 11)).toThrow("lengths is too short");
  expect(() => call(4, 8)).toThrow("not there");
});
