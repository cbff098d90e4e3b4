/** Models that are put into the data directory over HTTP. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { KEYS, storeApp, type StoreApp } from "../../app/testing/store-app.ts";
import type { FolderFiles } from "../../embed/testing/model-folders.ts";
import { SMALL_SHAPE, transformerFolder } from "../../embed/testing/model-folders.ts";
import { randomTransformer } from "../../embed/testing/transformer.ts";
import { pathProblem } from "./incoming-folder.ts";

// A folder that is added is run once in a process of its own.
setDefaultTimeout(60_000);

const ADMIN = { authorization: `Bearer ${KEYS.admin}` };
const FOLDER = transformerFolder(randomTransformer(SMALL_SHAPE));

function formOf(fields: Record<string, string>, files: FolderFiles): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [path, content] of Object.entries(files)) form.append("files", new Blob([content as string]), path);
  return form;
}

const add = (f: StoreApp, fields: Record<string, string>, files: FolderFiles = FOLDER) =>
  f.call("POST", "/v1/admin/models", formOf(fields, files), ADMIN);
const inModels = (f: StoreApp) => {
  const models = join(f.dataDir, "models");
  return existsSync(models) ? readdirSync(models) : [];
};

test("a folder is run, put in its place whole, and can be used at once", async () => {
  await using f = await storeApp();
  const files = { ...FOLDER, "model.safetensors": "large", "onnx/model_int8.onnx": "not run" };
  const added = await add(f, { id: "acme/house", max_tokens: "16", query_prefix: "query: " }, files);
  expect(added.json).toMatchObject({
    id: "acme/house",
    type: "embedding",
    dimensions: 16,
    max_tokens: 16,
    location: "local",
  });
  const target = join(f.dataDir, "models/acme/house");
  expect(inModels(f)).toEqual(["acme"]);
  expect(readdirSync(target)).not.toContain("model.safetensors");
  expect(readdirSync(join(target, "onnx"))).toEqual(["model.onnx"]);
  expect(readFileSync(join(target, "lectern.json"), "utf8")).toContain('"query: "');
  const { json } = await f.call("POST", "/v1/embeddings", { model: "acme/house", input: "words" });
  expect(json.data[0].embedding).toHaveLength(16);
  const { data } = (await f.call("GET", "/v1/admin/models", undefined, ADMIN)).json;
  expect(data.find(({ id }: { id: string }) => id === "acme/house")).toMatchObject({
    object: "model.installed",
    kind: "embedding",
    location: "local",
    usable: true,
    problems: [],
    dimensions: 16,
    address: null,
    vector_stores: 0,
    removable: true,
  });
  // Its name is taken now, and it can be taken away.
  expect((await add(f, { id: "acme/house" })).json.error).toMatchObject({ code: "invalid_value", param: "id" });
  expect((await f.call("DELETE", "/v1/models/acme%2Fhouse", undefined, ADMIN)).status).toBe(200);
  expect(inModels(f)).toEqual([]);
});

test("a store that needs a model is counted, and keeps it", async () => {
  await using f = await storeApp();
  await add(f, { id: "house" });
  await f.call("POST", "/v1/vector_stores", { embedding_model: "house" });
  const { data } = (await f.call("GET", "/v1/admin/models", undefined, ADMIN)).json;
  expect(data.find(({ id }: { id: string }) => id === "house")).toMatchObject({ vector_stores: 1 });
  const refused = await f.call("DELETE", "/v1/models/house", undefined, ADMIN);
  expect(refused.json.error).toMatchObject({
    code: "model_not_deletable",
    message: expect.stringContaining("1 vector store"),
  });
});

test.each<[fault: string, fields: Record<string, string>, files: FolderFiles, error: object]>([
  ["no tokenizer", { id: "bad" }, { ...FOLDER, "tokenizer.json": "" }, { code: "invalid_value", param: "files" }],
  [
    "a graph that is none",
    { id: "bad" },
    { ...FOLDER, "onnx/model.onnx": "x" },
    { code: "invalid_value", param: "files" },
  ],
  ["a way out", { id: "bad" }, { ...FOLDER, "../../out.json": "{}" }, { code: "invalid_value", param: "files" }],
  ["a way out in the middle", { id: "bad" }, { "a/../../b.json": "{}" }, { code: "invalid_value", param: "files" }],
  ["an absolute path", { id: "bad" }, { "/etc/x.json": "{}" }, { code: "invalid_value", param: "files" }],
  ["a hidden file", { id: "bad" }, { ".ssh": "x" }, { code: "invalid_value", param: "files" }],
  ["a file where a folder is", { id: "bad" }, { "a/b.json": "{}", a: "x" }, { code: "invalid_value", param: "files" }],
  ["no file", { id: "bad" }, {}, { code: "missing_required_parameter", param: "files" }],
  ["no name", {}, FOLDER, { code: "missing_required_parameter", param: "id" }],
  ["a name that leads out", { id: "../x" }, FOLDER, { code: "invalid_value", param: "id" }],
  ["tokens that are no number", { id: "bad", max_tokens: "many" }, FOLDER, { param: "max_tokens" }],
  ["a setting that is none", { id: "bad", key: "x" }, FOLDER, { code: "unknown_parameter", param: "key" }],
  ["a graph that was not sent", { id: "bad", variant: "int8" }, FOLDER, { code: "invalid_value", param: "files" }],
  ["the name of another", { id: "words-64" }, FOLDER, { code: "invalid_value", param: "id" }],
])("a folder with %s is refused with what is wrong, and leaves nothing", async (_fault, fields, files, error) => {
  await using f = await storeApp();
  const { json } = await add(f, fields, files);
  expect(json.error).toMatchObject(error);
  expect(inModels(f)).toEqual([]);
  expect(existsSync(join(f.dataDir, "../out.json"))).toBe(false);
  const { data } = (await f.call("GET", "/v1/admin/models", undefined, ADMIN)).json;
  expect(data.map(({ id }: { id: string }) => id)).not.toContain("bad");
});

test("one folder is taken in at a time, and one that is cut short leaves nothing", async () => {
  await using f = await storeApp();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const head = '--b\r\ncontent-disposition: form-data; name="files"; filename="config.json"\r\n\r\n{';
  void writer.write(new TextEncoder().encode(head)).catch(() => {});
  const type = { ...ADMIN, "content-type": "multipart/form-data; boundary=b" };
  const held = f.call("POST", "/v1/admin/models", readable, type);
  while (inModels(f).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await add(f, { id: "house" });
  expect([second.status, second.json.error.code, second.headers.get("retry-after")]).toEqual([429, "overloaded", "10"]);
  await writer.close();
  expect((await held).json.error.code).toBe("invalid_multipart");
  expect(inModels(f)).toEqual([]);
  expect((await add(f, { id: "house" })).status).toBe(200);
});

test("only operators add models", async () => {
  await using f = await storeApp();
  for (const key of [KEYS.write, KEYS.read, KEYS.other]) {
    const as = { authorization: `Bearer ${key}` };
    expect((await f.call("POST", "/v1/admin/models", formOf({ id: "x" }, FOLDER), as)).status).toBe(403);
    expect((await f.call("POST", "/v1/admin/models/remote", { id: "x", dialect: "openai" }, as)).status).toBe(403);
    expect((await f.call("GET", "/v1/admin/models", undefined, as)).status).toBe(403);
  }
  expect(inModels(f)).toEqual([]);
});

test.each([
  ["config.json", null],
  ["onnx/model.onnx_data", null],
  ["1_Pooling/config.json", null],
  ["a/b/c.json", null],
  ["a/b/c/d.json", "it lies too deep"],
  ["", expect.any(String)],
  ["..", expect.any(String)],
  ["a//b", expect.any(String)],
  ["a\\b", expect.any(String)],
  ["C:x", expect.any(String)],
  ["a/\u0000", expect.any(String)],
  ["ａ.json", expect.any(String)],
])("%j as a path in a folder", (path, problem) => {
  expect(pathProblem(path)).toEqual(problem);
});

/** A server of vectors of three numbers, and what it was asked with. */
function vectors() {
  const keys: (string | null)[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      keys.push(request.headers.get("authorization"));
      const { input } = (await request.json()) as { input: string[] };
      const data = input.map((text, index) => ({ index, embedding: [text.length, 1, index] }));
      return Response.json({ data, usage: { prompt_tokens: 1, total_tokens: 1 } });
    },
  });
  return { address: `http://127.0.0.1:${server.port}/v1`, keys, [Symbol.asyncDispose]: () => server.stop(true) };
}

