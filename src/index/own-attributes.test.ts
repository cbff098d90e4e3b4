import { expect, test } from "bun:test";
import { encodeTerms } from "./analyzer.ts";
import { AttributeIndex } from "./attributes.ts";
import { FileTable } from "./file-table.ts";
import { type Attributes, type Filter, matchesFilter, type Scalar } from "./filter.ts";
import { OwnAttributes } from "./own-attributes.ts";
import { type IndexedChunk, StoreIndex } from "./store-index.ts";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";

const KEYS = ["a", "b", "c", "rare", "file_id", "file_ids", "filename", "missing"];
const VALUES: readonly Scalar[] = [0, 1, 2, 2.5, -7, "1", "", "x", "y", "\uff5a", "\u{1f600}", true, false, "f3", "n2"];
const OPS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "and", "or"] as const;
const TERMS = encodeTerms({ text: "word", heading: [], title: "" });

interface KnownFile {
  fileId: string;
  filename: string;
  attributes: Attributes;
  chunks: { id: number; own: Attributes | null }[];
}

function randomFilter(random: SeededRandom, op: (typeof OPS)[number], depth: number): Filter {
  const key = random.pick(KEYS);
  if (op === "and" || op === "or") {
    const filters = Array.from({ length: random.below(4) }, () =>
      randomFilter(random, random.pick(OPS.slice(0, depth > 0 ? 11 : 9)), depth - 1),
    );
    return { op, filters };
  }
  if (op === "exists") return { op, key, value: random() < 0.5 };
  if (op === "in" || op === "nin") {
    const length = random() < 0.2 ? 12 : random.below(4);
    return { op, key, value: Array.from({ length }, () => random.pick(VALUES)) };
  }
  return { op, key, value: random.pick(VALUES) };
}

function randomAttributes(random: SeededRandom, share: number): Attributes {
  const attributes: Record<string, Scalar> = {};
  for (const key of KEYS.slice(0, 7)) if (random() < share) attributes[key] = random.pick(VALUES);
  if (random() < 0.9) delete attributes["rare"];
  return attributes;
}

/** Ids of the chunks that a filter means, one by one. */
function meant(files: ReadonlyMap<number, KnownFile>, filter: Filter): number[] {
  const found: number[] = [];
  for (const { fileId, filename, attributes, chunks } of files.values())
    for (const { id, own } of chunks)
      if (matchesFilter(filter, { fileId, filename, attributes: { ...attributes, ...own } })) found.push(id);
  return found.sort((a, b) => a - b);
}

const kept = (index: StoreIndex, filter: Filter): number[] =>
  index.chunksKept(filter, { above: 0, below: Infinity, direction: "ASC", limit: 100_000 }).sort((a, b) => a - b);

const newIndex = () => new StoreIndex({ dimensions: 1, fetchVectors: (ids) => ids.map(() => null) });

test("every operator keeps the chunks that it means, while files and chunks come, change and go", () => {
  const random = seededRandom(17);
  const index = newIndex();
  const files = new Map<number, KnownFile>();
  let nextChunk = 1;
  const newChunk = (): IndexedChunk & { own: Attributes | null } => {
    const own = random() < 0.6 ? randomAttributes(random, 0.4) : null;
    return { chunkId: nextChunk++, terms: TERMS, vectors: Float32Array.of(1), attributes: own, own };
  };
  const change = (key: number): void => {
    const [file, dice] = [files.get(key), random()];
    if (file === undefined || dice < 0.2) {
      const chunks = Array.from({ length: random.below(6) }, newChunk);
      const fresh = { fileId: `f${key}`, filename: `n${key % 5}`, attributes: randomAttributes(random, 0.5) };
      index.addFile({ fileKey: key, ...fresh, chunks });
      files.set(key, { ...fresh, chunks: chunks.map(({ chunkId, own }) => ({ id: chunkId, own })) });
    } else if (dice < 0.55) {
      const chunks = Array.from({ length: random.below(4) }, newChunk);
      index.addChunks(key, chunks);
      file.chunks.push(...chunks.map(({ chunkId, own }) => ({ id: chunkId, own })));
    } else if (dice < 0.8) {
      file.attributes = randomAttributes(random, 0.5);
      index.setAttributes(key, file.attributes);
    } else {
      index.removeFile(key);
      files.delete(key);
    }
  };
  for (let round = 0; round < 120; round++) {
    for (let i = 0; i < 4; i++) change(1 + random.below(25));
    for (const op of OPS) {
      const filter = randomFilter(random, op, 2);
      const expected = meant(files, filter);
      expect(kept(index, filter), JSON.stringify(filter)).toEqual(expected);
      const { matched } = index.search({ vector: Float32Array.of(1), terms: null, filter, depth: 5 });
      expect(matched.chunks).toBe(expected.length);
    }
  }
});

