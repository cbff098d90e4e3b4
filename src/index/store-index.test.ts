import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { loadVectors } from "../platform/native.ts";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { PartBuilder } from "./builder.ts";
import { type Filter, matchesFilter, type Scalar } from "./filter.ts";
import { nextSerial, type PartEntry, publishManifest } from "./generation.ts";
import { partsAfter } from "./graph-work.ts";
import { DEFAULT_GRAPH_SETTINGS } from "./hnsw.ts";
import { openGraph } from "./open-graph.ts";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";
import { type IndexedChunk, type IndexedFile, StoreIndex } from "./store-index.ts";
import { TermBlobError } from "./term-blob.ts";
import { VectorRejectedError } from "./vector-input.ts";

const DIMENSIONS = 24;
const WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu".split(" ");

/** Whether chunks share windows with those before them, and what the next best windows of a chunk count. */
interface Form {
  shares: boolean;
  nextShare: number;
}

const OWN: Form = { shares: false, nextShare: 0 };

/** What SQLite would hold: files by key, chunks by id. */
class Model {
  readonly files = new Map<number, IndexedFile>();
  readonly texts = new Map<number, string>();
  #nextChunk = 1;
  #random: SeededRandom;
  readonly #form: Form;

  constructor(random: SeededRandom, form = OWN) {
    this.#random = random;
    this.#form = form;
  }

  get shares(): boolean {
    return this.#form.shares;
  }

  readonly fetchVectors = (ids: readonly number[]): (Float32Array | null)[] => {
    const byId = new Map([...this.files.values()].flatMap((file) => file.chunks.map((c) => [c.chunkId, c.vectors])));
    return ids.map((id) => byId.get(id) ?? null);
  };