test("a remote model is tried without a trace, then added, used and taken away", async () => {
  await using fake = vectors();
  await using f = await storeApp({ allowPrivateAddresses: true });
  const body = { id: "house", dialect: "openai-compatible", address: fake.address, model: "m" };
  const send = (more: object) => f.call("POST", "/v1/admin/models/remote", { ...body, ...more }, ADMIN);
  const tried = await send({ dry_run: true });
  expect(tried.json).toMatchObject({ id: "house", object: "model.trial", added: false, dimensions: 3 });
  expect(tried.json.latency_ms).toBeGreaterThan(0);
  expect(existsSync(join(f.dataDir, "models.toml"))).toBe(false);
  expect((await send({ dimensions: 4 })).json.error.message).toContain("3 dimensions, not 4");
  expect((await send({})).json).toMatchObject({ added: true, dimensions: 3 });
  expect(readFileSync(join(f.dataDir, "models.toml"), "utf8")).toContain("dimensions = 3");
  const { data } = (await f.call("GET", "/v1/admin/models", undefined, ADMIN)).json;
  expect(data.find(({ id }: { id: string }) => id === "house")).toMatchObject({
    location: "remote",
    address: fake.address,
    usable: true,
    removable: true,
  });
  const status = (await f.call("GET", "/v1/admin/status", undefined, ADMIN)).json;
  expect(status.outbound).toEqual({ offline: false, private_addresses: true, addresses: [fake.address] });
  expect((await send({})).json.error).toMatchObject({ param: "id" });
  expect((await f.call("DELETE", "/v1/models/house", undefined, ADMIN)).status).toBe(200);
});

