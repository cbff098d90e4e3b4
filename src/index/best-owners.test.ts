import { expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { BestOwners, FirstOwners } from "./best-owners.ts";

test("of a stream that comes best first, the first owners are the best, also where many are equal", () => {
  const random = seededRandom(5);
  for (const [count, owners, kinds] of [
    [0, 1, 1],
    [1, 1, 1],
    [300, 40, 5],
    [300, 200, 3],
    [300, 300, 100_000],
  ] as const) {
    const stream = Array.from({ length: count }, (_, slot) => ({
      slot,
      owner: random.below(owners),
      score: random.below(kinds) / kinds,
    })).sort((a, b) => b.score - a.score || a.slot - b.slot);
    for (const limit of [0, 1, 7, 30, 500]) {
      const places = new Int32Array(owners);
      const [best, first] = [new BestOwners(limit, places), new FirstOwners(limit, new Int32Array(owners))];
      for (const one of [best, first]) {
        for (const { owner, score, slot } of stream) if (score > one.floor) one.offer(owner, score, slot);
      }
      expect(first.floor).toBe(best.floor);
      expect(first.drained()).toEqual(best.drained());
      expect(places.every((place) => place === 0)).toBe(true);
    }
  }
});
