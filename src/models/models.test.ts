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
