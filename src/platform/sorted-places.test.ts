import { expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { firstPlaces, sortedPlaces } from "./sorted-places.ts";

test("places are in the order of what is at them, equal ones as they were", () => {
  const random = seededRandom(3);
  for (const count of [0, 1, 2, 7, 8, 9, 16, 17, 100, 401]) {
    for (const kinds of [1, 3, 1000]) {
      const values = Array.from({ length: count }, () => random.below(kinds));
      const expected = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
      expect([...sortedPlaces(count, (a, b) => values[a]! - values[b]!)]).toEqual(expected);
    }
  }
});

test("the first places are the beginning of all places", () => {
  const random = seededRandom(4);
  for (const count of [0, 1, 7, 40, 401]) {
    for (const kinds of [1, 3, 1000]) {
      const values = Float64Array.from({ length: count }, () => random.below(kinds) - 1);
      const compare = (a: number, b: number) => values[b]! - values[a]! || b - a;
      const all = [...sortedPlaces(count, compare)];
      for (const most of [0, 1, 5, 20, 50, 400, 401, Infinity])
        expect([...firstPlaces(values, most, compare)]).toEqual(all.slice(0, most));
    }
  }
});
