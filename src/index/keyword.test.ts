import { expect, test } from "bun:test";
import { Bitset } from "./bitset.ts";
import { BM25_B, BM25_K1, inverseDocumentFrequency } from "./bm25.ts";
import { KeywordIndex } from "./keyword.ts";
import type { QueryTerm } from "./query-term.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { packTerms, TermBlobError } from "./term-blob.ts";

type Doc = Map<number, number>;

const wanted = (hash: number, count = 1): QueryTerm => ({ hash, count, multiply: 1, add: 0, among: 0 });
const lengthOf = (doc: Doc): number => [...doc.values()].reduce((a, b) => a + b, 0);
const blobOf = (doc: Doc): Uint8Array => packTerms({ weights: doc, length: lengthOf(doc), sequence: [], windows: 1 });

/** BM25 by the book, over all documents. */
function naiveScores(docs: ReadonlyMap<number, Doc>, query: readonly QueryTerm[]): Map<number, number> {
  const average = [...docs.values()].reduce((sum, doc) => sum + lengthOf(doc), 0) / docs.size;
  const scores = new Map<number, number>();
  for (const { hash, count } of query) {
    const df = [...docs.values()].filter((doc) => doc.has(hash)).length;
    const weight = count * inverseDocumentFrequency(df, docs.size) * (BM25_K1 + 1);
    for (const [ordinal, doc] of docs) {
      const tf = doc.get(hash);
      if (tf === undefined) continue;
      const norm = BM25_K1 * (1 - BM25_B + (BM25_B * lengthOf(doc)) / average);
      scores.set(ordinal, (scores.get(ordinal) ?? 0) + (weight * tf) / (tf + norm));
    }
  }
  return scores;
}

test("scores are BM25's over random additions, removals, sweeps and reused ordinals", () => {
  const random = seededRandom(9);
  const index = new KeywordIndex();
  const docs = new Map<number, Doc>();
  const free: number[] = [];
  let next = 0;
  let reused = 0;
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 12; i++) {
      if (docs.size > 0 && random() < 0.45) {
        const victim = random.pick([...docs.keys()]);
        docs.delete(victim);
        index.remove(victim);
      } else {
        const doc: Doc = new Map();
        for (let t = 0; t < 30; t++) {
          const hash = Math.floor(3000 ** random()) | (random.below(16) << 28);
          doc.set(hash, (doc.get(hash) ?? 0) + 1);
        }
        const ordinal = free.pop() ?? next++;
        docs.set(ordinal, doc);
        index.add(ordinal, blobOf(doc));
      }
    }
    const freed = index.sweep(2000);
    reused += freed.length;
    free.push(...freed);
    const query = Array.from({ length: 4 }, () => wanted(Math.floor(3000 ** random()) | (random.below(16) << 28)));
    const unique = [...new Map(query.map((term) => [term.hash, term])).values()];
    const pass = index.search(unique, 10);
    const naive = naiveScores(docs, unique);
    for (let ordinal = 0; ordinal < next; ordinal++) {
      expect(pass.scoreOf(ordinal)).toBeCloseTo(naive.get(ordinal) ?? 0, 4);
    }
    const best = [...naive.values()].sort((a, b) => b - a).slice(0, 10);
    expect(pass.top.ids.length).toBe(best.length);
    best.forEach((score, i) => expect(pass.top.scores[i]).toBeCloseTo(score, 4));
    for (const score of naive.values()) expect(score).toBeLessThanOrEqual(pass.maxPossible + 1e-6);
  }
  expect(index.chunkCount).toBe(docs.size);
  expect(reused).toBeGreaterThan(100);
});

test("memory does not grow when the same number of chunks comes and goes", () => {
  const random = seededRandom(5);
  const index = new KeywordIndex();
  const free: number[] = [];
  let next = 0;
  const live: number[] = [];
  const turn = (): void => {
    const doc: Doc = new Map(Array.from({ length: 60 }, () => [random.below(2 ** 31), 1]));
    const ordinal = free.pop() ?? next++;
    index.add(ordinal, blobOf(doc));
    live.push(ordinal);
    if (live.length > 500) index.remove(live.shift()!);
    free.push(...index.sweep(5000));
  };
  for (let i = 0; i < 3000; i++) turn();
  const settled = index.byteLength;
  for (let i = 0; i < 7000; i++) turn();
  expect(index.byteLength).toBeLessThanOrEqual(settled * 1.5);
  expect(next).toBeLessThan(3000);
});

test("only allowed chunks are selected, and every score can still be read", () => {
  const index = new KeywordIndex();
  for (let i = 0; i < 100; i++) index.add(i, blobOf(new Map([[7, 1 + (i % 5)]])));
  const allowed = new Bitset();
  for (const ordinal of [3, 40, 99]) allowed.add(ordinal);
  const pass = index.search([wanted(7)], 10, allowed);
  expect([...pass.top.ids].sort((a, b) => a - b)).toEqual([3, 40, 99]);
  expect(pass.scoreOf(50)).toBeGreaterThan(0);
});

test("rarity is judged among the marked chunks", () => {
  const index = new KeywordIndex();
  const [word, marker] = [11, 99];
  for (let i = 0; i < 200; i++)
    index.add(i, blobOf(new Map([[i < 2 ? word : 12, 1], ...(i < 2 ? ([[marker, 1]] as const) : [])])));
  const everywhere = index.search([wanted(word)], 1).top.scores[0]!;
  const amongFew = index.search([{ ...wanted(word), among: marker }], 1).top.scores[0]!;
  expect(amongFew).toBeLessThan(everywhere / 5);
});

