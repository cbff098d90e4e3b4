/** What the worst filters cost that may be asked: reading them, and answering them over 100,000 files. */
import { beforeAll, expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { AppError } from "../errors.ts";
import { AttributeIndex } from "../index/attributes.ts";
import { MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_VALUES, parseFilter } from "./filters.ts";

const FILES = 100_000;
const GROUPS = 390;
const MOST_MS = 50;
const index = new AttributeIndex();

beforeAll(() => {
  const random = seededRandom(5);
  for (let file = 0; file < FILES; file++) {
    const group = random.below(GROUPS);
    const attributes = {
      at: random.below(1_000_000_000),
      tag: `v${random.below(FILES)}`,
      rank: random.below(1000),
      group: `c${group}`,
      half: random() < 0.5 ? "x" : "y",
      on: random() < 0.5,
    };
    index.set(file, { fileId: `file-${file}`, filename: `${file}.md`, attributes });
  }
}, 60_000);

type Json = Record<string, unknown>;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const all = (type: "and" | "or", part: (i: number) => Json): Json => ({
  type,
  filters: numbers(MAX_FILTER_COMPARISONS).map(part),
});
const groups = (count: number, i: number) => [`z${i}`, ...numbers(count - 1).map((j) => `c${(i + j) % GROUPS}`)];
const EACH = Math.floor(MAX_FILTER_VALUES / MAX_FILTER_COMPARISONS);

/** As many comparisons as there may be, spread over compound filters as deep as they may be. */
function nested(depth: number): Json {
  const own = numbers(16).map((i) => {
    const n = depth * 16 + i;
    return [
      { type: "ne", key: "at", value: n },
      { type: "gte", key: "at", value: n * 3_000_000 },
      { type: "lt", key: "tag", value: `v${n}` },
      { type: "nin", key: "group", value: groups(200, n) },
    ][i % 4]!;
  });
  const inner = depth < MAX_FILTER_DEPTH - 1 ? [nested(depth + 1)] : [];
  return { type: depth % 2 === 0 ? "and" : "or", filters: [...own, ...inner] };
}

const chained = (leaf: Json, depth: number): Json =>
  depth === 0 ? leaf : { type: depth % 2 === 0 ? "and" : "or", filters: [chained(leaf, depth - 1)] };

test.each<[name: string, filter: Json]>([
  ["or of ne", all("or", (i) => ({ type: "ne", key: "at", value: i }))],
  ["and of ne of frequent values", all("and", (i) => ({ type: "ne", key: "rank", value: i }))],
  ["and of gte that keep everything", all("and", (i) => ({ type: "gte", key: "at", value: -i }))],
  ["and of gte, each another part", all("and", (i) => ({ type: "gte", key: "at", value: i * 1_000_000 }))],
  ["or of ranges over texts", all("or", (i) => ({ type: "lt", key: "tag", value: `v${9 - (i % 9)}${i}` }))],
  ["ranges over one key after another", all("and", (i) => ({ type: "gte", key: ["at", "rank"][i % 2], value: -i }))],
  ["ranges just below the share where lists end", all("or", (i) => ({ type: "lt", key: "at", value: 1.2e8 + i }))],
  [
    "lists of different values",
    all("or", (i) => ({ type: "in", key: "tag", value: numbers(EACH).map((j) => `v${i * EACH + j}`) })),
  ],
  ["lists that keep everything", all("and", (i) => ({ type: "in", key: "group", value: groups(EACH, i) }))],
  ["lists that keep nothing", all("or", (i) => ({ type: "nin", key: "group", value: groups(EACH, i) }))],
  ["lists that keep a half", all("and", (i) => ({ type: "in", key: "group", value: groups(GROUPS / 2, i) }))],
  [
    "lists of two, one of which half of the files have",
    all("or", (i) => ({ type: "in", key: "half", value: ["x", i] })),
  ],
  ["keys that nothing has", { $or: 0, ...Object.fromEntries(numbers(255).map((i) => [`k${i}`, { $exists: false }])) }],
  ["booleans", all("or", (i) => ({ type: i % 2 ? "eq" : "ne", key: "on", value: i % 3 === 0 }))],
  ["in of all values", { tag: numbers(MAX_FILTER_VALUES).map((i) => `v${i}`) }],
  ["nin of all values", { tag: { $nin: numbers(MAX_FILTER_VALUES).map((i) => `v${i}`) } }],
  [
    "pairs with a selective part",
    {
      type: "or",
      filters: numbers(MAX_FILTER_COMPARISONS / 2).map((i) => ({
        type: "and",
        filters: [
          { type: "lt", key: "at", value: 3e6 + i },
          { type: "gte", key: "tag", value: `v${i}` },
        ],
      })),
    },
  ],
  ["nested as deep as may be", nested(0)],
  ["chains as deep as may be", all("or", (i) => chained({ type: "ne", key: "at", value: i }, MAX_FILTER_DEPTH - 1))],
  ["the same over and over", all("or", () => ({ type: "in", key: "group", value: groups(EACH, 0) }))],
])(
  "answers %s over 100,000 files in no time",
  (_name, sent) => {
    const filter = parseFilter(sent);
    isCheap(() => void index.evaluate(filter));
  },
  60_000,
);

const MANY = 300_000;
const many = () =>
  JSON.parse(
    `{${numbers(MANY)
      .map((i) => `"k${i}":${i}`)
      .join()}}`,
  ) as Json;
const nothings = () => numbers(MANY).map(() => ({}));

test.each<[name: string, sent: () => Json]>([
  ["compounds of nothing", () => ({ type: "or", filters: nothings() })],
  ["compounds of nothing, deep inside", () => chained({ type: "and", filters: nothings() }, MAX_FILTER_DEPTH - 1)],
  ["equalities", many],
  ["values", () => ({ a: numbers(MANY) })],
  ["values that are none", () => ({ type: "nin", key: "a", value: nothings() })],
  ["values in lists together", () => all("or", () => ({ a: numbers(EACH + 10) }))],
  ["operators of one key", () => ({ a: { $eq: 1, ...many() } })],
  ["keys of a comparison", () => ({ type: "eq", key: "a", value: 1, ...many() })],
])(
  "refuses more %s than may be, however many, before anything is made of them",
  (_name, make) => {
    const sent = make();
    // A loop over an object's keys lists them all before its first turn.
    isCheap(() => expect(() => parseFilter(sent)).toThrow(AppError));
  },
  60_000,
);

/** How much longer the program takes than a map while its lines are counted (test/coverage.ts). */
const COUNTED = process.env["LECTERN_LINES_COUNTED"] === undefined ? 1 : 3;

/**
 * The best of several times, in time of the processor, which other work on the machine lengthens all the same: so the
 * bound is also some times what it takes, right before, to look for as many texts in a map.
 */
function isCheap(work: () => void): void {
  const ratios: number[] = [];
  for (let i = 0; i < 8 && !ratios.some((ratio) => ratio <= 1); i++) {
    const bound = COUNTED * Math.max(MOST_MS, 6 * cpuMs(lookUp));
    ratios.push(cpuMs(work) / bound);
  }
  expect(Math.min(...ratios)).toBeLessThanOrEqual(1);
}

const texts = new Map(numbers(FILES).map((i) => [`text ${i}`, i]));
const asked = numbers(FILES).map((i) => `text ${i}`);

function lookUp(): void {
  let sum = 0;
  for (const text of asked) sum += texts.get(text) ?? 0;
  if (sum === 0) throw new Error("nothing was found");
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
