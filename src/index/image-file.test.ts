import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import type { Attributes, Filter } from "./filter.ts";
import { ImageFileWriter, openImage } from "./image-file.ts";
import { type IndexedChunk, type IndexedFile, StoreIndex } from "./store-index.ts";

const DIMENSIONS = 24;
const WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu Zürich naïve 2024 ORA-00942".split(
  " ",
);
const IDENTITY = { store: "vs_1", generation: 1 };

/** What a database would hold: files by key, and their chunks' vectors. */
class Rows {
  readonly files = new Map<number, IndexedFile>();
  readonly #vectors = new Map<number, Float32Array>();
  readonly #random: SeededRandom;
  readonly #shares: boolean;
  /** Of the chunks with attributes of their own. */
  readonly #ownShare: number;
  #nextChunk = 1;

  constructor(random: SeededRandom, shares: boolean) {
    this.#random = random;
    this.#shares = shares;
    this.#ownShare = random.pick([0, 0.1, 1]);
  }

  get options() {
    const fetchVectors = (ids: readonly number[]) => ids.map((id) => this.#vectors.get(id) ?? null);
    return { dimensions: DIMENSIONS, nextShare: this.#shares ? 0.1 : 0, fetchVectors };
  }

  /** All that is there, read into a new index. */
  loaded(): StoreIndex {
    const index = new StoreIndex(this.options);
    for (const file of this.files.values()) index.addFile(file);
    return index;
  }

  /** A write, as a database and an open index get it. */
  write(index: StoreIndex): void {
    const random = this.#random;
    const key = random.below(80);
    const action = random();
    const known = this.files.get(key);
    if (action < 0.55) this.add(index, key);
    else if (action < 0.75) {
      this.files.delete(key);
      index.removeFile(key);
    } else if (action < 0.9) {
      const attributes = this.#attributes();
      if (known !== undefined) this.files.set(key, { ...known, attributes });
      index.setAttributes(key, attributes);
    } else {
      const more = this.#chunks(1 + random.below(3), known?.chunks.at(-1));
      if (known !== undefined) this.files.set(key, { ...known, chunks: [...known.chunks, ...more] });
      index.addChunks(key, more);
    }
  }

  add(index: StoreIndex, key: number): void {
    const file = this.#newFile(key);
    this.files.set(key, file);
    index.addFile(file);
  }

  #newFile(fileKey: number): IndexedFile {
    const random = this.#random;
    const filename = `${random.pick(WORDS)}-${fileKey % 7}.txt`;
    const fileId = `file-${fileKey}`;
    return { fileKey, fileId, filename, attributes: this.#attributes(), chunks: this.#chunks(random.below(6)) };
  }

  #attributes(): Attributes {
    const random = this.#random;
    const attributes: Record<string, string | number | boolean> = { n: random.below(1000) / 4, even: random() < 0.5 };
    if (random() < 0.5) attributes["tag"] = random.pick(WORDS);
    if (random() < 0.2) attributes["lone \ud800 surrogate"] = "\udc00 and a \u{1f600}";
    return attributes;
  }

  #chunks(count: number, before?: IndexedChunk): IndexedChunk[] {
    const random = this.#random;
    const chunks: IndexedChunk[] = [];
    for (let i = 0; i < count; i++) {
      const last = chunks.at(-1) ?? before;
      const most = last === undefined ? 0 : last.vectors.length / DIMENSIONS + (last.shared ?? 0);
      const shared = this.#shares ? random.below(most + 1) : 0;
      const vectors = random.vector(DIMENSIONS * ((shared > 0 ? 0 : 1) + random.below(3)));
      const text = Array.from({ length: 3 + random.below(10) }, () => random.pick(WORDS)).join(" ");
      this.#vectors.set(this.#nextChunk, vectors);
      const terms = encodeTerms({ text, heading: [], title: "" });
      const own = random() < this.#ownShare ? { attributes: this.#attributes() } : {};
      chunks.push({ chunkId: this.#nextChunk++, terms, vectors, shared, ...own });
    }
    return chunks;
  }
}

const FILTERS: (Filter | null)[] = [
  null,
  { op: "lt", key: "n", value: 120 },
  { op: "eq", key: "even", value: true },
  { op: "gte", key: "tag", value: "eta" },
  { op: "in", key: "filename", value: ["Zürich-1.txt", "mu-2.txt", "2024-3.txt"] },
  { op: "gt", key: "file_id", value: "file-4" },
  { op: "eq", key: "lone \ud800 surrogate", value: "\udc00 and a \u{1f600}" },
  { op: "ne", key: "tag", value: "beta" },
];

/** Everything that one index answers is what the other does: all chunks of each leg, with their scores. */
function expectSame(index: StoreIndex, fresh: StoreIndex, random: SeededRandom): void {
  const { files, chunks, vectors } = fresh.stats;
  expect(index.stats).toMatchObject({ files, chunks, vectors });
  const vector = random.vector(DIMENSIONS);
  const terms = queryTerms(`${random.pick(WORDS)} ${random.pick(WORDS)}`);
  for (const filter of FILTERS) {
    const request = { vector, terms, filter, depth: 1000 };
    const [one, other] = [index.search(request), fresh.search(request)];
    expect(one.matched).toEqual(other.matched);
    const sorted = (answer: typeof one) =>
      answer.candidates
        .map(({ chunkId, fileKey, vectorScore, keywordScore, evidence }) =>
          [chunkId, fileKey, vectorScore?.toFixed(5), keywordScore?.toFixed(4), evidence.toFixed(4)].join(),
        )
        .toSorted();
    expect(sorted(one)).toEqual(sorted(other));
    const firsts = (answer: typeof one) => answer.vector.slice(0, 8).map(({ score }) => score.toFixed(5));
    expect(firsts(one)).toEqual(firsts(other));
  }
}

let dir: TempDir;
let path: string;
beforeEach(() => {
  dir = tempDir();
  path = dir.join("gen-1.image");
});
afterEach(() => dir[Symbol.dispose]());

function write(index: StoreIndex, identity = IDENTITY): number {
  const image = ImageFileWriter.create(path, identity);
  index.writeTo(image);
  return image.finish();
}

async function opened(rows: Rows): Promise<StoreIndex> {
  const result = await openImage(path, IDENTITY);
  if (!result.ok) throw new Error(result.detail);
  return StoreIndex.from(rows.options, result.image);
}

describe.each([
  ["their own windows", false],
  ["windows that they share", true],
] as const)("of chunks with %s", (_, shares) => {
  test.each([1, 2, 3])(
    "an index from an image is the index that was written, and stays right (seed %d)",
    async (seed) => {
      const random = seededRandom(seed);
      const rows = new Rows(random, shares);
      const first = new StoreIndex(rows.options);
      for (let i = 0; i < random.below(300); i++) rows.write(first);
      write(rows.loaded());
      const index = await opened(rows);
      expectSame(index, rows.loaded(), random);
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 25; i++) rows.write(index);
        expectSame(index, rows.loaded(), random);
      }
      // What was written to the index is not in the file.
      const again = await openImage(path, IDENTITY);
      expect(again.ok).toBe(true);
    },
  );
});

