/** `lectern models`: folders and remote models are added, checked and removed while the server runs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FakeProvider } from "../conformance/fake-providers.ts";
import { FAKE_HOST, FAKE_KEY, startFakeProvider } from "../conformance/fake-providers.ts";
import { type FolderFiles, SMALL_WORDS, transformerFolder } from "../../src/embed/testing/model-folders.ts";
import { writeSafetensors } from "../../src/embed/testing/safetensors-writer.ts";
import { randomTransformer } from "../../src/embed/testing/transformer.ts";
import { addText, json, newStore, refusal, search } from "../helpers/api.ts";
import type { CommandResult, TestServer } from "../helpers/server.ts";
import { ROOT, runLectern, startServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";

const ENV = {
  HOUSE_KEY: FAKE_KEY,
  LECTERN_MODEL_KEY_VARIABLES: "HOUSE_KEY,NO_SUCH_KEY",
  LECTERN_ALLOW_PRIVATE_ADDRESSES: "1",
  LECTERN_PROVIDER_ATTEMPTS: "1",
};

let dir: TempDir;
let fake: FakeProvider;
let server: TestServer;

beforeAll(async () => {
  dir = tempDir();
  fake = await startFakeProvider("openai-compatible", 48);
  server = await startServer({ dataDir: dir.join("data"), env: ENV });
});
afterAll(async () => {
  expect(server.log()).not.toContain(FAKE_KEY);
  await server[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

async function models(...args: string[]): Promise<CommandResult> {
  const result = await runLectern(["models", ...args, "--data", server.dataDir], { env: ENV });
  expect(result.out + result.err).not.toContain(FAKE_KEY);
  return result;
}

/** A folder as a user has it: the bundled model, with weights of other runtimes beside it, and changed by `change`. */
function folder(name: string, change: (path: string) => void = () => {}): string {
  const path = dir.join(name);
  cpSync(join(ROOT, "models/lectern-embed-en"), path, { recursive: true });
  writeFileSync(join(path, "model.safetensors"), "weights of another runtime");
  change(path);
  return path;
}

/** As soon as the deleted store is reclaimed. */
async function removed(id: string): Promise<void> {
  await waitFor(`${id} is removed`, async () => ((await models("remove", id)).status === 0 ? true : undefined));
}

/** What a `models add` leaves that is killed while it copies. */
async function leaveHalf(): Promise<string> {
  const killed = Bun.spawn(["true"]);
  await killed.exited;
  const path = join(server.dataDir, "models", `.adding-${killed.pid}`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "model.onnx"), "half of it");
  return path;
}

const placed = () => readdirSync(join(server.dataDir, "models")).sort();
const remote = (...more: string[]) =>
  models("add", "--remote", "--address", fake.address.replace(FAKE_HOST, "127.0.0.1"), "--model", "house", ...more);

test("a folder is copied without what is never read, used at once, kept while a store needs it, then removed", async () => {
  const half = await leaveHalf();
  const added = await models("add", folder("house-en"), "--id", "acme/house-en");
  expect(existsSync(half)).toBe(false);
  expect(added).toMatchObject({ status: 0, out: "acme/house-en\n" });
  const target = join(server.dataDir, "models/acme/house-en");
  expect([existsSync(join(target, "config.json")), existsSync(join(target, "model.safetensors"))]).toEqual([
    true,
    false,
  ]);
  const storeId = await newStore(server, { embedding_model: "acme/house-en" });
  await addText(server, storeId, "a.txt", "The violin paints bread.");
  expect(await search(server, storeId, { query: "violin", search_mode: "vector" })).toHaveLength(1);

  const listed = await models("list");
  expect(listed.out).toMatch(/^acme\/house-en +local +256/m);
  expect((await models("verify", "acme/house-en")).out).toBe("acme/house-en: ok, 256 dimensions\n");
  expect((await models("add", folder("again"), "--id", "acme/house-en")).status).toBe(1);

  const needed = await models("remove", "acme/house-en");
  expect([needed.status, needed.err]).toEqual([1, expect.stringContaining("1 vector store needs it")]);
  await server.client.vectorStores.delete(storeId);
  await removed("acme/house-en");
  expect([placed(), (await models("list")).out.includes("house-en")]).toEqual([[], false]);
});

