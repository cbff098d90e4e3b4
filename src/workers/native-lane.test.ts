import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { crossEncoderFolder, randomCrossEncoder } from "../embed/testing/cross-encoders.ts";
import { type FolderFiles, SMALL_SHAPE, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";
import { unpackNatives } from "../platform/native.ts";
import { NativeLanes } from "./native-lane.ts";
import type { ModelSource } from "./protocol.ts";

setDefaultTimeout(60_000);

const NEVER = new AbortController().signal;

/** What it rejects with. Awaited outside of `expect(…).rejects`, which keeps messages of workers from arriving. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

const dir = tempDir();
const model: ModelSource = { type: "directory", path: dir.join("model") };
const broken: ModelSource = { type: "directory", path: dir.join("broken") };
let lanes: NativeLanes;

function writeFolder(path: string, files: FolderFiles): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
}

beforeAll(async () => {
  const folder = transformerFolder(randomTransformer(SMALL_SHAPE));
  writeFolder(model.path, folder);
  writeFolder(broken.path, { ...folder, "tokenizer.json": "{}" });
  writeFolder(dir.join("reranker"), crossEncoderFolder(randomCrossEncoder({ ...SMALL_SHAPE, seed: 2 })));
  const natives = await unpackNatives(dir.path);
  lanes = new NativeLanes({ natives, ingestWorkers: 2, queryThreads: 1, rerankThreads: 1 });
});
afterAll(async () => {
  await lanes[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

describe("a model", () => {
  test("says what it is when it is loaded, or what is wrong with its folder", async () => {
    const loaded = await lanes.load("m", model);
    expect(loaded).toMatchObject({ ok: true, info: { id: "m", dimensions: 16, location: "local" } });
    const failed = await lanes.load("b", broken);
    expect(failed.ok ? [] : failed.problems).not.toEqual([]);
    const gone = lanes.load("n", { type: "directory", path: dir.join("nowhere") });
    expect(String(await rejection(gone))).toContain("ENOENT");
  });

  test("gives texts their vectors in order, however they are cut into calls", async () => {
    const long = "the big red house and the small blue tree . ".repeat(300);
    const texts = ["the cat sat", long, "a dog", long, "rain and sun"];
    const together = await lanes.embed("ingest", "m", model, texts, "passage", NEVER);
    expect(together.map(({ windows }) => windows > 1)).toEqual([false, true, false, true, false]);
    for (const [i, { vectors, windows, tokens }] of together.entries()) {
      expect(vectors).toHaveLength(windows * 16);
      expect(tokens).toBeGreaterThan(2);
      const [alone] = await lanes.embed("query", "m", model, [texts[i] ?? ""], "passage", NEVER);
      const furthest = Math.max(...vectors.map((value, at) => Math.abs(value - (alone?.vectors[at] ?? Infinity))));
      expect(furthest).toBeLessThan(1e-4);
    }
    expect(await lanes.embed("ingest", "m", model, [], "passage", NEVER)).toEqual([]);
  });

  test("that fails in one call fails the whole, with its reason", async () => {
    expect(await rejection(lanes.embed("query", "b", broken, ["the cat"], "query", NEVER))).toBeInstanceOf(Error);
    const aborted = lanes.embed("query", "m", model, ["the cat"], "query", AbortSignal.abort());
    expect(await rejection(aborted)).toMatchObject({ name: "WorkerCallError", reason: "aborted" });
  });

  test("is forgotten where it is open, and opened again when it is needed", async () => {
    await lanes.unload("m");
    await lanes.unload("never loaded");
    expect(await lanes.embed("query", "m", model, ["the cat"], "query", NEVER)).toHaveLength(1);
  });

  test("is forgotten by a worker that had something else to do, too", async () => {
    const gone: ModelSource = { type: "directory", path: dir.join("gone") };
    writeFolder(gone.path, transformerFolder(randomTransformer(SMALL_SHAPE)));
    const long = "the big red house and the small blue tree . ".repeat(300);
    const both = (text: string) => [1, 2].map(() => lanes.embed("ingest", "gone", gone, [text], "passage", NEVER));
    await Promise.all(both(long));
    // What is open needs no files; what is opened again does.
    rmSync(gone.path, { recursive: true });
    const busy = lanes.embed("ingest", "m", model, [long], "passage", NEVER);
    await Promise.all([lanes.unload("gone"), lanes.unload("never loaded"), busy]);
    expect((await Promise.allSettled(both("the cat"))).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

test("an ingest worker that nobody asks closes its model, a query worker keeps it", async () => {
  const leaving: ModelSource = { type: "directory", path: dir.join("leaving") };
  writeFolder(leaving.path, transformerFolder(randomTransformer(SMALL_SHAPE)));
  const natives = await unpackNatives(dir.path);
  await using own = new NativeLanes({ natives, ingestWorkers: 1, queryThreads: 1, rerankThreads: 1, idleMs: 1 });
  const embed = (lane: "ingest" | "query") => own.embed(lane, "m", leaving, ["the cat"], "passage", NEVER);
  const first = await embed("ingest");
  expect(await embed("query")).toEqual(first);
  // What is open needs no files; what is opened again does.
  rmSync(leaving.path, { recursive: true });
  const failure = await waitFor("the model is closed", () =>
    embed("ingest").then(
      () => undefined,
      (error: unknown) => String(error),
    ),
  );
  expect(failure).toContain("ENOENT");
  expect(await embed("query")).toEqual(first);
});

describe("a reranker", () => {
  test("says what it is, or what is wrong with its folder", async () => {
    expect(await lanes.loadReranker("r", dir.join("reranker"))).toMatchObject({ ok: true, info: { id: "r" } });
    expect((await lanes.loadReranker("x", broken.path)).ok).toBe(false);
  });

  test("scores documents in their order, however long they are", async () => {
    const long = "the big red house and the small blue tree . ".repeat(200);
    const score = (documents: string[]) =>
      lanes.rerank({ key: "r", path: dir.join("reranker"), query: "the cat", documents }, NEVER);
    const documents = [long, "a cat", `${long} sun`, "the dog sat on a mat", "rain"];
    const { scores, tokens } = await score(documents);
    expect(tokens).toBeGreaterThan(20);
    for (const [i, document] of documents.entries()) {
      const alone = await score([document]);
      expect(alone.scores[0]).toBeCloseTo(scores[i] ?? Number.NaN, 4);
    }
    expect(await score([])).toMatchObject({ tokens: 0 });
    await lanes.unloadReranker("r");
  });
});

test("the lanes say what they are doing, and reject when they have ended", async () => {
  expect(lanes.stats()).toMatchObject({
    query: { size: 1, busy: 0 },
    ingest: { size: 2, busy: 0 },
    rerank: { size: 1, busy: 0 },
  });
  await lanes[Symbol.asyncDispose]();
  expect(await rejection(lanes.embed("query", "m", model, ["the cat"], "query", NEVER))).toMatchObject({
    reason: "closed",
  });
});