test("matched files are those of which something is kept", () => {
  const index = newIndex();
  const chunk = (chunkId: number, attributes: Attributes | null): IndexedChunk => ({
    chunkId,
    terms: TERMS,
    vectors: Float32Array.of(1),
    attributes,
  });
  const file = (fileKey: number, attributes: Attributes, chunks: IndexedChunk[]) =>
    index.addFile({ fileKey, fileId: `f${fileKey}`, filename: "n", attributes, chunks });
  file(1, { kind: "x" }, [chunk(1, { kind: "y" }), chunk(2, { kind: "z" })]);
  file(2, { kind: "x" }, [chunk(3, { kind: "y" }), chunk(4, null)]);
  file(3, { kind: "x" }, []);
  file(4, { kind: "y" }, [chunk(5, { other: 1 })]);
  const matched = (value: string) =>
    index.search({ vector: Float32Array.of(1), terms: null, filter: { op: "eq", key: "kind", value }, depth: 9 })
      .matched;
  expect(["x", "y", "z"].map(matched)).toEqual([
    { files: 2, chunks: 1 },
    { files: 3, chunks: 3 },
    { files: 1, chunks: 1 },
  ]);
});

test("a key keeps its meaning while the chunks that have it are few, become many and become few again", () => {
  const [table, random] = [new FileTable(), seededRandom(5)];
  const attributes = new AttributeIndex();
  const own = new OwnAttributes(attributes, table);
  const file = table.addFile(1);
  attributes.set(file, { fileId: "f", filename: "n", attributes: {} });
  const has = new Map<number, number>();
  const agree = (): void => {
    for (const value of [3, 40]) {
      const below = [...has].filter(([, n]) => n < value).map(([chunk]) => chunk);
      expect([...own.evaluate({ op: "lt", key: "n", value }).toArray()]).toEqual(below.sort((a, b) => a - b));
    }
  };
  const add = (key: string): void => {
    const [chunk, value] = [table.addChunk(file, 1), random.below(100)];
    own.set(chunk, { [key]: value });
    if (key === "n") has.set(chunk, value);
  };
  for (let i = 0; i < 200; i++) add("n");
  agree();
  for (let i = 0; i < 2000; i++) add("n");
  agree();
  for (const chunk of [...has.keys()].slice(100)) {
    own.delete(chunk);
    has.delete(chunk);
  }
  for (let i = 0; i < 8000; i++) add("m");
  add("n");
  agree();
  expect(own.get([...has.keys()][0]!)).toEqual({ n: has.get([...has.keys()][0]!)! });
});

test("what chunks with keys of their own take follows what they have, not how many there are", () => {
  const [table, attributes] = [new FileTable(), new AttributeIndex()];
  const own = new OwnAttributes(attributes, table);
  const file = table.addFile(1);
  attributes.set(file, { fileId: "f", filename: "n", attributes: {} });
  const chunks = Array.from({ length: 20_000 }, (_, i) => table.addChunk(file, i + 1));
  for (const chunk of chunks.slice(-2000)) own.set(chunk, { [`key${chunk}`]: chunk });
  expect(own.byteLength / 2000).toBeLessThan(1500);
  for (const chunk of chunks.slice(-2000)) own.delete(chunk);
  expect([own.count, own.get(chunks.at(-1)!)]).toEqual([0, null]);
  expect(own.evaluate({ op: "exists", key: "key19999", value: false }).count()).toBe(0);
});

test("a filter does not keep a chunk that shares a window with one that it keeps", () => {
  const index = new StoreIndex({ dimensions: 2, fetchVectors: (ids) => ids.map(() => null) });
  const chunk = (chunkId: number, own: Attributes | null, shared: number) => ({
    chunkId,
    terms: TERMS,
    vectors: Float32Array.of(1, chunkId),
    shared,
    attributes: own,
  });
  const chunks = [chunk(1, null, 0), chunk(2, { a: 2 }, 1), chunk(3, null, 1)];
  index.addFile({ fileKey: 1, fileId: "f", filename: "n", attributes: { a: 1 }, chunks });
  // Of many more, so that those that are kept are looked up one by one.
  const others = Array.from({ length: 20 }, (_, i) => chunk(i + 4, null, 0));
  index.addFile({ fileKey: 2, fileId: "g", filename: "n", attributes: { a: 3 }, chunks: others });
  const found = index.search({
    vector: Float32Array.of(1, 0),
    terms: null,
    filter: { op: "eq", key: "a", value: 1 },
    depth: 10,
  });
  expect(found.vector.map(({ chunkId }) => chunkId)).toEqual([1, 3]);
});