const broken: [string, (path: string) => void, string][] = [
  ["no tokenizer", (path) => Bun.spawnSync(["rm", join(path, "tokenizer.json")]), "tokenizer.json is missing"],
  ["a graph that is cut off", (path) => cutOff(join(path, "onnx/model.onnx")), "onnx/model.onnx"],
  ["a tokenizer that is no JSON", (path) => writeFileSync(join(path, "tokenizer.json"), "{"), "tokenizer.json"],
];
for (const [name, change, words] of broken) {
  test(`a folder with ${name} is refused with what is wrong, and leaves nothing`, async () => {
    const { status, err } = await models("add", folder(`broken ${name}`, change), "--id", "broken");
    expect([status, err]).toEqual([1, expect.stringContaining(words)]);
    expect(placed()).toEqual([]);
    const error = await refusal(server, "POST", "/v1/vector_stores", { embedding_model: "broken" });
    expect(error).toMatchObject({ status: 400, code: "invalid_embedding_model" });
  });
}

test("a folder with a projection after pooling keeps the weights of that", async () => {
  const hidden = 16;
  const sizes = { vocabulary: SMALL_WORDS.length, positions: 32, tokenTypes: 2, hidden };
  const shape = { ...sizes, heads: 2, layers: 1, feedForward: 32, seed: 1 };
  const kinds = ["Transformer", "Pooling", "Dense"];
  const values = Float32Array.from({ length: 8 * hidden }, (_, i) => Math.sin(i));
  const source = dir.join("dense-en");
  const files: FolderFiles = {
    ...transformerFolder(randomTransformer(shape)),
    "modules.json": JSON.stringify(
      kinds.map((kind, idx) => ({
        idx,
        name: String(idx),
        path: idx === 0 ? "" : `${idx}_${kind}`,
        type: `sentence_transformers.models.${kind}`,
      })),
    ),
    "2_Dense/config.json": JSON.stringify({ in_features: hidden, out_features: 8, bias: false }),
    "2_Dense/model.safetensors": writeSafetensors({ "linear.weight": { shape: [8, hidden], values } }),
  };
  for (const [name, content] of Object.entries(files)) await Bun.write(join(source, name), content);
  expect(await models("add", source)).toMatchObject({ status: 0, out: "dense-en\n" });
  const { data } = await json<{ data: { embedding: number[] }[] }>(server, "POST", "/v1/embeddings", {
    model: "dense-en",
    input: "cat",
    encoding_format: "float",
  });
  expect(data[0]?.embedding).toHaveLength(8);
  await removed("dense-en");
});

test("one graph of several is chosen and alone copied; prompts and the window are told beside it", async () => {
  const several = folder("several", (path) => {
    mkdirSync(join(path, "onnx"), { recursive: true });
    cpSync(join(path, "onnx/model.onnx"), join(path, "onnx/model_int8.onnx"));
    writeFileSync(join(path, "onnx/model.onnx"), "not the one");
    writeFileSync(join(path, "onnx/model.onnx_data"), "its weights");
  });
  const flags = [
    "--variant",
    "int8",
    "--query-prefix",
    "query: ",
    "--passage-prefix",
    "passage: ",
    "--max-tokens",
    "200",
  ];
  const result = await models("add", several, ...flags);
  expect(result).toMatchObject({ status: 0, out: "several\n" });
  expect(result.err).toContain("windows of 200 tokens");
  const own = join(server.dataDir, "models/several");
  expect(readdirSync(join(own, "onnx"))).toEqual(["model_int8.onnx"]);
  expect(JSON.parse(readFileSync(join(own, "lectern.json"), "utf8"))).toEqual({
    variant: "int8",
    max_tokens: 200,
    query_prefix: "query: ",
    passage_prefix: "passage: ",
  });
  expect((await models("verify", "several")).out).toBe("several: ok, 256 dimensions\n");
  const plain = await models("add", folder("plain"), "--id", "plain");
  expect(plain.err).toContain("name no prompts");
  await removed("several");
  await removed("plain");
  const wrong = await models("add", several, "--variant", "q4");
  expect(wrong.err).toContain(
    "there is no ONNX graph for variant 'q4'; there are: onnx/model.onnx, onnx/model_int8.onnx",
  );
  const price = await models("add", several, "--price", "2");
  expect(price.err).toContain("--price is for models add --remote");
  expect(placed()).toEqual([]);
});

test("a model whose files were changed is another revision; a folder broken in place is named as such", async () => {
  await models("add", folder("changing"), "--id", "changing");
  const revision = async () => (await json<{ revision: string }>(server, "GET", "/v1/models/changing")).revision;
  const before = await revision();
  const own = join(server.dataDir, "models/changing");
  writeFileSync(join(own, "lectern.json"), JSON.stringify({ query_prefix: "query: " }));
  await models("list");
  expect(await revision()).not.toBe(before);
  writeFileSync(join(own, "config.json"), "{");
  const { err } = await models("list");
  expect(err).toContain("changing cannot be used: config.json");
  const error = await refusal(server, "POST", "/v1/vector_stores", { embedding_model: "changing" });
  expect(error).toMatchObject({ status: 503, code: "embedding_model_unavailable" });
  Bun.spawnSync(["rm", "-r", own]);
  await models("list");
});

