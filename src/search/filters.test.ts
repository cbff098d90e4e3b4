import { describe, expect, test } from "bun:test";
import { AppError } from "../errors.ts";
import { AttributeIndex } from "../index/attributes.ts";
import { matchesFilter } from "../index/filter.ts";
import type { Scalar } from "../index/filter.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_VALUES, parseFilter } from "./filters.ts";

const HANDBOOK = {
  fileId: "file-1",
  filename: "a.md",
  attributes: { type: "handbook", year: 2026, draft: false, tag: "x" },
};

describe("parseFilter reads", () => {
  test.each<[name: string, filter: unknown, keeps: boolean]>([
    ["a comparison of OpenAI's", { type: "eq", key: "year", value: 2026 }, true],
    [
      "a compound of OpenAI's",
      {
        type: "or",
        filters: [
          { type: "eq", key: "tag", value: "y" },
          { type: "gt", key: "year", value: 2000 },
        ],
      },
      true,
    ],
    ["and of nothing as everything", { type: "and", filters: [] }, true],
    ["or of nothing as nothing", { type: "or", filters: [] }, false],
    ["plain equality", { tag: "x", year: 2026 }, true],
    ["plain equality that fails in one part", { tag: "x", year: 2025 }, false],
    ["a plain list as in", { tag: ["y", "x"] }, true],
    ["$ operators, all of which must hold", { year: { $gte: 2026, $lt: 2027 } }, true],
    ["$nin and $exists", { tag: { $nin: ["y"] }, missing: { $exists: false } }, true],
    ["an attribute that is called type", { type: "handbook" }, true],
    ["attributes that are called key and value, each alone", { key: "x" }, false],
    [
      "a comparison with the members of a compound as null",
      { type: "eq", key: "tag", value: "x", filters: null },
      true,
    ],
    [
      "a compound with the members of a comparison as null",
      { type: "or", filters: [{ tag: "x" }], key: null, value: null },
      true,
    ],
    ["the empty object as everything", {}, true],
    ["file ids", { file_ids: ["file-1", "file-2"] }, true],
    ["a file id", { file_id: "file-2" }, false],
    ["a file name", { filename: "a.md" }, true],
    ["in with a single value", { type: "in", key: "tag", value: "x" }, true],
    ["a boolean", { type: "eq", key: "draft", value: false }, true],
    ["a range over booleans as no match", { type: "gte", key: "draft", value: false }, false],
    ["a number written as text as no match", { type: "eq", key: "year", value: "2026" }, false],
    ["ne of a missing key as a match", { type: "ne", key: "missing", value: 1 }, true],
    ["lt of a missing key as no match", { type: "lt", key: "missing", value: 1 }, false],
  ])("%s", (_name, filter, keeps) => {
    expect(matchesFilter(parseFilter(filter), HANDBOOK)).toBe(keeps);
  });
});

