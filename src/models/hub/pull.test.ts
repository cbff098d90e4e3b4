import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, type TempDir } from "../../../test/helpers/temp-dir.ts";
import { HubClient, type HubOptions } from "./hub-client.ts";
import { HubError } from "./hub-failure.ts";
import { type HubName, parseHubName } from "./hub-name.ts";
import { fetchPlan, planPull, type PullPlan } from "./pull.ts";
import { openStaging } from "./staging.ts";
import { FAKE_COMMIT, type FakeHub, type Fault, startFakeHub } from "./testing/fake-hub.ts";

const GRAPH = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) % 251);
const FILES = {
  "README.md": "# A model",
  "config.json": "{}",
  "tokenizer.json": '{"model":{}}',
  "tokenizer_config.json": "{}",
  "modules.json": "[]",
  "1_Pooling/config.json": "{}",
  "onnx/model.onnx": GRAPH,
  "onnx/model_int8.onnx": GRAPH.subarray(0, 900),
  "pytorch_model.bin": "weights of another runtime",
  "model.safetensors": "the same",
};
const NEEDED = [
  "1_Pooling/config.json",
  "README.md",
  "config.json",
  "modules.json",
  "onnx/model.onnx",
  "tokenizer.json",
  "tokenizer_config.json",
];
const NAME: HubName = { name: "acme/embed", revision: "main" };
const TOKEN = "hf_token-0123456789";

let hub: FakeHub;
let dir: TempDir;
const pauses: number[] = [];

beforeEach(async () => {
  hub = await startFakeHub({ "acme/embed": { files: FILES, card: { license: "mit" } } });
  dir = tempDir();
  pauses.length = 0;
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

function client(more: Partial<HubOptions> = {}): HubClient {
  return new HubClient({
    endpoint: new URL(hub.url),
    token: null,
    access: { policy: { allowPrivate: true, offline: false }, resolve: async () => ["127.0.0.1"] },
    limits: { attempts: 3, stallMs: 300, firstPauseMs: 1, longestPauseMs: 2000 },
    signal: new AbortController().signal,
    onPause: (ms) => void pauses.push(ms),
    ...more,
  });
}

async function plan(asked = NAME, own = client()): Promise<PullPlan> {
  const planning = await planPull(own, asked, { variant: undefined, architecture: "x64" });
  if (!planning.ok) throw new Error(planning.problems.join("; "));
  return planning.plan;
}

/** Folder of the staging, after a fetch that may have failed. */
async function fetchAll(more: Partial<HubOptions> = {}, asked = NAME): Promise<string> {
  const own = client(more);
  const planned = await plan(asked, own);
  using staging = openStaging(dir.path, { endpoint: own.endpoint, name: planned.model.name, commit: hub.commit });
  await fetchPlan(own, planned, staging, { onBytes: () => {}, onFile: () => {} });
  return staging.path;
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HubError)) throw new Error(`no HubError: ${String(error)}`);
  return error.message;
}

function here(path: string): string[] {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1)).sort();
}

const fault = (file: string, ...faults: Fault[]) => void hub.faults.set(file, faults);
const LARGE = "onnx/model.onnx";
const largeRequests = () => hub.seen.filter(({ host }) => host === "cdn");

describe("a name at a hub", () => {
  const good: [text: string, name: string, revision: string][] = [
    ["acme/embed", "acme/embed", "main"],
    ["old-model", "old-model", "main"],
    ["acme/embed-v1.5@v1", "acme/embed-v1.5", "v1"],
    ["acme/embed@refs/pr/7", "acme/embed", "refs/pr/7"],
  ];
  test.each(good)("%s", (text, name, revision) => {
    expect(parseHubName(text)).toEqual({ name, revision });
  });
  const bad = [
    "",
    "a/b/c",
    "../etc",
    "a/..",
    "a b/c",
    "acme/embed@",
    "acme/embed@../x",
    "https://hub/acme/embed",
    "@v1",
  ];
  test.each(bad)("%j is none", (text) => {
    expect(parseHubName(text)).toBeNull();
  });
});

