/** `lectern models pull` against a server that behaves like a hub, on the program as it is shipped. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crossEncoderFolder, randomCrossEncoder } from "../../src/embed/testing/cross-encoders.ts";
import { encoderShapes } from "../../src/embed/testing/hub-shapes.ts";
import { type FolderFiles, SMALL_SHAPE, transformerFolder } from "../../src/embed/testing/model-folders.ts";
import { randomTransformer } from "../../src/embed/testing/transformer.ts";
import { FAKE_COMMIT, type FakeHub, startFakeHub } from "../../src/models/hub/testing/fake-hub.ts";
import { json } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import type { CommandResult, TestServer } from "../helpers/server.ts";
import { LECTERN, plainEnv, runLectern, startServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const TOKEN = "hf_the-token-0123456789";
const GRAPH = "onnx/model.onnx";

let dir: TempDir;
let hub: FakeHub;
let server: TestServer;

const ENCODER = transformerFolder(randomTransformer(SMALL_SHAPE));
const more: FolderFiles = {
  "README.md": "# The card",
  "model.safetensors": "weights of another runtime",
  LICENSE: "MIT",
};

beforeAll(async () => {
  dir = tempDir();
  hub = await startFakeHub({});
  server = await startServer({ dataDir: dir.join("data") });
});
beforeEach(async () => {
  rmSync(join(server.dataDir, "models"), { recursive: true, force: true });
  await json(server, "POST", "/v1/admin/models/rescan", {});
  hub.faults.clear();
  hub.seen = [];
  hub.models.clear();
  hub.models.set("acme/e5-small-v2", { files: { ...ENCODER, ...more }, card: { license: "mit" } });
  hub.models.set("acme/ranker", { files: crossEncoderFolder(randomCrossEncoder(SMALL_SHAPE)) });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const BASE = ["--allow-private-addresses", "--yes"];

async function pull(name: string, flags: readonly string[] = BASE, env: Record<string, string> = {}) {
  const args = ["models", "pull", name, "--endpoint", hub.url, "--data", server.dataDir, ...flags];
  return await runLectern(args, { env });
}

const models = (...args: string[]): Promise<CommandResult> => runLectern(["models", ...args, "--data", server.dataDir]);

const placed = (at = server.dataDir) => (existsSync(join(at, "models")) ? readdirSync(join(at, "models")).sort() : []);

// Over two, each has the models of its own data directory.
test.skipIf(lacks("a single server", !OVER_TWO))(
  "a model is shown, fetched, tried, put in its place, and used at once",
  async () => {
    const { status, out, err } = await pull("acme/e5-small-v2");
    expect({ status, out }).toEqual({ status: 0, out: "acme/e5-small-v2\n" });
    for (const words of [
      `main (${FAKE_COMMIT})`,
      /licence +mit/,
      /graph +onnx\/model.onnx/,
      /prompts +"query: " before queries, "passage: " before passages/,
      /onnx\/model\.onnx +[\d.]+ kB/,
      /9 files, [\d.]+ kB; .* are free/,
      "fetched onnx/model.onnx",
      "16 dimensions, windows of 32 tokens",
    ])
      expect(err).toMatch(words);
    const folder = join(server.dataDir, "models/acme/e5-small-v2");
    expect(readdirSync(folder).sort()).toEqual([
      "1_Pooling",
      "LICENSE",
      "README.md",
      "config.json",
      "lectern.json",
      "modules.json",
      "onnx",
      "sentence_bert_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(JSON.parse(readFileSync(join(folder, "lectern.json"), "utf8"))).toEqual({
      query_prefix: "query: ",
      passage_prefix: "passage: ",
    });
    const { data } = await json<{ data: { embedding: number[] }[] }>(server, "POST", "/v1/embeddings", {
      model: "acme/e5-small-v2",
      input: "the cat",
      encoding_format: "float",
    });
    expect(data[0]?.embedding).toHaveLength(16);

    const again = await pull("acme/e5-small-v2");
    expect([again.status, again.err]).toEqual([
      1,
      expect.stringContaining("There is a model 'acme/e5-small-v2' already"),
    ]);
    expect((await models("remove", "acme/e5-small-v2")).status).toBe(0);
    expect(placed()).toEqual([]);
  },
);

test("a reranker by its name, under another, at a tag", async () => {
  const { status, out, err } = await pull("acme/ranker@v1", [...BASE, "--id", "ranker"]);
  expect({ status, out }).toEqual({ status: 0, out: "ranker\n" });
  expect(err).toMatch(/licence +not said: read http:/);
  expect((await models("verify", "ranker")).out).toBe("ranker: ok, a reranker\n");
});

test("a new data directory is made for it, and no server is needed", async () => {
  const data = dir.join("fresh");
  const args = ["models", "pull", "acme/ranker", "--endpoint", hub.url, "--data", data, ...BASE];
  const { status, out } = await runLectern(args);
  expect({ status, out }).toEqual({ status: 0, out: "acme/ranker\n" });
  expect(placed(data)).toEqual(["acme"]);
});

const SHAPES = ["bge-m3", "Qwen3-Embedding-0.6B"];
test.each(encoderShapes().filter(({ name }) => SHAPES.includes(name)))(
  "$name, as the hub has it",
  async ({ name, files }) => {
    hub.models.set(`acme/${name}`, { files });
    expect(await pull(`acme/${name}`)).toMatchObject({ status: 0, out: `acme/${name}\n` });
    expect((await models("verify", `acme/${name}`)).out).toBe(`acme/${name}: ok, 16 dimensions\n`);
    const own = join(server.dataDir, "models/acme", name);
    expect([existsSync(join(own, "onnx/model.onnx_data")), existsSync(join(own, "lectern.json"))]).toEqual([
      name === "bge-m3",
      false,
    ]);
  },
);

test("where nobody can be asked, nothing is fetched without --yes", async () => {
  const { status, err } = await pull("acme/e5-small-v2", ["--allow-private-addresses"]);
  expect([status, err]).toEqual([2, expect.stringContaining("say --yes")]);
  expect(err).toMatch(/licence +mit/);
  expect([placed(), hub.seen.length]).toEqual([[], 1]);
});

test("one that is killed goes on where it was, and what it left is gone in the end", async () => {
  hub.faults.set(GRAPH, ["stalled"]);
  const args = ["models", "pull", "acme/e5-small-v2", "--endpoint", hub.url, "--data", server.dataDir, ...BASE];
  const child = Bun.spawn({
    cmd: [...LECTERN, ...args],
    env: plainEnv(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const half = (ENCODER[GRAPH]?.length ?? 0) / 2;
  await waitFor("half of the graph is here", () => {
    const [staging] = placed().filter((name) => name.startsWith(".pulling-"));
    const part = join(server.dataDir, "models", staging ?? "none", `${GRAPH}.part`);
    return Promise.resolve(existsSync(part) && Bun.file(part).size >= Math.floor(half) ? true : undefined);
  });
  child.kill("SIGKILL");
  await child.exited;
  expect((await models("list")).out).not.toContain("e5-small");
  hub.seen = [];
  expect(await pull("acme/e5-small-v2")).toMatchObject({ status: 0 });
  expect(hub.seen.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual([
    `bytes=${Math.floor(half)}-`,
  ]);
  expect(placed()).toEqual(["acme"]);
});

test("one that is interrupted says how to go on", async () => {
  hub.faults.set(GRAPH, ["stalled"]);
  const args = ["models", "pull", "acme/e5-small-v2", "--endpoint", hub.url, "--data", server.dataDir, ...BASE];
  const child = Bun.spawn({
    cmd: [...LECTERN, ...args],
    env: plainEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  await waitFor("the graph is asked for", () =>
    Promise.resolve(hub.seen.some(({ host }) => host === "cdn") ? true : undefined),
  );
  child.kill("SIGINT");
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ out, status }).toEqual({ out: "", status: 130 });
  expect(err).toContain("the same command goes on");
});

// Backups are of data directories that have their database.
test.skipIf(lacks("a database of its own", !OVER_TWO))(
  "what another pull left behind is taken away by the next",
  async () => {
    const left = join(server.dataDir, "models/.pulling-0123456789abcdef");
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, "config.json"), "{}");
    hub.faults.set(GRAPH, ["changed"]);
    expect(await pull("acme/e5-small-v2")).toMatchObject({ status: 1, out: "" });
    expect([existsSync(left), placed().length]).toEqual([false, 1]);
    // What is on its way is no part of a backup.
    const backup = dir.join("backup.lectern");
    expect((await runLectern(["backup", backup, "--data", server.dataDir])).status).toBe(0);
    expect(await Bun.file(backup).text()).not.toContain(".pulling-");
    expect(await pull("acme/ranker")).toMatchObject({ status: 0 });
    expect(placed()).toEqual(["acme"]);
  },
);

test("the token goes to the hub alone, and is never told", async () => {
  hub.models.set("acme/e5-small-v2", { files: ENCODER, token: TOKEN, gated: true });
  const without = await pull("acme/e5-small-v2");
  expect([without.status, without.err]).toEqual([1, expect.stringContaining("ask for access at")]);
  const file = dir.join("token");
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  hub.seen = [];
  const { status, out, err } = await pull("acme/e5-small-v2", [...BASE, "--token-file", file]);
  expect({ status, out }).toEqual({ status: 0, out: "acme/e5-small-v2\n" });
  expect(err).not.toContain(TOKEN);
  const tokens = (host: string) => new Set(hub.seen.filter((one) => one.host === host).map((one) => one.authorization));
  expect([tokens("hub"), tokens("cdn")]).toEqual([new Set([`Bearer ${TOKEN}`]), new Set([null])]);
});

const refusals: [what: string, change: () => void, flags: string[], words: string][] = [
  ["a private address that is not allowed", () => {}, ["--yes"], "--allow-private-addresses lets it be called"],
  ["--offline", () => {}, [...BASE, "--offline"], "Outbound connections are switched off"],
  ["a file that is changed on its way", () => hub.faults.set(GRAPH, ["changed"]), BASE, "is not what"],
  ["a file that is larger than said", () => hub.faults.set(GRAPH, ["larger"]), BASE, "is larger than the"],
  ["a page for people", () => hub.faults.set("list", ["page"]), BASE, "answers with a web page"],
  [
    "a hub that is asked too often",
    () => hub.faults.set("list", [{ status: 429, headers: { "retry-after": "900" } }]),
    BASE,
    "asks to wait 900 seconds",
  ],
  [
    "a model without a graph",
    () => hub.models.set("acme/e5-small-v2", { files: { ...more, "tokenizer.json": "{}" } }),
    BASE,
    "optimum-cli export onnx",
  ],
  [
    "a graph that does not run",
    () => hub.models.set("acme/e5-small-v2", { files: { ...ENCODER, [GRAPH]: "no graph" } }),
    BASE,
    "cannot be loaded",
  ],
  ["a variant that is not there", () => {}, [...BASE, "--variant", "int8"], "no ONNX graph for variant 'int8'"],
];
test.each(refusals)("%s is refused with the reason, and adds nothing", async (_, change, flags, words) => {
  change();
  const { status, out, err } = await pull("acme/e5-small-v2", flags);
  expect({ status, out, err }).toEqual({ status: 1, out: "", err: expect.stringContaining(words) });
  expect(placed().filter((name) => !name.startsWith("."))).toEqual([]);
  expect((await models("list")).out).not.toContain("e5-small");
});

test.skipIf(lacks("a database of its own", !OVER_TWO))("a server without a network means its verbs too", async () => {
  const variable = await pull("acme/ranker", BASE, { LECTERN_OFFLINE: "1" });
  expect([variable.status, variable.err]).toEqual([1, expect.stringContaining("switched off")]);
  await using closed = await startServer({ dataDir: dir.join("offline"), args: ["--offline"] });
  const args = ["models", "pull", "acme/ranker", "--endpoint", hub.url, "--data", closed.dataDir, ...BASE];
  const { status, err } = await runLectern(args);
  expect([status, err]).toEqual([1, expect.stringContaining("carry its folder here")]);
  expect(hub.seen).toEqual([]);
});

test("a flag of another verb is misuse, and adds nothing", async () => {
  const { status, out, err } = await pull("acme/e5-small-v2", [...BASE, "--price", "2"]);
  expect({ status, out, err }).toEqual({
    status: 2,
    out: "",
    err: expect.stringContaining("--price is not for models pull"),
  });
});

test("a name that no hub has is told at once", async () => {
  const { status, err } = await pull("https://hub.example/acme/embed");
  expect([status, err]).toEqual([2, expect.stringContaining("such as owner/name or owner/name@revision")]);
});