describe("parseFilter refuses and names", () => {
  test.each<[name: string, filter: unknown, code: string, param: string]>([
    ["what is no object", "x", "invalid_type", "filters"],
    ["a list", [], "invalid_type", "filters"],
    ["a key that is no string", { type: "eq", key: 1, value: 1 }, "invalid_filter", "filters.key"],
    ["an operator that there is not", { type: "like", key: "a", value: 1 }, "invalid_filter", "filters.type"],
    ["one of another language", { type: "$eq", key: "a", value: 1 }, "invalid_filter", "filters.type"],
    ["an operator in capitals", { type: "EQ", key: "a", value: 1 }, "invalid_filter", "filters.type"],
    ["an operator in capitals and nothing else", { type: "And" }, "invalid_filter", "filters.type"],
    ["an operator and nothing else", { type: "eq" }, "invalid_filter", "filters.key"],
    ["a compound of nothing", { type: "and" }, "invalid_filter", "filters.filters"],
    ["a compound of no list", { type: "or", filters: { a: 1 } }, "invalid_filter", "filters.filters"],
    ["a compound under another name", { type: "and", filter: [] }, "invalid_filter", "filters.filters"],
    ["a compound with a misspelt type", { type: "xor", filters: [] }, "invalid_filter", "filters.type"],
    ["a comparison without its type", { key: "a", value: 1 }, "invalid_filter", "filters.type"],
    ["a list without its type", { filters: [], value: 1 }, "invalid_filter", "filters.type"],
    ["a type that is no text", { type: 7, key: "a" }, "invalid_filter", "filters.type"],
    ["a comparison without its value", { type: "ne", key: "a" }, "invalid_filter", "filters.value"],
    ["a comparison with null", { type: "eq", key: "a", value: null }, "invalid_filter", "filters.value"],
    ["a value under another name", { type: "eq", key: "a", val: 1 }, "invalid_filter", "filters.value"],
    ["an object as a value", { type: "eq", key: "a", value: {} }, "invalid_filter", "filters.value"],
    ["null in a list of values", { type: "in", key: "a", value: ["x", null] }, "invalid_filter", "filters.value[1]"],
    ["a number too large for one", { type: "gt", key: "a", value: Infinity }, "invalid_filter", "filters.value"],
    ["such a number in the plain form", { a: Infinity }, "invalid_type", "filters.a"],
    [
      "a wrong part of a compound",
      { type: "and", filters: [{ type: "like", key: "a", value: 1 }] },
      "invalid_filter",
      "filters.filters[0].type",
    ],
    ["null", { a: null }, "invalid_type", "filters.a"],
    ["an object in a list", { a: [{}] }, "invalid_type", "filters.a[0]"],
    ["a list for eq", { type: "eq", key: "a", value: [1] }, "invalid_filter", "filters.value"],
    ["an unknown operator", { a: { $regex: "x" } }, "unknown_parameter", "filters.a.$regex"],
    ["an object without operators", { a: {} }, "invalid_value", "filters.a"],
    ["an object with a plain key", { a: { b: 1 } }, "unknown_parameter", "filters.a.b"],
    ["$exists without a boolean", { a: { $exists: 1 } }, "invalid_type", "filters.a.$exists"],
    ["an extra key of a comparison", { type: "eq", key: "a", value: 1, not: true }, "unknown_parameter", "filters.not"],
    [
      "a part deep inside",
      { type: "and", filters: [{ a: 1 }, { type: "or", filters: [7] }] },
      "invalid_type",
      "filters.filters[1].filters[0]",
    ],
  ])("%s", (_name, filter, code, param) => {
    expect(refusal(filter)).toEqual({ code, param });
  });

  test("filters nested deeper than the limit, and takes those at it", () => {
    const nested = (depth: number): unknown => (depth === 0 ? { a: 1 } : { type: "and", filters: [nested(depth - 1)] });
    expect(() => parseFilter(nested(MAX_FILTER_DEPTH))).not.toThrow();
    expect(refusal(nested(MAX_FILTER_DEPTH + 1))?.code).toBe("invalid_value");
  });
});

test("what is wrong is told with the operators that there are", () => {
  expect(() => parseFilter({ type: "equals", key: "a", value: 1 })).toThrow(
    "Invalid 'filters.type': there is no operator 'equals'. Operators are eq, ne, gt, gte, lt, lte, in, nin, and, or.",
  );
  expect(() => parseFilter({ type: "NIN", key: "a", value: 1 })).toThrow("operators are written small, 'nin'");
});

test.each<[string, unknown, boolean]>([
  ["a comparison", { type: "eq", key: "a", value: 1 }, true],
  ["a compound of nothing", { type: "and", filters: [] }, true],
  ["the plain form", { category: "support" }, false],
  ["an attribute that is called type", { type: "handbook" }, false],
  ["nothing", {}, false],
  ["the plain form in a compound", { type: "or", filters: [{ a: 1 }] }, false],
])("where only OpenAI's form exists, %s is taken or refused", (_name, filter, isTaken) => {
  expect(refusal(filter, true)?.code ?? "taken").toBe(isTaken ? "taken" : "invalid_filter");
});

test("a file name is found however its accents are written", () => {
  const [composed, apart] = ["Prüfung.pdf".normalize("NFC"), "Prüfung.pdf".normalize("NFD")];
  for (const filename of [composed, apart])
    for (const asked of [composed, apart]) {
      const file = { fileId: "file-1", filename, attributes: { title: composed } };
      expect(matchesFilter(parseFilter({ type: "eq", key: "filename", value: asked }), file)).toBe(true);
      expect(matchesFilter(parseFilter({ type: "ne", key: "filename", value: asked }), file)).toBe(false);
      expect(matchesFilter(parseFilter({ filename: ["x", asked] }), file)).toBe(true);
      expect(matchesFilter(parseFilter({ title: asked }), file)).toBe(asked === composed);
    }
});

