import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { readConfig } from "../config/config.ts";
import { activateAddedModels, deactivateAddedModels, readAddedModels, writeAddedModels } from "./model-tables.ts";
import { remoteSources } from "./remote-models.ts";

let temp: TempDir;
let dir: string;
beforeEach(() => {
  temp = tempDir();
  dir = temp.path;
});
afterEach(() => temp[Symbol.dispose]());

function sources(env: Record<string, string>, file = "") {
  const config = readConfig({
    argv: file === "" ? [] : ["--config", "a.toml"],
    env,
    machine: { cpus: 1 },
    readFile: () => file,
  });
  return remoteSources(config, dir);
}

const brief = (env: Record<string, string>, file?: string) =>
  sources(env, file)
    .list()
    .map((one) => (one.ok ? [one.model.id, one.model.address, one.model.apiKey] : [one.id, one.problem]));

describe("hosted models", () => {
  test("are there as soon as their provider has a key or an address", () => {
    expect(brief({})).toEqual([]);
    expect(brief({ LECTERN_COHERE_API_KEY: "k" })).toEqual([
      ["embed-english-v3.0", undefined, "k"],
      ["embed-multilingual-v3.0", undefined, "k"],
    ]);
    expect(brief({ LECTERN_MISTRAL_ADDRESS: "http://gateway/v1" })).toEqual([
      ["mistral-embed", "http://gateway/v1", undefined],
    ]);
  });

  test("give way to a model of the same name in the configuration file", () => {
    const file = '[[models]]\nid = "mistral-embed"\ndialect = "openai-compatible"\naddress = "http://own/v1"';
    expect(brief({ LECTERN_MISTRAL_API_KEY: "k" }, file)).toEqual([["mistral-embed", "http://own/v1", undefined]]);
  });
});

describe("the key of a model of the operator's", () => {
  const model = (more: string) => `[[models]]\nid = "m"\ndialect = "openai"\nmodel = "text-embedding-3-large"\n${more}`;
  const cases: [string, Record<string, string>, string, unknown][] = [
    ["is its own", {}, 'api_key = "own"', ["m", undefined, "own"]],
    ["is the variable's that it names", { HOUSE: "house" }, 'api_key_env = "HOUSE"', ["m", undefined, "house"]],
    ["is the provider's, at the provider's address", { LECTERN_OPENAI_API_KEY: "k" }, "", ["m", undefined, "k"]],
    [
      "is not the provider's at another address",
      { LECTERN_OPENAI_API_KEY: "k" },
      'address = "http://x/v1"',
      ["m", "http://x/v1", undefined],
    ],
    ["is missed", {}, "", ["m", "it has no key: set api_key_env, or LECTERN_OPENAI_API_KEY"]],
    [
      "is missed in the environment",
      {},
      'api_key_env = "HOUSE"',
      ["m", "the environment variable HOUSE, which holds its key, is not set"],
    ],
  ];
  for (const [name, env, more, expected] of cases) {
    test(name, () => {
      expect(brief(env, model(more)).find(([id]) => id === "m")).toEqual(expected as string[]);
    });
  }
});

test("models added by the verb are kept in a file of their own and can be forgotten; a broken file is told", async () => {
  const added = { id: "house", dialect: "openai-compatible", address: "http://own/v1", dimensions: 8 } as const;
  writeAddedModels(dir, { models: [added] });
  expect(readAddedModels(dir)).toEqual({ ok: true, tables: { models: [added], aliases: {}, chatModels: [] } });
  const remote = sources({});
  expect(remote.list()).toMatchObject([{ ok: true, removable: true, model: { id: "house", dimensions: 8 } }]);
  expect([remote.forget("other"), remote.forget("house"), remote.list()]).toEqual([false, true, []]);
  await Bun.write(join(dir, "models.toml"), "[[models");
  expect(remote.list()).toMatchObject([{ ok: false, id: "models.toml" }]);
  expect(remote.forget("house")).toBe(false);
});

describe("the key of a model of the data directory", () => {
  const at = (dialect: "openai" | "openai-compatible" | "cohere", more: object) => {
    writeAddedModels(dir, { models: [{ id: "m", dialect, dimensions: 8, ...more }] });
  };
  const own = (env: Record<string, string>) => brief(env).find(([id]) => id === "m");
  const secret = { AWS_SECRET_ACCESS_KEY: "aws", DATABASE_URL: "postgres://u:p@h", LECTERN_OPENAI_API_KEY: "sk" };
  const refused = (variable: string) => [
    "m",
    `its key is in the variable ${variable}, which a model of the data directory may use only where the operator's settings list it: set model-key-variables = ["${variable}"] (or LECTERN_MODEL_KEY_VARIABLES=${variable})`,
  ];

  test("is in no variable that the operator did not list", () => {
    for (const variable of Object.keys(secret)) {
      at("openai-compatible", { address: "http://x/v1", api_key_env: variable });
      expect(own(secret)).toEqual(refused(variable));
    }
    for (const more of [{ address: "http://x/v1" }, {}]) {
      at("cohere", { ...more, api_key_env: "LECTERN_OPENAI_API_KEY" });
      expect(own(secret)).toEqual(refused("LECTERN_OPENAI_API_KEY"));
    }
    at("openai", { address: "http://x/v1", api_key_env: "LECTERN_OPENAI_API_KEY" });
    expect(own(secret)).toEqual(refused("LECTERN_OPENAI_API_KEY"));
    at("openai", { model: "text-embedding-3-large", api_key_env: "AWS_SECRET_ACCESS_KEY" });
    expect(own(secret)).toEqual(refused("AWS_SECRET_ACCESS_KEY"));
  });

  test("is its provider's at the provider's address, and any that is listed", () => {
    at("openai", { model: "text-embedding-3-large", api_key_env: "LECTERN_OPENAI_API_KEY" });
    expect(own(secret)).toEqual(["m", undefined, "sk"]);
    at("openai-compatible", { address: "http://x/v1", api_key_env: "HOUSE_KEY" });
    expect(own({ HOUSE_KEY: "house", LECTERN_MODEL_KEY_VARIABLES: "HOUSE_KEY" })).toEqual([
      "m",
      "http://x/v1",
      "house",
    ]);
  });

  test("is not asked for while the model waits for an operator, who is told whom it calls", () => {
    at("openai-compatible", { address: "http://x/v1", api_key_env: "HOUSE_KEY" });
    expect(deactivateAddedModels(dir)).toMatchObject([{ id: "m", inactive: true }]);
    const env = { HOUSE_KEY: "house", LECTERN_MODEL_KEY_VARIABLES: "HOUSE_KEY" };
    expect(sources(env).list()).toEqual([
      {
        ok: false,
        id: "m",
        isInactive: true,
        problem:
          'inactive, for it came with a backup: it calls "http://x/v1" (openai-compatible) with the key in the variable HOUSE_KEY; "lectern models verify m" lets it be used',
      },
    ]);
    expect(activateAddedModels(dir, ["other"])).toEqual([]);
    expect(activateAddedModels(dir, ["m"])).toMatchObject([{ id: "m" }]);
    expect(own(env)).toEqual(["m", "http://x/v1", "house"]);
    expect(activateAddedModels(dir, ["m"])).toEqual([]);
  });
});