  /** A chunk that shares some of the last windows of the one before it, and may bring none. */
  newChunk(before?: IndexedChunk): IndexedChunk {
    const random = this.#random;
    const text = Array.from({ length: 3 + random.below(10) }, () => random.pick(WORDS)).join(" ");
    const most = before === undefined ? 0 : before.vectors.length / DIMENSIONS + (before.shared ?? 0);
    const shared = this.#form.shares && most > 0 ? random.below(most + 1) : 0;
    const vectors = random.vector(DIMENSIONS * ((shared > 0 ? 0 : 1) + random.below(3)));
    this.texts.set(this.#nextChunk, text);
    return { chunkId: this.#nextChunk++, terms: encodeTerms({ text, heading: [], title: "" }), vectors, shared };
  }

  newChunks(count: number, before?: IndexedChunk): IndexedChunk[] {
    const chunks: IndexedChunk[] = [];
    for (let i = 0; i < count; i++) chunks.push(this.newChunk(chunks.at(-1) ?? before));
    return chunks;
  }

  newFile(fileKey: number): IndexedFile {
    const random = this.#random;
    const attributes: Record<string, Scalar> = { n: random.below(10) };
    if (random() < 0.5) attributes["tag"] = random.pick(WORDS);
    const chunks = this.newChunks(random.below(6));
    const file = { fileKey, fileId: `file-${fileKey}`, filename: `${fileKey % 4}.txt`, attributes, chunks };
    this.files.set(fileKey, file);
    return file;
  }

  /** Chunk id -> cosine of its best window, less what its next best ones take of it, of the files that the filter keeps. */
  cosines(query: Float32Array, filter: Filter | null): Map<number, number> {
    const scores = new Map<number, number>();
    for (const file of this.files.values()) {
      if (filter !== null && !matchesFilter(filter, file)) continue;
      const sequence: number[] = [];
      for (const { chunkId, vectors, shared } of file.chunks) {
        const [begin, own] = [sequence.length - (shared ?? 0), cosinesOf(query, vectors)];
        sequence.push(...own);
        const [best = -1, ...next] = sequence.slice(begin).sort((a, b) => b - a);
        const taken = next.slice(0, 3).map((one, rank) => this.#form.nextShare ** (rank + 1) * (best - one));
        scores.set(
          chunkId,
          taken.reduce((score, part) => score - part, best),
        );
      }
    }
    return scores;
  }
}

function cosinesOf(query: Float32Array, windows: Float32Array): number[] {
  const cosines: number[] = [];
  for (let at = 0; at < windows.length; at += DIMENSIONS) {
    let [dot, qq, ww] = [0, 0, 0];
    for (let i = 0; i < DIMENSIONS; i++) {
      dot += query[i]! * windows[at + i]!;
      qq += query[i]! ** 2;
      ww += windows[at + i]! ** 2;
    }
    cosines.push(dot / Math.sqrt(qq * ww));
  }
  return cosines;
}

function randomWrite(random: SeededRandom, model: Model, index: StoreIndex): void {
  const key = random.below(60);
  const action = random();
  if (action < 0.5) index.addFile(model.newFile(key));
  else if (action < 0.75) {
    model.files.delete(key);
    index.removeFile(key);
  } else if (action < 0.9) {
    const file = model.files.get(key);
    const attributes = { n: random.below(10), extra: true };
    if (file !== undefined) model.files.set(key, { ...file, attributes });
    index.setAttributes(key, attributes);
  } else {
    const file = model.files.get(key);
    const more = model.newChunks(2, file?.chunks.at(-1));
    if (file !== undefined) model.files.set(key, { ...file, chunks: [...file.chunks, ...more] });
    index.addChunks(key, more);
  }
}

const FILTERS: (Filter | null)[] = [
  null,
  { op: "lt", key: "n", value: 5 },
  { op: "eq", key: "n", value: 3 },
  {
    op: "or",
    filters: [
      { op: "eq", key: "extra", value: true },
      { op: "in", key: "filename", value: ["1.txt"] },
    ],
  },
  { op: "eq", key: "file_id", value: "file-7" },
  { op: "ne", key: "tag", value: "beta" },
];

/** Every search of the index against the model. */
function expectRight(random: SeededRandom, model: Model, index: StoreIndex): void {
  const filter = random.pick(FILTERS);
  const vector = random.vector(DIMENSIONS);
  const words = random.pick(WORDS) + " " + random.pick(WORDS);
  const answer = index.search({ vector, terms: queryTerms(words), filter, depth: 8 });
  const cosines = model.cosines(vector, filter);
  const nearest = [...cosines].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 8);
  // Chunks that share all that counts come in any order.
  const named = (id: number) => (model.shares ? cosines.get(id)?.toFixed(6) : id);
  const hits = answer.vector.map((hit) => hit.chunkId);
  expect(hits.map(named)).toEqual(nearest.map(([id]) => named(id)));
  expect(new Set(hits).size).toBe(nearest.length);
  answer.vector.forEach((hit, i) => expect(hit.score).toBeCloseTo(nearest[i]![1], 4));
  const matching = [...cosines.keys()].filter((id) =>
    words.split(" ").some((w) => model.texts.get(id)!.split(" ").includes(w)),
  );
  expect(answer.keyword.length).toBe(Math.min(8, matching.length));
  for (const hit of answer.keyword) expect(matching).toContain(hit.chunkId);
  const kept = [...model.files.values()].filter((file) => filter === null || matchesFilter(filter, file));
  expect(answer.matched).toEqual({ files: kept.length, chunks: cosines.size });
  const ids = answer.candidates.map((candidate) => candidate.chunkId);
  expect(new Set(ids)).toEqual(new Set([...answer.vector, ...answer.keyword].map((hit) => hit.chunkId)));
  expect(new Set(ids).size).toBe(ids.length);
  for (const { chunkId, fileKey, vectorScore, keywordScore } of answer.candidates) {
    expect(Math.abs(vectorScore! - cosines.get(chunkId)!)).toBeLessThan(0.02);
    expect(keywordScore! > 0).toBe(matching.includes(chunkId));
    expect(keywordScore!).toBeLessThanOrEqual(answer.maxKeywordScore + 1e-5);
    expect(model.files.get(fileKey)!.chunks.some((chunk) => chunk.chunkId === chunkId)).toBe(true);
  }
}

const FORMS: [string, Form][] = [
  ["of their own", OWN],
  ["that they share", { shares: true, nextShare: 0 }],
];
const BLENDED: [string, Form] = ["that they share, the next best counting", { shares: true, nextShare: 0.1 }];

describe.each([...FORMS, BLENDED])("of chunks with windows %s", (_, form) => {
  test("every search agrees with brute force while files come, change, grow and go", () => {
    const random = seededRandom(2026);
    const model = new Model(random, form);
    const { nextShare } = form;
    const index = new StoreIndex({ dimensions: DIMENSIONS, nextShare, fetchVectors: model.fetchVectors });
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < 4; i++) randomWrite(random, model, index);
      expectRight(random, model, index);
    }
    const chunks = [...model.files.values()].flatMap((file) => file.chunks);
    expect(index.stats).toMatchObject({ files: model.files.size, chunks: chunks.length, used: "exact" });
  });
});