describe("parseFilter takes what is at a bound, and refuses with a way out what is beyond", () => {
  const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  const eq = (i: number) => ({ type: "eq", key: "a", value: i });
  const wrapped = (filter: unknown, depth: number): unknown =>
    depth === 0 ? filter : { type: "and", filters: [wrapped(filter, depth - 1)] };
  const comparisons: [string, (count: number) => unknown][] = [
    ["comparisons", (count) => ({ type: "or", filters: times(count, eq) })],
    ["comparisons deep inside", (count) => wrapped({ type: "or", filters: times(count, eq) }, MAX_FILTER_DEPTH - 1)],
    [
      "comparisons in several compounds",
      (count) => ({
        type: "and",
        filters: [
          { type: "or", filters: times(count - 100, eq) },
          { type: "or", filters: times(100, eq) },
        ],
      }),
    ],
    ["equalities", (count) => Object.fromEntries(times(count, (i) => [`k${i}`, i]))],
    [
      "$ operators",
      (count) =>
        Object.fromEntries(
          times(Math.ceil(count / 2), (i) => [`k${i}`, i * 2 + 1 < count ? { $gte: 1, $lt: 2 } : { $ne: 1 }]),
        ),
    ],
    ["plain filters in a compound", (count) => ({ type: "or", filters: times(count, (i) => ({ a: i })) })],
    ["nothings in a compound", (count) => ({ type: "or", filters: times(count, () => ({})) })],
    ["compounds of nothing", (count) => ({ type: "or", filters: times(count, () => ({ type: "and", filters: [] })) })],
    [
      "comparisons with the other form's members as null",
      (count) => ({ type: "or", filters: times(count, (i) => ({ ...eq(i), filters: null })), key: null }),
    ],
  ];
  test.each(comparisons)("%s", (_name, make) => {
    expect(refusal(make(MAX_FILTER_COMPARISONS))).toBeNull();
    expect(refusal(make(MAX_FILTER_COMPARISONS + 1))).toEqual({ code: "invalid_filter", param: "filters" });
    expect(() => parseFilter(make(MAX_FILTER_COMPARISONS + 1))).toThrow(
      "Invalid 'filters': it has more than 256 comparisons; for many values of one key, use one 'in' or 'nin' with a list.",
    );
  });

  const values: [string, (count: number) => unknown][] = [
    ["values of a plain list", (count) => ({ file_ids: times(count, (i) => `file-${i}`) })],
    ["values of in", (count) => ({ type: "in", key: "a", value: times(count, (i) => i) })],
    ["values of $nin", (count) => ({ a: { $nin: times(count, (i) => i) } })],
    [
      "values of several lists",
      (count) => ({
        type: "or",
        filters: [{ a: times(count - 50_000, (i) => i) }, { type: "nin", key: "b", value: times(50_000, (i) => i) }],
      }),
    ],
  ];
  test.each(values)("%s", (_name, make) => {
    expect(refusal(make(MAX_FILTER_VALUES))).toBeNull();
    expect(refusal(make(MAX_FILTER_VALUES + 1))).toEqual({ code: "invalid_filter", param: "filters" });
    expect(() => parseFilter(make(MAX_FILTER_VALUES + 1))).toThrow(
      "more than 100000 values in its lists; give the files",
    );
  });

  test("where only OpenAI's form exists as well", () => {
    const many = { type: "or", filters: times(MAX_FILTER_COMPARISONS + 1, eq) };
    expect(refusal(many, true)).toEqual({ code: "invalid_filter", param: "filters" });
  });

  test("a key of any length is named in short", () => {
    expect(refusal({ ["k".repeat(100_000)]: null })?.param?.length).toBeLessThan(100);
  });
});

test("parsing and evaluating agrees with a naive reading of random filters of every form", () => {
  const random = seededRandom(7);
  for (let i = 0; i < 3000; i += 1) {
    const filter = randomFilter(random, 3);
    const file = {
      fileId: `file-${int(random, 3)}`,
      filename: `${int(random, 3)}.md`,
      attributes: Object.fromEntries(KEYS.filter(() => random() < 0.7).map((key) => [key, randomScalar(random)])),
    };
    const own: Record<string, Scalar> = { ...file.attributes, file_id: file.fileId, filename: file.filename };
    expect([filter, file, matchesFilter(parseFilter(filter), file)]).toEqual([filter, file, naive(filter, own)]);
  }
});