describe("what is to come", () => {
  test("is what is needed of it, with the licence, at one commit", async () => {
    const { model, files, bytes, licence, graph, otherGraphs } = await plan();
    expect(files.map(({ name }) => name)).toEqual(NEEDED);
    expect({ model, licence, graph, otherGraphs }).toEqual({
      model: { name: "acme/embed", revision: FAKE_COMMIT },
      licence: "mit",
      graph: LARGE,
      otherGraphs: ["onnx/model_int8.onnx"],
    });
    expect(bytes).toBe(NEEDED.reduce((sum, name) => sum + FILES[name as keyof typeof FILES].length, 0));
    expect(hub.seen.map(({ path }) => path)).toEqual(["/api/models/acme/embed/revision/main?blobs=true"]);
  });

  test("is asked for file by file where the list says no sizes and hashes", async () => {
    const listed = await plan();
    hub.isTerse = true;
    expect(await plan()).toEqual(listed);
  });

  test("is found below the path of a mirror", async () => {
    const own = client({ endpoint: new URL(`${hub.url}/mirror`) });
    expect((await plan(NAME, own)).files).toHaveLength(NEEDED.length);
  });

  const licences: [card: Record<string, unknown>, licence: string | null][] = [
    [{}, null],
    [{ license: ["mit", "apache-2.0"] }, "mit, apache-2.0"],
    [{ license: "other", license_name: "house", license_link: "LICENSE" }, "other: house, LICENSE"],
  ];
  test.each(licences)("has the licence of %j", async (card, licence) => {
    hub.models.set("acme/embed", { files: FILES, card });
    expect((await plan()).licence).toBe(licence);
  });

  test("says what it lacks, all at once, with the way out", async () => {
    hub.models.set("acme/embed", { files: { "config.json": "{}" } });
    const planning = await planPull(client(), NAME, { variant: undefined, architecture: "x64" });
    expect(planning).toEqual({
      ok: false,
      problems: [expect.stringContaining("no tokenizer.json"), expect.stringContaining("optimum-cli export onnx")],
    });
  });

  test("never holds a file whose name leads elsewhere", async () => {
    const planted = { "../config.json": "{}", "/etc/config.json": "{}", "1_Pooling/../../config.json": "{}" };
    hub.models.set("acme/embed", { files: { ...FILES, ...planted, "onnx\\model.onnx": "x", ".hidden.onnx": "x" } });
    expect((await plan()).files.map(({ name }) => name)).toEqual(NEEDED);
  });
});