describe.each(FORMS)("of chunks with windows %s", (_, form) => {
  test("with a graph the same searches are right too: tail, deletions, growth and rebuild included", async () => {
    const temp = tempDir();
    const directory = temp.path;
    const random = seededRandom(31);
    const model = new Model(random, form);
    const index = new StoreIndex({ dimensions: DIMENSIONS, fetchVectors: model.fetchVectors, kind: "hnsw" });
    let parts: PartEntry[] = [];
    const identity = { test: true };
    const kinds = new Set<string>();
    let [extended, rebuilt, walked] = [0, 0, 0];
    try {
      for (let key = 1000; key < 1120; key++) index.addFile(model.newFile(key));
      for (let round = 0; round < 150; round++) {
        for (let i = 0; i < 3; i++) randomWrite(random, model, index);
        if (round % 3 === 0) {
          const key = 1000 + random.below(120);
          model.files.delete(key);
          index.removeFile(key);
        }
        if (round % 5 === 0) index.addFile(model.newFile(2000 + round));
        const work = index.graphWork();
        if (work !== null) {
          const serial = nextSerial(join(directory, "g"));
          const settings = DEFAULT_GRAPH_SETTINGS;
          const plan = {
            directory: join(directory, "g"),
            serial,
            dimensions: DIMENSIONS,
            settings,
            expected: 0,
            base: work.base,
          };
          const builder = await PartBuilder.start(loadVectors(), plan);
          for (const [i, vectors] of model.fetchVectors(work.chunkIds).entries()) {
            const windows = vectors!.length / DIMENSIONS;
            builder.add(new Float64Array(windows).fill(work.chunkIds[i]!), vectors!);
          }
          if (work.base !== null) extended++;
          if (work.replaces.length > 0) rebuilt++;
          parts = partsAfter(parts, work, builder.finish());
          publishManifest(join(directory, "g"), { identity, parts });
          const opened = await openGraph(loadVectors(), join(directory, "g"), identity, DIMENSIONS);
          if (!opened.ok) throw new Error(opened.detail);
          index.attachGraph(opened.graph);
        }
        expectRight(random, model, index);
        const { used } = index.search({ vector: random.vector(DIMENSIONS), terms: null, filter: null, depth: 3 });
        kinds.add(used);
        if (used === "hnsw") walked++;
        const { covered, tail, vectors } = index.stats;
        expect(covered + tail).toBe(vectors);
      }
      expect(extended + rebuilt).toBeGreaterThan(0);
      expect(rebuilt).toBeGreaterThan(0);
      expect(walked).toBeGreaterThan(form.shares ? 50 : 75);
      index.setKind("exact");
      expect(index.stats.used).toBe("exact");
      expect(index.graphWork()).toBeNull();
      expectRight(random, model, index);
    } finally {
      index.close();
      temp[Symbol.dispose]();
    }
  });
});

test("a refused file changes nothing", () => {
  const random = seededRandom(4);
  const model = new Model(random);
  const index = new StoreIndex({ dimensions: DIMENSIONS, fetchVectors: model.fetchVectors });
  const file = { ...model.newFile(1), chunks: [model.newChunk()] };
  index.addFile(file);
  const good = model.newChunk();
  const bad = { ...model.newChunk(), vectors: new Float32Array(DIMENSIONS).fill(Number.NaN) };
  expect(() => index.addFile({ ...file, chunks: [good, bad] })).toThrow(VectorRejectedError);
  expect(() => index.addFile({ ...file, chunks: [{ ...good, vectors: new Float32Array(7) }] })).toThrow(
    VectorRejectedError,
  );
  expect(() => index.addChunks(1, [{ ...good, terms: new Uint8Array(3) }])).toThrow(TermBlobError);
  expect(() => index.search({ vector: new Float32Array(3), terms: null, filter: null, depth: 1 })).toThrow(
    VectorRejectedError,
  );
  const answer = index.search({ vector: random.vector(DIMENSIONS), terms: null, filter: null, depth: 5 });
  expect(answer.vector.map((hit) => hit.chunkId)).toEqual([file.chunks[0]!.chunkId]);
});

test("an empty index answers every kind of search with nothing", () => {
  const index = new StoreIndex({ dimensions: 3, fetchVectors: () => [] });
  const nothing = { vector: [], keyword: [], candidates: [], matched: { files: 0, chunks: 0 } };
  for (const filter of FILTERS) {
    expect(index.search({ vector: Float32Array.of(1, 0, 0), terms: queryTerms("x"), filter, depth: 5 })).toMatchObject(
      nothing,
    );
  }
  expect(index.search({ vector: null, terms: null, filter: null, depth: 5 })).toMatchObject({
    ...nothing,
    used: "none",
  });
});

test("one leg alone gives candidates without the other's score", () => {
  const random = seededRandom(6);
  const model = new Model(random);
  const index = new StoreIndex({ dimensions: DIMENSIONS, fetchVectors: model.fetchVectors });
  for (let key = 0; key < 20; key++) index.addFile(model.newFile(key));
  const vectorOnly = index.search({ vector: random.vector(DIMENSIONS), terms: null, filter: null, depth: 4 });
  expect(vectorOnly.candidates.map((c) => c.keywordScore)).toEqual([null, null, null, null]);
  const keywordOnly = index.search({ vector: null, terms: queryTerms("alpha"), filter: null, depth: 4 });
  expect(keywordOnly.candidates.map((c) => c.vectorScore)).toEqual([null, null, null, null]);
  expect(keywordOnly.used).toBe("none");
});