function refusal(filter: unknown, typedOnly = false): { code: string; param: string | null } | null {
  try {
    parseFilter(filter, { typedOnly });
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, param: error.param };
  }
}

// A second, independent reading of the rules, straight from the JSON.
type Json = Record<string, unknown>;
const OPS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"];

function naive(filter: Json, own: Record<string, Scalar>): boolean {
  if (OPS.includes(String(filter["type"])) && "key" in filter && "value" in filter) {
    return compare(String(filter["type"]), own[String(filter["key"])], filter["value"]);
  }
  if (["and", "or"].includes(String(filter["type"])) && Array.isArray(filter["filters"])) {
    const parts = filter["filters"].map((part) => naive(part as Json, own));
    return filter["type"] === "and" ? !parts.includes(false) : parts.includes(true);
  }
  return Object.entries(filter).every(([key, wanted]) => {
    if (Array.isArray(wanted)) return compare("in", own[key], wanted);
    if (typeof wanted !== "object") return compare("eq", own[key], wanted);
    return Object.entries(wanted as Json).every(([op, value]) =>
      op === "$exists" ? (own[key] !== undefined) === value : compare(op.slice(1), own[key], value),
    );
  });
}

function compare(op: string, own: Scalar | undefined, value: unknown): boolean {
  if (own === undefined) return op === "ne" || op === "nin";
  const list = Array.isArray(value) ? value : [value];
  if (op === "eq" || op === "in") return list.includes(own);
  if (op === "ne" || op === "nin") return !list.includes(own);
  const [bound] = list as [Scalar];
  if (typeof own !== typeof bound || typeof own === "boolean") return false;
  if (op === "gt") return own > bound;
  if (op === "gte") return own >= bound;
  return op === "lt" ? own < bound : own <= bound;
}

const KEYS = ["a", "b", "type", "key"];

function randomFilter(random: () => number, depth: number): Json {
  const kind = random();
  const key = pick(random, [...KEYS, "file_id", "filename"]);
  if (depth > 0 && kind < 0.35) {
    const filters = Array.from({ length: int(random, 4) }, () => randomFilter(random, depth - 1));
    return { type: pick(random, ["and", "or"]), filters };
  }
  const op = pick(random, OPS);
  const value = op === "in" || op === "nin" ? [randomScalar(random), randomScalar(random)] : randomScalar(random);
  if (kind < 0.65) return { type: op, key, value };
  if (kind < 0.8)
    return { [key]: random() < 0.5 ? randomScalar(random) : [randomScalar(random), `file-${int(random, 3)}`] };
  return { [key]: random() < 0.2 ? { $exists: random() < 0.5 } : { [`$${op}`]: value } };
}

function randomScalar(random: () => number): Scalar {
  return pick<Scalar>(random, [0, 1, 2.5, -1, "", "a", "b", "1", true, false, "file-1", "1.md"]);
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[int(random, items.length)] as T;
}

function int(random: () => number, below: number): number {
  return Math.floor(random() * below);
}

test("a file's name is one name, however its accents are written", () => {
  const file = { fileId: "file-1", filename: "Bu\u0308cher.txt", attributes: { title: "u\u0308" } };
  for (const written of ["Bücher.txt", "Bu\u0308cher.txt"]) {
    expect(matchesFilter(parseFilter({ type: "eq", key: "filename", value: written }), file)).toBe(true);
    expect(matchesFilter(parseFilter({ type: "in", key: "filename", value: [written] }), file)).toBe(true);
    expect(matchesFilter(parseFilter({ type: "ne", key: "filename", value: written }), file)).toBe(false);
    const index = new AttributeIndex();
    index.set(0, file);
    expect(index.evaluate(parseFilter({ type: "eq", key: "filename", value: written })).count).toBe(1);
  }
  // Attributes are the user's own, and stay as they are.
  expect(matchesFilter(parseFilter({ type: "eq", key: "title", value: "ü" }), file)).toBe(false);
});
