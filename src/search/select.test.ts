import { describe, expect, test } from "bun:test";
import { encodeTerms } from "../index/analyzer.ts";
import type { Ranked } from "./ranking.ts";
import { select, type Selection } from "./select.ts";

const ASKED: Selection = { scoreThreshold: 0, maxChunksPerFile: null, maxResults: 3, isRescored: true };

/** Chunks 1, 2, … of files of their own, best first, each with its text. */
function store(...given: [text: string, score: number, fileKey?: number][]) {
  const reads: number[][] = [];
  const ranked = given.map(([, score, fileKey], i): Ranked => ({
    chunkId: i + 1,
    fileKey: fileKey ?? i + 1,
    score,
    vector: null,
    keyword: score,
    fused: 1 - (given[0]?.[1] ?? 0) / 100 + score / 100,
  }));
  const termsOf = (ids: readonly number[]) => {
    reads.push([...ids]);
    return ids.map((id) => encodeTerms({ text: given[id - 1]?.[0] ?? "", heading: [], title: "" }));
  };
  const chosen = (request: Partial<Selection> = {}) =>
    select(ranked, { ...ASKED, ...request }, termsOf).map((one) => one.chunkId);
  return { chosen, reads };
}

describe("select", () => {
  const crowded = store(
    ["tides of the harbour", 0.9],
    ["Tides of the harbour.", 0.9],
    ["tides of the harbour!", 0.9],
    ["storm signals at the coast", 0.6],
    ["the keeper of the lighthouse", 0.5],
    ["bread", 0.1],
  );

  test("lets copies give their places up to others that are at least half as good", () => {
    expect(crowded.chosen()).toEqual([1, 4, 5]);
    expect(crowded.chosen({ maxResults: 2 })).toEqual([1, 4]);
  });

  test("keeps copies where what else there is is much worse, and never has fewer results for them", () => {
    expect(crowded.chosen({ maxResults: 4 })).toEqual([1, 2, 4, 5]);
    expect(crowded.chosen({ maxResults: 6 })).toEqual([1, 2, 3, 4, 5, 6]);
    expect(crowded.chosen({ scoreThreshold: 0.7 })).toEqual([1, 2, 3]);
    const same = store(["tides", 0.4], ["tides", 0.4], ["tides", 0.4], ["tides", 0.4]);
    expect(same.chosen()).toEqual([1, 2, 3]);
  });

  test("leaves all where they are without the second stage", () => {
    expect(crowded.chosen({ isRescored: false })).toEqual([1, 2, 3]);
  });

  test("cuts at the threshold and at the chunks of one file", () => {
    const two = store(["a storm", 0.9, 1], ["the tides", 0.8, 1], ["a harbour", 0.7, 2], ["the coast", 0.2, 3]);
    expect(two.chosen({ maxChunksPerFile: 1 })).toEqual([1, 3, 4]);
    expect(two.chosen({ maxChunksPerFile: 1, scoreThreshold: 0.5 })).toEqual([1, 3]);
  });

  test("reads no terms of results that cannot be copies", () => {
    const apart = store(["tides", 100], ["tides", 50], ["tides", 10]);
    expect(apart.chosen()).toEqual([1, 2, 3]);
    expect(apart.reads).toEqual([]);
  });

  test("answers nothing for nothing", () => {
    expect(store().chosen()).toEqual([]);
  });
});
