import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { SMALL_WORDS, transformerFolder } from "../embed/testing/model-folders.ts";
import { randomTransformer } from "../embed/testing/transformer.ts";
import type { ModelInfo } from "../embed/provider.ts";
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
      defaultModel: null,
      defaultAliases: false,
      aliases: new Map(),
      remote: { sources: { list: () => [], forget: () => false } } as never,
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

test("a provider in this process stands in for the bundled model, which is not opened", async () => {
  using directory = tempDir();
  const models = new Models({
    // Whatever is asked of a lane fails.
    lanes: {} as NativeLanes,
    directory: directory.path,
    defaultModel: null,
    defaultAliases: true,
    aliases: new Map([["house", "m"]]),
    remote: { sources: { list: () => [], forget: () => false }, access: { policy: { offline: true } } } as never,
    defaultRanker: null,
    onRerank: () => {},
    ingestWorkers: 1,
    queryCache: { maxBytes: 1000, maxEntries: 10 },
    log: silentLog,
    provider: {
      model: { ...INFO, dimensions: 2, location: "bundled" },
      embed: (texts) =>
        Promise.resolve({
          ok: true,
          texts: texts.map(() => ({ vectors: Float32Array.of(0, 1), windows: 1, tokens: 1 })),
        }),
    },
  });
  await models.start();
  await models.warm();
  expect((await models.rescan()).map(({ id }) => id)).toEqual(["m"]);
  for (const name of [null, "m", "house", "text-embedding-3-small"])
    expect(models.resolve(name)).toMatchObject({ ok: true, model: "m" });
  const asker = { tenant: "ten_a", signal: new AbortController().signal };
  const model = { id: "m", revision: "r", dimensions: 2 };
  expect(await models.embedQuery(model, "x", asker)).toEqual({ ok: true, vector: Float32Array.of(0, 1) });
  expect(await models.embedPassages(model, ["x", "y"], asker)).toMatchObject({ ok: true, texts: [{}, {}] });
  expect([models.price("m"), models.remove("m")]).toEqual([null, false]);
});
