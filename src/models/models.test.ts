import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { SMALL_WORDS, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";
import type { EmbedKind, ModelInfo } from "../embed/provider.ts";
import { silentLog } from "../platform/log.ts";
import { Models } from "./models.ts";
import type { NativeLanes } from "../workers/native-lane.ts";

const INFO: ModelInfo = {
  id: "m",
  revision: "r",
  dimensions: 16,
  defaultDimensions: 16,
  matryoshka: null,
  matryoshkaExact: false,
  maxTokens: 128,
  windowTokens: null,
  location: "local",
  queryPrefix: "",
  passagePrefix: "",
  unrelatedCosine: 0,
};

test("a model that opens and then embeds nothing stops neither the start nor later scans", async () => {
  const temp = tempDir();
  const directory = temp.path;
  try {
    const shape = { vocabulary: SMALL_WORDS.length, positions: 32, tokenTypes: 2, hidden: 16, heads: 2 };
    const files = transformerFolder(randomTransformer({ ...shape, layers: 1, feedForward: 32, seed: 1 }));
    for (const [name, content] of Object.entries(files)) {
      const path = join(directory, "failing", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    const lanes: Partial<NativeLanes> = {
      load: (_key, source) =>
        Promise.resolve({ ok: true, info: { ...INFO, location: source.type === "bundled" ? "bundled" : "local" } }),
      embed: () => Promise.reject(new Error("the graph failed")),
      unload: () => Promise.resolve(),
    };
    const models = new Models({
      lanes: lanes as NativeLanes,
      directory,
      bundled: [{ id: "lectern-embed-en", source: { type: "bundled", name: "lectern-embed-en" }, info: null }],
      defaultModel: null,
      defaultAliases: false,
      aliases: new Map(),
      remote: { sources: { list: () => [], forget: () => false, mayForget: () => false } } as never,
      defaultRanker: null,
      onRerank: () => {},
      ingestWorkers: 1,
      queryCache: { maxBytes: 1000, maxEntries: 10 },
      log: silentLog,
    });
    await models.start();
    const found = await models.rescan();
    expect(found.find(({ id }) => id === "failing")).toMatchObject({ unrelated: 0, problems: [] });
  } finally {
    temp[Symbol.dispose]();
  }
});

/** Over a provider in this process, which is told what is asked of it. */
function withProvider(directory: string, told: (texts: readonly string[], kind: EmbedKind) => void): Models {
  return new Models({
    // Whatever is asked of a lane fails.
    lanes: {} as NativeLanes,
    directory,
    bundled: [],
    defaultModel: null,
    defaultAliases: true,
    aliases: new Map([["house", "m"]]),
    remote: {
      sources: { list: () => [], forget: () => false, mayForget: () => false },
      access: { policy: { offline: true } },
    } as never,
    defaultRanker: null,
    onRerank: () => {},
    ingestWorkers: 1,
    queryCache: { maxBytes: 1000, maxEntries: 10 },
    log: silentLog,
    provider: {
      model: { ...INFO, dimensions: 2, location: "bundled" },
      embed: (texts, kind) => {
        told(texts, kind);
        const embedded = texts.map(() => ({ vectors: Float32Array.of(0, 1), windows: 1, tokens: 1 }));
        return Promise.resolve({ ok: true, texts: embedded });
      },
    },
  });
}

test("a provider in this process stands in for the bundled model, which is not opened", async () => {
  using directory = tempDir();
  const models = withProvider(directory.path, () => {});
  await models.start();
  await models.warm();
  expect((await models.rescan()).map(({ id }) => id)).toEqual(["m"]);
  for (const name of [null, "m", "house", "text-embedding-3-small"])
    expect(models.resolve(name)).toMatchObject({ ok: true, model: "m" });
  const asker = { tenant: "ten_a", signal: new AbortController().signal };
  const model = { id: "m", revision: "r", dimensions: 2 };
  for (const tenant of ["ten_a", "ten_a", "ten_b"])
    expect(await models.embedQuery(model, "x", { ...asker, tenant })).toEqual({
      ok: true,
      vector: Float32Array.of(0, 1),
    });
  // What one tenant asked is not there for another.
  expect(models.stats().cache).toMatchObject({ hits: 1, misses: 2 });
  expect(await models.embedPassages(model, ["x", "y"], asker)).toMatchObject({ ok: true, texts: [{}, {}] });
  expect([models.price("m"), models.remove("m")]).toEqual([null, false]);
});

test("a model that waits for an operator answers for nobody, says so, and can be taken away", async () => {
  using directory = tempDir();
  let listed = ["waiting"];
  const models = new Models({
    lanes: {} as NativeLanes,
    directory: directory.path,
    bundled: [],
    defaultModel: null,
    defaultAliases: true,
    aliases: new Map([["house", "waiting"]]),
    remote: {
      sources: {
        list: () => listed.map((id) => ({ ok: false, id, problem: "inactive", isInactive: true })),
        mayForget: (id: string) => listed.includes(id),
        forget: (id: string) => listed.length > (listed = listed.filter((other) => other !== id)).length,
      },
      access: { policy: { offline: false } },
    } as never,
    defaultRanker: null,
    onRerank: () => {},
    ingestWorkers: 1,
    queryCache: { maxBytes: 1000, maxEntries: 10 },
    log: silentLog,
    provider: { model: { ...INFO, location: "bundled" }, embed: () => Promise.reject(new Error("not asked")) },
  });
  await models.start();
  const says = expect.stringContaining('"lectern models verify waiting"');
  for (const name of ["waiting", "house"])
    expect(models.resolve(name)).toEqual({ ok: false, reason: "unavailable", message: says });
  const asker = { tenant: "ten_a", signal: new AbortController().signal };
  const asked = await models.embedQuery({ id: "waiting", revision: "r", dimensions: 2 }, "x", asker);
  expect(asked).toMatchObject({ ok: false, reason: "unavailable", isLasting: true, advice: says });
  expect((await models.rescan()).find(({ id }) => id === "waiting")).toMatchObject({ problems: ["inactive"] });
  expect([models.remove("other"), models.remove("waiting"), listed]).toEqual([false, true, []]);
  expect(models.resolve("waiting")).toMatchObject({ reason: "unknown" });
});

test("a search's query is embedded as far as anybody writes one, without half a character at its end", async () => {
  const asked: { texts: readonly string[]; kind: EmbedKind }[] = [];
  using directory = tempDir();
  const models = withProvider(directory.path, (texts, kind) => asked.push({ texts, kind }));
  await models.start();
  const asker = { tenant: "ten_a", signal: new AbortController().signal };
  const long = `a${"😀".repeat(10_000)}`;
  await models.embedQuery({ id: "m", revision: "r", dimensions: 2 }, long, asker);
  expect(asked).toEqual([{ texts: [`a${"😀".repeat(4095)}`], kind: "query" }]);
  // Each is eighteen letters to a tokenizer.
  await models.embedQuery({ id: "m", revision: "r", dimensions: 2 }, "\ufdfa".repeat(65_536), asker);
  expect(asked.pop()).toEqual({ texts: ["\ufdfa".repeat(455)], kind: "query" });
  // Not a search: as long as it is, among passages and still as a query.
  await models.embed("m", [long], { ...asker, kind: "query" });
  expect(asked[1]).toEqual({ texts: [long], kind: "query" });
});

test("a default model of which all is known is opened after the start; one that does not open is told and tried again", async () => {
  using directory = tempDir();
  const opened: string[] = [];
  const errors: string[] = [];
  const lanes: Partial<NativeLanes> = {
    load: (key) => {
      opened.push(key);
      return Promise.resolve({ ok: false, problems: ["no memory"] });
    },
    embed: () => Promise.reject(new Error("model 'm' cannot be used: no memory")),
  };
  const models = new Models({
    lanes: lanes as NativeLanes,
    directory: directory.path,
    bundled: [{ id: "m", source: { type: "bundled", name: "m" }, info: { ...INFO, location: "bundled" } }],
    defaultModel: "m",
    defaultAliases: true,
    aliases: new Map(),
    remote: { sources: { list: () => [], forget: () => false, mayForget: () => false } } as never,
    defaultRanker: null,
    onRerank: () => {},
    ingestWorkers: 1,
    queryCache: { maxBytes: 1000, maxEntries: 10 },
    log: { ...silentLog, error: (text) => errors.push(text) },
  });
  await models.start();
  expect(opened).toEqual([]);
  await models.warm();
  expect([opened, errors]).toEqual([["m"], ["the default model 'm' cannot be used: no memory"]]);
  const asker = { tenant: "ten_a", signal: new AbortController().signal };
  expect(await models.embedQuery({ id: "m", revision: "r", dimensions: 16 }, "x", asker)).toMatchObject({
    ok: false,
    reason: "unavailable",
    detail: expect.stringContaining("no memory"),
  });
});