test("a remote model is asked for its dimensions, kept without its key, there after a restart, and removed", async () => {
  expect(await remote("--api-key-env", "HOUSE_KEY", "--price", "2")).toMatchObject({ status: 0, out: "house\n" });
  const path = join(server.dataDir, "models.toml");
  const file = readFileSync(path, "utf8");
  expect([statSync(path).mode & 0o777, file.includes("dimensions = 48"), file.includes(FAKE_KEY)]).toEqual([
    0o600,
    true,
    false,
  ]);
  fake.requests = [];
  await server.stop();
  const half = await leaveHalf();
  server = await startServer({ dataDir: server.dataDir, env: ENV });
  expect(existsSync(half)).toBe(false);
  expect(fake.requests).toEqual([]);

  const storeId = await newStore(server, { embedding_model: "house" });
  const fileId = await addText(server, storeId, "a.txt", "The kettle weighs copper.");
  const [hit] = await search(server, storeId, { query: "copper", search_mode: "vector" });
  expect(hit).toMatchObject({ file_id: fileId });
  expect((await models("list")).out).toMatch(/^house +remote +48/m);
  expect((await models("remove", "house")).err).toContain("1 vector store needs it");
  await server.client.vectorStores.delete(storeId);
  await removed("house");
  expect(readFileSync(path, "utf8")).not.toContain("house");
});

test("where a remote model's cosines begin is measured when it is added, and kept", async () => {
  // Half of every vector is the same: the cosine of two texts is one half, unless they are the same.
  const vectorOf = (text: string) => {
    const vector = Array.from({ length: 4096 }, () => 0);
    vector[0] = 1;
    vector[1 + (Number(Bun.hash.crc32(text)) % 4095)] = 1;
    return vector;
  };
  let asked = 0;
  using narrow = Bun.serve({
    port: 0,
    async fetch(request) {
      const { input } = (await request.json()) as { input: string[] };
      asked += input.length;
      return Response.json({
        data: input.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  const begin = async () => {
    const scan = await json<{ models: { id: string; unrelated_cosine: number | null }[] }>(
      server,
      "POST",
      "/v1/admin/models/rescan",
      {},
    );
    return scan.models.find(({ id }) => id === "narrow")?.unrelated_cosine;
  };
  const address = `http://127.0.0.1:${narrow.port}/v1`;
  expect(await models("add", "--remote", "--address", address, "--model", "narrow")).toMatchObject({ status: 0 });
  const told = asked;
  expect(told).toBeGreaterThan(2);
  expect(await begin()).toBeCloseTo(0.5, 1);
  expect(readFileSync(join(server.dataDir, "models.toml"), "utf8")).toContain("unrelated_cosine = 0.5");
  await server.stop();
  server = await startServer({ dataDir: server.dataDir, env: ENV });
  expect([await begin(), asked]).toEqual([expect.closeTo(0.5, 1), told]);
  await removed("narrow");
});

const refused: [string, string[], string][] = [
  ["without the key that it needs", [], "openai-compatible answered 400: key"],
  ["whose variable is not set", ["--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY, which holds its key, is not set"],
  ["whose variable is not listed", ["--api-key-env", "AWS_KEY"], 'set model-key-variables = ["AWS_KEY"]'],
  ["of other dimensions than it has", ["--api-key-env", "HOUSE_KEY", "--dimensions", "47"], "48 dimensions, not 47"],
];
for (const [name, more, words] of refused) {
  test(`a remote model ${name} is refused with the reason, and not kept`, async () => {
    const { status, err } = await remote(...more);
    expect([status, err]).toEqual([1, expect.stringContaining(words)]);
    expect((await models("list")).out).not.toContain("house");
  });
}

test("the rescan is the operator's: other tenants' administrators may not ask for it", async () => {
  const tenant = await json<{ id: string }>(server, "POST", "/v1/admin/tenants", { name: "other" });
  const key = await json<{ key: string }>(server, "POST", "/v1/admin/keys", {
    name: "other",
    role: "admin",
    tenant_id: tenant.id,
  });
  const headers = { authorization: `Bearer ${key.key}` };
  expect((await refusal(server, "POST", "/v1/admin/models/rescan", {}, headers)).status).toBe(403);
});

function cutOff(path: string): void {
  const bytes = readFileSync(path);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)));
}
