import { describe, expect, test } from "bun:test";
import { AttributeIndex } from "./attributes.ts";
import {
  compareCodePoints,
  matchesFilter,
  type Attributes,
  type Filter,
  type FilterSubject,
  type Scalar,
} from "./filter.ts";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";

const KEYS = ["a", "b", "c", "file_id", "file_ids", "filename", "type", "missing"];
const VALUES: readonly Scalar[] = [
  0,
  -0,
  1,
  2,
  2.5,
  -7,
  1e12,
  "1",
  "",
  "x",
  "y",
  "Ä",
  "\uff5a",
  "\u{1f600}",
  true,
  false,
  "f3",
  "n2",
];

function randomFilter(random: SeededRandom, depth: number): Filter {
  const op = random.pick(["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "and", "or"] as const);
  const key = random.pick(KEYS);
  switch (op) {
    case "and":
    case "or": {
      if (depth === 0) return { op: "exists", key, value: true };
      const filters = Array.from({ length: random.below(4) }, () => randomFilter(random, depth - 1));
      return { op, filters };
    }
    case "exists":
      return { op, key, value: random() < 0.5 };
    case "in":
    case "nin":
      return { op, key, value: Array.from({ length: random.below(4) }, () => random.pick(VALUES)) };
    default:
      return { op, key, value: random.pick(VALUES) };
  }
}

function randomSubject(random: SeededRandom, file: number): FilterSubject {
  const attributes: Record<string, Scalar> = {};
  for (const key of KEYS.slice(0, 7)) if (random() < 0.6) attributes[key] = random.pick(VALUES);
  return { fileId: `f${file}`, filename: `n${random.below(5)}`, attributes };
}

function evaluated(index: AttributeIndex, filter: Filter): number[] {
  const { files, count } = index.evaluate(filter);
  const found = [...files.toArray()];
  expect(count).toBe(found.length);
  return found;
}

test("agrees with the meaning of filters on random trees over files that come, change and go", () => {
  const random = seededRandom(42);
  const index = new AttributeIndex();
  const files = new Map<number, FilterSubject>();
  for (let round = 0; round < 400; round++) {
    for (let i = 0; i < 5; i++) {
      const file = random.below(80);
      if (random() < 0.75) {
        const subject = randomSubject(random, file);
        index.set(file, subject);
        files.set(file, subject);
      } else {
        index.delete(file);
        files.delete(file);
      }
    }
    const filter = randomFilter(random, 3);
    const naive = [...files].filter(([, subject]) => matchesFilter(filter, subject)).map(([file]) => file);
    expect(evaluated(index, filter), JSON.stringify(filter)).toEqual(naive.sort((a, b) => a - b));
  }
});

test("agrees with the meaning of filters over many files, whichever way they are found", () => {
  const random = seededRandom(11);
  for (const count of [1, 31, 32, 33, 700]) {
    const index = new AttributeIndex();
    const files = Array.from({ length: count }, (_, file) => {
      const attributes: Record<string, Scalar> = { a: random.below(count * 2) / 2 };
      if (random() < 0.9) attributes["b"] = random.pick(VALUES);
      if (random() < 0.1) attributes["c"] = `v${random.below(50)}`;
      if (random() < 0.5) attributes["type"] = random() < 0.5;
      const subject = { fileId: `f${file}`, filename: `n${random.below(5)}`, attributes };
      index.set(file, subject);
      return subject;
    });
    const bounds: Scalar[] = [-1, 0, 0.5, count / 2, count - 0.5, count, count * 2, "v2", "v25", "v9", "f5", "f60"];
    for (let round = 0; round < 300; round++) {
      const ranges = (["gt", "gte", "lt", "lte"] as const).map((op): Filter => ({
        op,
        key: random.pick(["a", "b", "c", "file_id"]),
        value: random.pick(bounds),
      }));
      const filter: Filter = {
        op: random.pick(["and", "or"]),
        filters: [...ranges.slice(random.below(4)), ...(round % 2 === 0 ? [randomFilter(random, 4)] : [])],
      };
      const naive = files.flatMap((subject, file) => (matchesFilter(filter, subject) ? [file] : []));
      expect(evaluated(index, filter), JSON.stringify(filter)).toEqual(naive);
      for (const range of ranges)
        expect(index.evaluate(range).count).toBe(files.filter((f) => matchesFilter(range, f)).length);
      // A write in between, so that what was made for reading is made again.
      if (round % 50 === 49) {
        const changed = random.below(count);
        files[changed] = { ...files[changed]!, attributes: { a: -round, b: round } };
        index.set(changed, files[changed]);
      }
    }
  }
});

test("ranges stay right while many distinct values arrive and leave", () => {
  const random = seededRandom(3);
  const index = new AttributeIndex();
  const values = new Map<number, number>();
  for (let i = 0; i < 6000; i++) {
    const file = random.below(2000);
    const value = random.below(1_000_000) / 10;
    index.set(file, { fileId: `f${file}`, filename: "n", attributes: { at: value } });
    values.set(file, value);
    if (i % 500 !== 0) continue;
    const bound = random.below(100_000);
    const naive = [...values].filter(([, own]) => own >= bound).map(([f]) => f);
    expect(evaluated(index, { op: "gte", key: "at", value: bound })).toEqual(naive.sort((a, b) => a - b));
  }
});

describe("the meaning of a filter", () => {
  const file = (attributes: Attributes): FilterSubject => ({ fileId: "file-1", filename: "a.txt", attributes });
  const cases: [string, Filter, Attributes, boolean][] = [
    ["a missing key fails eq", { op: "eq", key: "k", value: 1 }, {}, false],
    ["a missing key fails gt", { op: "gt", key: "k", value: 1 }, {}, false],
    ["a missing key fails in", { op: "in", key: "k", value: [1] }, {}, false],
    ["a missing key passes ne", { op: "ne", key: "k", value: 1 }, {}, true],
    ["a missing key passes nin", { op: "nin", key: "k", value: [1] }, {}, true],
    ["a missing key passes exists false", { op: "exists", key: "k", value: false }, {}, true],
    ["a number is not the string of it", { op: "eq", key: "k", value: "5" }, { k: 5 }, false],
    ["a number does not compare with a string", { op: "lt", key: "k", value: "9" }, { k: 5 }, false],
    ["booleans do not compare", { op: "gte", key: "k", value: true }, { k: true }, false],
    ["booleans are equal", { op: "eq", key: "k", value: true }, { k: true }, true],
    ["true is not 1", { op: "eq", key: "k", value: 1 }, { k: true }, false],
    [
      "strings compare by code point, not by UTF-16 unit",
      { op: "gt", key: "k", value: "\uff5a" },
      { k: "\u{1f600}" },
      true,
    ],
    ["a reserved key is the file's own id", { op: "in", key: "file_ids", value: ["file-1"] }, { file_id: "x" }, true],
    ["a reserved key is the file's own name", { op: "eq", key: "filename", value: "a.txt" }, { filename: "x" }, true],
    ["and of nothing matches", { op: "and", filters: [] }, {}, true],
    ["or of nothing does not", { op: "or", filters: [] }, {}, false],
    ["a key called like an object's own is just a key", { op: "exists", key: "toString", value: true }, {}, false],
  ];
  test.each(cases)("%s", (_, filter, attributes, expected) => {
    expect(matchesFilter(filter, file(attributes))).toBe(expected);
    const index = new AttributeIndex();
    index.set(0, file(attributes));
    expect(index.evaluate(filter).count).toBe(expected ? 1 : 0);
  });
});

test("orders strings by code point", () => {
  const ordered = ["", "a", "ab", "b", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10000}a", "\u{10ffff}"];
  for (let i = 0; i < ordered.length; i++) {
    for (let j = 0; j < ordered.length; j++) {
      expect(Math.sign(compareCodePoints(ordered[i]!, ordered[j]!))).toBe(Math.sign(i - j));
    }
  }
});