test("an image that grew is written again as it is then", async () => {
  const random = seededRandom(7);
  const rows = new Rows(random, true);
  for (let round = 0; round < 4; round++) {
    const index = round === 0 ? new StoreIndex(rows.options) : await opened(rows);
    for (let i = 0; i < 30; i++) rows.add(index, round * 30 + i);
    write(index);
  }
  const index = await opened(rows);
  expectSame(index, rows.loaded(), random);
  for (let i = 0; i < 100; i++) rows.write(index);
  expectSame(index, rows.loaded(), random);
});

test("an index that something was removed from is not written, and nothing is left of the attempt", () => {
  const rows = new Rows(seededRandom(8), false);
  const index = new StoreIndex(rows.options);
  for (let i = 0; i < 30; i++) rows.write(index);
  for (const key of rows.files.keys()) index.removeFile(key);
  const image = ImageFileWriter.create(path, IDENTITY);
  expect(() => index.writeTo(image)).toThrow("removed");
  image.discard();
  expect([existsSync(path), existsSync(`${path}.tmp`)]).toEqual([false, false]);
});

describe("an image is not believed that", () => {
  let bytes: number;
  beforeEach(() => {
    const rows = new Rows(seededRandom(9), true);
    const index = new StoreIndex(rows.options);
    for (let i = 0; i < 200; i++) rows.write(index);
    bytes = write(rows.loaded());
  });
  const reasonOf = async (identity = IDENTITY) => {
    const result = await openImage(path, identity);
    return result.ok ? null : result.reason;
  };

  test("has one other bit, wherever it is", async () => {
    const whole = readFileSync(path);
    const random = seededRandom(10);
    const places = [0, 8, 16, 24, 40, 56, 63, 64, bytes - 1, ...Array.from({ length: 60 }, () => random.below(bytes))];
    for (const place of places) {
      const damaged = Buffer.from(whole);
      damaged[place]! ^= 1 << random.below(8);
      writeFileSync(path, damaged);
      expect([place, await reasonOf()]).toEqual([place, "damaged"]);
    }
    writeFileSync(path, whole);
    expect(await reasonOf()).toBeNull();
  });

  test("is shorter or longer, or empty", async () => {
    for (const size of [bytes + 1, bytes - 1, bytes >> 1, 64, 63, 1, 0]) {
      truncateSync(path, size);
      expect([size, await reasonOf()]).toEqual([size, "damaged"]);
    }
  });

  test("and one that was replaced while it was opened is not taken for a damaged one", async () => {
    const rows = new Rows(seededRandom(11), true);
    const images = [20, 40].map((files) => {
      const index = rows.loaded();
      for (let key = 0; key < files; key++) rows.add(index, key);
      write(rows.loaded());
      return readFileSync(path);
    });
    const reasons = new Set<string | null>();
    for (let i = 0; i < 200; i++) {
      const reason = reasonOf();
      // Of another length, before it is opened, while it is, or after.
      for (let turn = 0; turn < i % 8; turn++) await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(`${path}.new`, images[i % 2]!);
      renameSync(`${path}.new`, path);
      reasons.add(await reason);
    }
    expect([...reasons].filter((reason) => reason !== null && reason !== "missing")).toEqual([]);
  });

  test("is of something else, or not there", async () => {
    expect(await reasonOf({ ...IDENTITY, generation: 2 })).toBe("other-identity");
    expect(await reasonOf({ generation: 1, store: "vs_1" })).toBeNull();
    path += "x";
    expect(await reasonOf()).toBe("missing");
  });
});