describe("a fetch", () => {
  test("puts exactly what was listed into the folder", async () => {
    const path = await fetchAll();
    expect(here(path)).toEqual(NEEDED);
    expect(readFileSync(join(path, LARGE)).equals(GRAPH)).toBe(true);
  });

  test("goes on where it broke off, under the condition that the file is the same", async () => {
    fault(LARGE, "torn");
    const path = await fetchAll();
    expect(readFileSync(join(path, LARGE)).equals(GRAPH)).toBe(true);
    const [first, second] = largeRequests();
    expect([first?.range, second?.range, second?.ifRange]).toEqual([
      null,
      "bytes=100000-",
      expect.stringContaining("cdn-"),
    ]);
  });

  test("goes on in another process, where the first was ended", async () => {
    fault(LARGE, "torn", "torn", { status: 400 });
    await problemOf(fetchAll());
    expect(existsSync(join(dir.path, readdirSync(dir.path)[0] ?? "", `${LARGE}.part`))).toBe(true);
    hub.seen = [];
    const path = await fetchAll();
    expect(here(path)).toEqual(NEEDED);
    // Small files that were there are not asked for again.
    expect(hub.seen.map(({ host }) => host)).toEqual(["hub", "hub", "cdn"]);
    expect(largeRequests()[0]?.range).toBe("bytes=150000-");
  });

  test("starts anew where the other side does not go on", async () => {
    fault(LARGE, "torn", "whole");
    expect(readFileSync(join(await fetchAll(), LARGE)).equals(GRAPH)).toBe(true);
  });

  test("starts anew where the beginning is of another file", async () => {
    fault(LARGE, "torn", "torn", { status: 400 });
    await problemOf(fetchAll());
    const part = join(dir.path, readdirSync(dir.path)[0] ?? "", `${LARGE}.part`);
    writeFileSync(part, new Uint8Array(readFileSync(part).length));
    expect(readFileSync(join(await fetchAll(), LARGE)).equals(GRAPH)).toBe(true);
  });

  test("gives up on a connection that says nothing, and goes on", async () => {
    fault(LARGE, "stalled");
    expect(readFileSync(join(await fetchAll(), LARGE)).equals(GRAPH)).toBe(true);
    expect(pauses).toHaveLength(1);
  });

  test("waits as long as a busy hub asks, and no longer than is bearable", async () => {
    fault("config.json", { status: 429, headers: { "retry-after": "1" } });
    await fetchAll();
    fault("config.json", { status: 429, headers: { ratelimit: '"resolvers";r=0;t=1' } });
    rmSync(dir.path, { recursive: true });
    mkdirSync(dir.path);
    await fetchAll();
    expect(pauses).toEqual([1000, 1000]);
    fault("list", { status: 429, headers: { "retry-after": "3600" } });
    expect(await problemOf(plan())).toContain("asks to wait 3600 seconds; with a token");
  });

  test("tries again where the hub is in trouble, and says so in the end", async () => {
    fault("list", { status: 503 }, { status: 502 });
    await plan();
    fault("list", { status: 503 }, { status: 502 }, { status: 500 });
    expect(await problemOf(plan())).toContain("answers 500 for the files of acme/embed at main");
  });

  const refused: [what: string, faults: Fault[], words: string][] = [
    ["another byte", ["changed"], "is not what 127.0.0.1"],
    ["more bytes", ["larger"], "is larger than the 200000 bytes"],
    ["a page for people", ["page"], "answers with a web page"],
  ];
  test.each(refused)("keeps nothing of a file with %s", async (_, faults, words) => {
    fault(LARGE, ...faults);
    expect(await problemOf(fetchAll())).toContain(words);
    const path = join(dir.path, readdirSync(dir.path)[0] ?? "");
    expect(here(path)).toEqual(NEEDED.filter((name) => name !== LARGE));
    expect(largeRequests()).toHaveLength(1);
  });

  test("says where a file breaks off that never comes whole", async () => {
    fault("config.json", "torn", "torn", "torn", "torn", "torn", "torn");
    hub.models.set("acme/embed", { files: { ...FILES, "config.json": "x" } });
    expect(await problemOf(fetchAll())).toMatch(/broke off/);
  });

  test("stops when it is told to, and keeps what came", async () => {
    const stop = new AbortController();
    fault(LARGE, "stalled");
    const own = client({ signal: stop.signal });
    const planned = await plan(NAME, own);
    using staging = openStaging(dir.path, { endpoint: own.endpoint, name: "acme/embed", commit: hub.commit });
    const onBytes = ({ name }: { name: string }) => name === LARGE && stop.abort();
    const running = fetchPlan(own, planned, staging, { onBytes, onFile: () => {} });
    expect(
      await running.then(
        () => "done",
        (error: Error) => error.name,
      ),
    ).toBe("AbortError");
    expect(existsSync(join(staging.path, `${LARGE}.part`))).toBe(true);
  });
});

