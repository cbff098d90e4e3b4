import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { ChatModels } from "../chat/chat-models.ts";
import { type ChatSettings, chatSources } from "./chat-sources.ts";
import { activateAddedModels, deactivateAddedModels, readModelTables, writeAddedModels } from "./model-tables.ts";

const settings = (more: Partial<ChatSettings> = {}): ChatSettings => ({
  chatAddress: null,
  chatModel: null,
  chatApiKey: null,
  chatContextTokens: 8192,
  chatModels: [],
  environment: (name) => (name === "HOUSE_KEY" ? "sk-house" : undefined),
  modelKeyNames: new Set(["HOUSE_KEY"]),
  ...more,
});
const address = "http://127.0.0.1:11434/v1/";

test("the one of the options comes first, then those of the file, then those that were added", () => {
  using dir = tempDir();
  writeAddedModels(dir.path, {
    chatModels: [
      { id: "c", address, api_key_env: "HOUSE_KEY" },
      { id: "b", address },
    ],
  });
  const config = settings({
    chatAddress: "https://api.openai.com/v1",
    chatModel: "a",
    chatApiKey: "sk-a",
    chatModels: [{ id: "b", model: "qwen3:8b", address, context_tokens: 4096, tools: "never" }],
  });
  const models = new ChatModels({ sources: chatSources(config, dir.path), defaultModel: null, offline: false });
  expect(models.list().map(({ id, model, apiKey, maxTokensField }) => [id, model, apiKey, maxTokensField])).toEqual([
    ["a", "a", "sk-a", "max_completion_tokens"],
    ["b", "qwen3:8b", null, "max_tokens"],
    ["c", "c", "sk-house", "max_tokens"],
  ]);
  expect(models.get("b")).toMatchObject({ address: "http://127.0.0.1:11434/v1", contextTokens: 4096, tools: "never" });
  expect([models.resolve("gpt-4o")?.id, models.resolve(null)?.id, models.resolve("c")?.id]).toEqual(["a", "a", "c"]);
  expect([models.remove("c"), models.remove("a"), models.get("c")]).toEqual([true, false, null]);
});

test("what cannot be used says why, without its key", () => {
  using dir = tempDir();
  writeAddedModels(dir.path, { chatModels: [{ id: "x", address, api_key_env: "PATH" }] });
  const list = [
    { id: "a", address: "ftp://x" },
    { id: "b", address: "https://u:secret@x" },
    { id: "c", address, api_key_env: "MISSING" },
    { id: "d", address, inactive: true },
  ];
  const sources = chatSources(settings({ chatModels: list }), dir.path).list();
  expect(sources.map((one) => one.ok)).toEqual([false, false, false, false, false]);
  expect(JSON.stringify(sources)).not.toContain("secret");
  const models = new ChatModels({
    sources: { list: () => sources, forget: () => false },
    defaultModel: "d",
    offline: false,
  });
  expect(models.problem).toContain("inactive");
});

test("offline there is none", () => {
  using dir = tempDir();
  const config = settings({ chatModels: [{ id: "b", address }] });
  const models = new ChatModels({ sources: chatSources(config, dir.path), defaultModel: "b", offline: true });
  expect([models.list(), models.resolve(null), models.problem]).toEqual([[], null, null]);
});

test("a restored data directory's chat models are inactive until an operator lets them be used", () => {
  using dir = tempDir();
  writeAddedModels(dir.path, { chatModels: [{ id: "b", address }] });
  expect(deactivateAddedModels(dir.path)).toMatchObject([{ id: "b", inactive: true }]);
  const list = () => chatSources(settings(), dir.path).list();
  expect(list()).toMatchObject([{ ok: false, isInactive: true }]);
  expect(activateAddedModels(dir.path, ["b"])).toMatchObject([{ id: "b" }]);
  expect(list()).toMatchObject([{ ok: true }]);
});

test.each([
  [{ chat_models: {} }, "chat_models must be a list"],
  [{ chat_models: [{ id: "a" }] }, "chat model 'a': address is missing"],
  [{ chat_models: [{ id: "a", address, contextTokens: 1 }] }, "contextTokens is no setting"],
  [{ chat_models: [{ id: "a", address, api_key: "k", api_key_env: "K" }] }, "cannot both be set"],
  [
    {
      chat_models: [
        { id: "a", address },
        { id: "a", address },
      ],
    },
    "two chat models",
  ],
  [{ chat_models: [{ id: "a", address }], models: [{ id: "a", dialect: "openai" }] }, "a model and a chat model"],
])("%j is refused", (file, problem) => {
  expect(readModelTables(file)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
});