test("learned weights shift and scale a term, and never below nothing; a query of only silenced terms counts them", () => {
  const index = new KeywordIndex();
  for (let i = 0; i < 50; i++) index.add(i, blobOf(new Map([[i % 10, 1]])));
  const plain = index.search([wanted(3)], 1).top.scores[0]!;
  expect(index.search([{ ...wanted(3), multiply: 0.5 }], 1).top.scores[0]).toBeCloseTo(plain / 2, 5);
  const silenced = { ...wanted(3), add: -100 };
  expect(index.search([silenced, wanted(4)], 50).top.ids.length).toBe(5);
  expect(index.search([silenced], 1).top.scores[0]).toBeCloseTo(plain, 5);
});

test("of a question of very many terms the rarest count, and what it could score is their sum", () => {
  const index = new KeywordIndex();
  const everywhere = Array.from({ length: 100 }, (_, i) => i + 1);
  const rare = Array.from({ length: 64 }, (_, i) => i + 1001);
  for (let i = 0; i < 20; i++) index.add(i, blobOf(new Map(everywhere.map((hash) => [hash, 1]))));
  index.add(20, blobOf(new Map([...everywhere, ...rare].map((hash) => [hash, 1]))));
  const pass = index.search(
    [...everywhere, ...rare].map((hash) => wanted(hash)),
    30,
  );
  expect(pass.weights.map(({ hash }) => hash)).toEqual(rare);
  expect([...pass.top.ids]).toEqual([20]);
  expect(pass.maxPossible).toBeCloseTo(64 * inverseDocumentFrequency(1, 21) * (BM25_K1 + 1), 3);
});

test("what no chunk has is part of what could be scored, unless no chunk could have it", () => {
  const index = new KeywordIndex();
  index.add(0, blobOf(new Map([[1, 1]])));
  index.add(1, blobOf(new Map([[2, 1]])));
  const attainable = (...query: QueryTerm[]) => index.search(query, 2).attainable / (BM25_K1 + 1);
  const known = inverseDocumentFrequency(1, 2);
  expect(attainable(wanted(1))).toBeCloseTo(known, 6);
  expect(attainable(wanted(1), wanted(9))).toBeCloseTo(known + inverseDocumentFrequency(0, 2), 6);
  expect(attainable(wanted(1), { ...wanted(9), among: 8 })).toBeCloseTo(known, 6);
});

test("an empty index and an unknown term answer nothing", () => {
  const index = new KeywordIndex();
  expect(index.search([wanted(1)], 5)).toMatchObject({ maxPossible: 0, knownTerms: 0 });
  index.add(0, blobOf(new Map([[1, 1]])));
  expect(index.search([wanted(2)], 5).top.ids.length).toBe(0);
  index.remove(0);
  expect(index.search([wanted(1)], 5).top.ids.length).toBe(0);
});

test("a blob of another version or length is refused and changes nothing", () => {
  const index = new KeywordIndex();
  const foreign = blobOf(new Map([[1, 1]]));
  foreign[0] = 200;
  expect(() => index.add(0, foreign)).toThrow(TermBlobError);
  expect(() => index.add(0, new Uint8Array(11))).toThrow(TermBlobError);
  expect(index.chunkCount).toBe(0);
});

test("a chunk is given the terms that a newer analyzer found, once, and can be removed as before", () => {
  const index = new KeywordIndex();
  const before = blobOf(new Map([[1, 2]]));
  const after = blobOf(new Map([[1, 2], [2, 1]])); // prettier-ignore
  before[0] = 1;
  index.add(0, before);
  index.add(1, blobOf(new Map([[1, 1]])));
  expect(index.search([wanted(2)], 5).top.ids.length).toBe(0);
  const known = index.search([wanted(1)], 5).top.scores[0]!;
  for (let i = 0; i < 2; i++) index.extend(0, before, after);
  expect([...index.search([wanted(2)], 5).top.ids]).toEqual([0]);
  expect(index.search([wanted(2)], 5).weights[0]?.idf).toBeCloseTo(inverseDocumentFrequency(1, 2), 6);
  expect(index.search([wanted(1)], 5).top.scores[0]).toBeCloseTo(known, 6);
  index.remove(0);
  index.extend(0, before, after);
  expect(index.search([wanted(2)], 5).top.ids.length).toBe(0);
  while (index.sweep(1000).length === 0);
  index.add(0, after);
  expect([...index.search([wanted(2)], 5).top.ids]).toEqual([0]);
});

test("a term that stands in for another is not missed, and counts wholly only where that one is nowhere", () => {
  const index = new KeywordIndex();
  index.add(0, blobOf(new Map([[2, 1]])));
  const instead: QueryTerm = { ...wanted(2), instead: { of: 1, share: 0.1, alone: 1 } };
  const alone = index.search([wanted(1), instead], 2);
  expect(alone.weights[0]?.idf).toBeCloseTo(inverseDocumentFrequency(1, 1), 6);
  expect(alone.attainable).toBeCloseTo(alone.maxPossible, 6);
  index.add(1, blobOf(new Map([[1, 1]])));
  const both = index.search([wanted(1), instead], 2);
  expect([...both.top.ids]).toEqual([1, 0]);
  const absent: QueryTerm = { ...wanted(9), instead: { of: 1, share: 0.1, alone: 1 } };
  expect(index.search([wanted(1), absent], 2).attainable).toBeCloseTo(index.search([wanted(1)], 2).attainable, 6);
});

test("a blob inside a larger buffer at an odd offset is read right", () => {
  const index = new KeywordIndex();
  const blob = blobOf(new Map([[-5, 3]]));
  const shifted = new Uint8Array(blob.length + 3);
  shifted.set(blob, 3);
  index.add(0, shifted.subarray(3));
  expect([...index.search([wanted(-5)], 5).top.ids]).toEqual([0]);
});
