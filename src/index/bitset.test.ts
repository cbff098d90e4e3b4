import { expect, test } from "bun:test";
import { Bitset } from "./bitset.ts";
import { seededRandom } from "../../test/helpers/random.ts";

test("agrees with a Set over random additions and removals", () => {
  const random = seededRandom(1);
  const bits = new Bitset();
  const model = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const member = random.below(700);
    if (random() < 0.6) {
      bits.add(member);
      model.add(member);
    } else {
      bits.delete(member);
      model.delete(member);
    }
  }
  expect([...bits.toArray()]).toEqual([...model].sort((a, b) => a - b));
  expect(bits.count()).toBe(model.size);
  for (let i = 0; i < 800; i++) expect(bits.has(i)).toBe(model.has(i));
});

test.each([0, 1, 31, 32, 33, 64, 100])("a full set of %d holds exactly the numbers below it", (size) => {
  const bits = Bitset.full(size);
  expect(bits.count()).toBe(size);
  expect(bits.has(size)).toBe(false);
  expect([...bits.toArray()]).toEqual(Array.from({ length: size }, (_, i) => i));
});

test("a clone does not share words", () => {
  const bits = new Bitset();
  bits.add(5);
  const copy = bits.clone();
  copy.delete(5);
  expect(bits.has(5)).toBe(true);
  expect(copy.has(5)).toBe(false);
});

test("joins two sets as sets are joined, whatever their capacities", () => {
  const random = seededRandom(2);
  for (let round = 0; round < 200; round++) {
    const [a, b, all] = [40, 70, 100].map(
      (most) => new Set(Array.from({ length: 20 }, () => random.below(random.below(most) + 1))),
    ) as [Set<number>, Set<number>, Set<number>];
    const bits = (members: Set<number>) => {
      const set = new Bitset(random.below(2) * 128);
      for (const member of members) set.add(member);
      return set;
    };
    const joined = (join: (set: Bitset) => void) => {
      const set = bits(a);
      join(set);
      return [...set.toArray()];
    };
    const sorted = (members: Set<number>) => [...members].sort((x, y) => x - y);
    expect(joined((set) => set.intersect(bits(b)))).toEqual(sorted(a.intersection(b)));
    expect(joined((set) => set.unite(bits(b)))).toEqual(sorted(a.union(b)));
    expect(joined((set) => set.invertWithin(bits(all)))).toEqual(sorted(all.difference(a)));
    expect(joined((set) => set.copyFrom(bits(b)))).toEqual(sorted(b));
  }
});
