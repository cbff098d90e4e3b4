import { expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { sortedPlaces } from "./sorted-places.ts";

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
