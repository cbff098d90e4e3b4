import { afterEach, beforeEach, expect, test } from "bun:test";
import { closeSync, openSync, rmSync, statSync, truncateSync, utimesSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { ImageFileWriter, openImage } from "./image-file.ts";
import { answerOfIntact } from "./intact.ts";
import { IndexRegistry } from "./registry.ts";
import { type IndexedFile, StoreIndex } from "./store-index.ts";

const DIMENSIONS = 8;
const FILES = 700;
const IDENTITY = { store: "vs_1", generation: 1 };
const OPTIONS = { dimensions: DIMENSIONS, fetchVectors: (ids: readonly number[]) => ids.map(() => null) };
const QUESTION = { vector: null, terms: queryTerms("rare7 common"), filter: null, depth: 50 };

const fileOf = (fileKey: number): IndexedFile => ({
  fileKey,
  fileId: `file-${fileKey}`,
  filename: `name-${fileKey}.txt`,
  attributes: { n: fileKey },
  chunks: [
    {
      chunkId: fileKey,
      terms: encodeTerms({ text: `common rare${fileKey % 100} own${fileKey}`, heading: [], title: "" }),
      vectors: Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(fileKey * (i + 1))),
    },
  ],
});

/** What the database has. */
let files: Set<number>;
let dir: TempDir;
let path: string;
let opened: number;
let loaded: number;
let registry: IndexRegistry;

const fresh = (): StoreIndex => {
  const index = new StoreIndex(OPTIONS);
  for (const key of files) index.addFile(fileOf(key));
  return index;
};
const answerOf = (index: StoreIndex) => index.search(QUESTION).candidates.map(({ chunkId }) => chunkId);
const acquire = () => registry.acquire("vs_1", 1);
const ask = async () => {
  using lease = await acquire();
  return await answerOfIntact(lease, acquire, answerOf);
};

beforeEach(() => {
  files = new Set(Array.from({ length: FILES }, (_, i) => i + 1));
  dir = tempDir();
  path = dir.join("gen-1.image");
  const image = ImageFileWriter.create(path, IDENTITY);
  fresh().writeTo(image);
  image.finish();
  [opened, loaded] = [0, 0];
  registry = new IndexRegistry({
    budgetBytes: 1e9,
    async load() {
      const result = await openImage(path, IDENTITY);
      if (result.ok) opened++;
      else loaded++;
      return result.ok ? StoreIndex.from(OPTIONS, result.image) : fresh();
    },
  });
});
afterEach(() => {
  registry.close();
  dir[Symbol.dispose]();
});

function overwrite(value: number, from: number, bytes: number): void {
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(bytes).fill(value), 0, bytes, from);
  closeSync(file);
}

const DAMAGES: [string, () => void][] = [
  ["is cut to nothing", () => truncateSync(path, 0)],
  ["is cut in half", () => truncateSync(path, statSync(path).size >> 1)],
  ["is cut by a page's part", () => truncateSync(path, statSync(path).size - 5_000)],
  ["is written over with zeros", () => overwrite(0, 0, statSync(path).size)],
  ["has other bytes in one place", () => overwrite(255, statSync(path).size >> 1, 100)],
  [
    "has another length for a moment",
    () => {
      const { size } = statSync(path);
      truncateSync(path, 4_096);
      truncateSync(path, size);
    },
  ],
];

test.each(DAMAGES)("an index whose file %s answers as it would from the database", async (_, damage) => {
  const before = await ask();
  expect([before.length, opened, loaded]).toEqual([50, 1, 0]);
  damage();
  expect(await ask()).toEqual(before);
  expect([opened, loaded]).toEqual([1, 1]);
});

test.each(DAMAGES)("and so does a question that is under way while it %s", async (_, damage) => {
  const before = await ask();
  using lease = await acquire();
  let asked = 0;
  const answer = await answerOfIntact(lease, acquire, (index) => {
    if (asked++ === 0) damage();
    return answerOf(index);
  });
  expect(answer).toEqual(before);
  expect([asked, opened, loaded]).toEqual([2, 1, 1]);
});

test.each(DAMAGES)("no write is lost that comes after the file %s", async (_, damage) => {
  await ask();
  damage();
  for (const key of [7, 107, 699]) {
    files.delete(key);
    registry.apply("vs_1", 1, (index) => index.removeFile(key));
  }
  files.add(5_007);
  registry.apply("vs_1", 1, (index) => index.addFile(fileOf(5_007)));
  expect(await ask()).toEqual(answerOf(fresh()));
});

test("a write during which the file is cut short ends, whatever it found", async () => {
  using lease = await acquire();
  for (const key of [7, 107, 699]) {
    files.delete(key);
    registry.apply("vs_1", 1, (index) => {
      truncateSync(path, 0);
      index.removeFile(key);
    });
  }
  expect(lease.index.isIntact).toBe(false);
  expect(await ask()).toEqual(answerOf(fresh()));
});

test("a file that only says that it was changed is looked at once more, and used", async () => {
  const before = await ask();
  utimesSync(path, new Date(1), new Date(1));
  expect(await ask()).toEqual(before);
  expect([opened, loaded]).toEqual([2, 0]);
});

test("a file that is gone does no harm to those who have it", async () => {
  const before = await ask();
  rmSync(path);
  expect(await ask()).toEqual(before);
  expect([opened, loaded]).toEqual([1, 0]);
});

test("an error that is no matter of the file is the caller's", async () => {
  using lease = await acquire();
  const failing = answerOfIntact(lease, acquire, () => {
    throw new Error("a question that nobody can answer");
  });
  expect(failing).rejects.toThrow("nobody can answer");
});

test("where every try is disturbed it ends with an error", async () => {
  using lease = await acquire();
  let touched = 1;
  const asking = answerOfIntact(lease, acquire, () => utimesSync(path, new Date(1), new Date(++touched * 1_000)));
  expect(asking).rejects.toThrow("changed again and again");
  await asking.catch(() => {});
  expect(opened).toBe(5);
});

test("pages that others mapped are no matter of ours: there a process ends as it would without", async () => {
  const program = `
    import { truncateSync, writeFileSync } from "node:fs";
    import { vectorAddon } from ${JSON.stringify(join(import.meta.dir, "../platform/native.ts"))};
    const [, , ours, theirs] = process.argv;
    const bytes = 1 << 20;
    for (const file of [ours, theirs]) writeFileSync(file, new Uint8Array(bytes).fill(7));
    const mapping = vectorAddon().mapFile(ours, bytes);
    const view = Bun.mmap(theirs, { shared: false });
    truncateSync(ours, 0);
    console.log("ours", new Uint8Array(mapping)[9000], vectorAddon().isIntact(mapping));
    truncateSync(theirs, 0);
    console.log("theirs", view[9000]);`;
  const script = dir.join("program.ts");
  await Bun.write(script, program);
  const child = Bun.spawn([process.execPath, script, dir.join("ours"), dir.join("theirs")], {
    stdout: "pipe",
    stderr: "ignore",
  });
  expect(await child.stdout.text()).toBe("ours 0 false\n");
  expect(await child.exited).not.toBe(0);
});