describe("the token", () => {
  beforeEach(() => {
    hub.models.set("acme/embed", { files: FILES, token: TOKEN });
  });

  test("goes to the hub, and not to where it leads", async () => {
    await fetchAll({ token: TOKEN });
    const sent = (host: string) => new Set(hub.seen.filter((one) => one.host === host).map((one) => one.authorization));
    expect([sent("hub"), sent("cdn")]).toEqual([new Set([`Bearer ${TOKEN}`]), new Set([null])]);
  });

  const refusals: [what: string, token: string | null, gated: boolean, words: string[]][] = [
    ["none", null, false, ["without a token (401)", "--token-file FILE", "/acme/embed"]],
    ["a wrong one", "hf_other", false, ["has no model acme/embed, or the token may not see it (401)"]],
    ["none for a gated one", null, true, ["is gated (403)", "ask for access at", "--token-file FILE"]],
    ["one without access", "hf_other", true, ["the token may not read acme/embed (403)", "ask for access"]],
  ];
  test.each(refusals)("%s is refused with the way out", async (_, token, gated, words) => {
    hub.models.set("acme/embed", { files: FILES, token: TOKEN, gated });
    const problem = await problemOf(fetchAll({ token }));
    for (const word of words) expect(problem).toContain(word);
    expect(problem).not.toContain("hf_");
  });

  test("is not sent over http through the public network", async () => {
    const access = { policy: { allowPrivate: false, offline: false }, resolve: async () => ["93.184.216.34"] };
    const own = client({ token: TOKEN, access, endpoint: new URL("http://hub.example") });
    expect(await problemOf(plan(NAME, own))).toContain("is not sent to hub.example for all to read");
  });
});

describe("addresses", () => {
  test("that are private are called only where that is allowed", async () => {
    const access = { policy: { allowPrivate: false, offline: false }, resolve: async () => ["127.0.0.1"] };
    expect(await problemOf(plan(NAME, client({ access })))).toContain("--allow-private-addresses lets it be called");
    expect(hub.seen).toEqual([]);
  });

  const led: [to: string, words: string][] = [
    ["http://169.254.169.254/latest", "which is never called"],
    ["http://metadata.google.internal/", "metadata service"],
    ["ftp://127.0.0.1/x", "not followed (ftp:"],
    ["http://user:secret@127.0.0.1/x", "not followed"],
    ["http://[", "no address"],
  ];
  test.each(led)("that a hub leads to are checked: %s", async (to, words) => {
    hub.leadTo = () => to;
    const problem = await problemOf(fetchAll());
    expect(problem).toContain(words);
    expect(problem).not.toContain("secret");
  });

  test("that lead in a circle are left", async () => {
    hub.leadTo = () => `${hub.url}/acme/embed/resolve/main/${LARGE}`;
    expect(await problemOf(fetchAll())).toContain("without an end");
  });

  test("that are signed are never told", async () => {
    fault(LARGE, { status: 403 });
    expect(await problemOf(fetchAll())).not.toContain("sig=");
  });

  test("of another kind of server are told as such", async () => {
    fault("list", "page");
    expect(await problemOf(plan())).toContain("answers with a web page where a hub gives JSON");
    expect(await problemOf(plan({ name: "acme/none", revision: "main" }))).toContain("has no model acme/none");
    expect(await problemOf(plan({ name: "acme/embed", revision: "v9" }))).toContain("has no revision v9");
  });
});

describe("the folder that files are gathered in", () => {
  const staged = (name: string) => ({ endpoint: new URL("https://hub.example"), name, commit: FAKE_COMMIT });

  test("belongs to one process at a time", () => {
    const path = openStaging(dir.path, staged("a/b")).path;
    writeFileSync(join(path, ".owner"), String(process.ppid));
    expect(() => openStaging(dir.path, staged("a/b"))).toThrow("is pulling a/b already");
  });

  test("of another pull that nobody is at any more is taken away by the next", async () => {
    const left = openStaging(dir.path, staged("a/left")).path;
    const killed = Bun.spawn(["true"]);
    await killed.exited;
    writeFileSync(join(left, ".owner"), String(killed.pid));
    const busy = openStaging(dir.path, staged("a/busy")).path;
    writeFileSync(join(busy, ".owner"), String(process.ppid));
    using own = openStaging(dir.path, staged("a/own"));
    expect([existsSync(left), existsSync(busy), existsSync(own.path)]).toEqual([false, true, true]);
  });

  test("holds nothing that is not wanted", () => {
    using own = openStaging(dir.path, staged("a/own"));
    mkdirSync(join(own.path, "onnx"));
    for (const name of ["a.json", "b.json.part", "onnx/other.onnx"]) writeFileSync(join(own.path, name), "x");
    own.keepOnly(["a.json", "b.json"]);
    expect(here(own.path)).toEqual([".owner", "a.json", "b.json.part"]);
  });
});