test("a remote model gets a key only from variables that the operator listed, and no other address", async () => {
  await using fake = vectors();
  const environment = (name: string) => ({ HOUSE_KEY: "house-secret", OTHER: "other-secret" })[name];
  const settings = { environment, modelKeyNames: new Set(["HOUSE_KEY"]), openaiApiKey: "openai-secret" };
  await using f = await storeApp({ allowPrivateAddresses: true, settings });
  const send = (more: object) =>
    f.call(
      "POST",
      "/v1/admin/models/remote",
      { id: "m", dialect: "openai-compatible", address: fake.address, ...more },
      ADMIN,
    );
  const refused = await send({ api_key_env: "OTHER" });
  expect(refused.json.error.message).toContain("model-key-variables");
  expect(fake.keys).toEqual([]);
  // OpenAI's own key stays with OpenAI's own address.
  await send({ dialect: "openai", dry_run: true });
  expect(fake.keys.join(" ")).not.toContain("secret");
  expect((await send({ api_key_env: "HOUSE_KEY", dry_run: true })).status).toBe(200);
  expect(fake.keys.at(-1)).toBe("Bearer house-secret");
  // A key itself is no parameter.
  expect((await send({ api_key: "x" })).json.error).toMatchObject({ code: "unknown_parameter", param: "api_key" });
});

test.each([
  ["a private address, unless those are allowed", {}, "private"],
  ["anything where the server is offline", { settings: { offline: true } }, "offline"],
])("a remote model is not asked at %s", async (_, options, word) => {
  await using fake = vectors();
  await using f = await storeApp(options);
  const body = { id: "m", dialect: "openai-compatible", address: fake.address };
  const { json } = await f.call("POST", "/v1/admin/models/remote", body, ADMIN);
  expect([json.error.code, json.error.message]).toEqual(["invalid_value", expect.stringContaining(word)]);
  expect([fake.keys, existsSync(join(f.dataDir, "models.toml"))]).toEqual([[], false]);
});
