import { EmbedBatcher } from "../../src/embed/batcher.ts";
import { memoryModelFiles } from "../../src/embed/local/model-files.ts";
import { createLocalModel } from "../../src/embed/local/session.ts";
import { createRemoteProvider } from "../../src/embed/remote/create.ts";
import type { EmbeddingProvider } from "../../src/embed/provider.ts";
import type { DialectName } from "../../src/embed/remote/dialect.ts";
import { SMALL_WORDS, transformerFolder } from "../../src/embed/testing/model-folders.ts";
import { randomTransformer } from "../../src/embed/testing/transformer.ts";
import { loadOnnxRuntime } from "../../src/platform/native.ts";
import { FAKE_KEY, startFakeProvider } from "./fake-providers.ts";
import type { OpenedProvider } from "./provider-suite.ts";
import { embeddingProviderSuite } from "./provider-suite.ts";

const DIALECTS: DialectName[] = ["openai", "openai-compatible", "cohere", "voyage", "mistral", "google"];

async function openLocal(): Promise<OpenedProvider> {
  const sizes = { vocabulary: SMALL_WORDS.length, positions: 64, tokenTypes: 2 };
  const transformer = randomTransformer({ ...sizes, hidden: 16, heads: 2, layers: 2, feedForward: 32, seed: 7 });
  const files = memoryModelFiles(transformerFolder(transformer, { prompts: { query: "query: " } }));
  const local = await createLocalModel(loadOnnxRuntime(), files, { id: "local", location: "local", threads: 1 });
  const batcher = new EmbedBatcher({
    model: local.info,
    run: async ({ texts, kind, signal }) => ({ ok: true, texts: await local.embed(texts, kind, signal) }),
    passageSlots: 2,
    querySlots: 1,
  });
  const provider: EmbeddingProvider = {
    model: local.info,
    embed: (texts, kind, signal) => batcher.embed(texts, { kind, tenant: "a", isSearch: kind === "query", signal }),
  };
  return { provider, close: () => local.dispose() };
}

async function openRemote(dialect: DialectName): Promise<OpenedProvider> {
  const fake = await startFakeProvider(dialect, 24);
  const access = { policy: { allowPrivate: true, offline: false }, resolve: async () => ["127.0.0.1"] };
  const remote = {
    id: "remote",
    dialect,
    model: "embed-test",
    address: fake.address,
    apiKey: FAKE_KEY,
    dimensions: 24,
  };
  const setup = createRemoteProvider({ ...remote, maxTokens: 128 }, access);
  if (!setup.ok) throw new Error(setup.problem);
  return { provider: setup.provider, close: async () => await fake[Symbol.asyncDispose]() };
}

embeddingProviderSuite("a local model behind its queue", openLocal);
for (const dialect of DIALECTS) embeddingProviderSuite(`remote ${dialect}`, () => openRemote(dialect));
