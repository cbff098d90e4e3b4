/** `lectern ingest` against a real server: what a file is called, what is left behind, and what it says. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, json, newStore, search } from "../helpers/api.ts";
import { LECTERN, plainEnv, ROOT, runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

interface FileLine {
  object: string;
  path: string;
  path_root: string | null;
  status: string;
  file_id?: string;
  error?: string;
}

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ args: ["--max-upload-mb", "1"] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

function folder(files: Record<string, string>) {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(dir.join(name)), { recursive: true });
    writeFileSync(dir.join(name), text);
  }
  return dir;
}

const env = () => ({ LECTERN_URL: server.url, LECTERN_API_KEY: server.key });

/** Runs `ingest … --json` in a folder; its lines by path, and the closing one. */
async function ingest(cwd: string, ...args: string[]) {
  const { status, out, err } = await runLectern(["ingest", ...args, "--json"], { cwd, env: env() });
  const lines = out
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as FileLine & Record<string, unknown>);
  const files = lines.filter(({ object }) => object === "ingest.file");
  const summary = lines.find(({ object }) => object === "ingest.summary");
  return { status, err, files, summary, states: Object.fromEntries(files.map((line) => [line.path, line.status])) };
}

async function storeNamed(name: string): Promise<string> {
  const { data } = await json<{ data: { id: string; name: string }[] }>(server, "GET", "/v1/vector_stores?limit=100");
  return data.find((store) => store.name === name)?.id ?? "";
}

/** Every attribute of every file of a store, by path. */
async function contents(store: string): Promise<Record<string, unknown>[]> {
  const { data } = await json<{ data: { attributes: Record<string, unknown> }[] }>(
    server,
    "GET",
    `/v1/vector_stores/${await storeNamed(store)}/files?limit=100`,
  );
  return data.map(({ attributes }) => attributes).toSorted((a, b) => (String(a["path"]) < String(b["path"]) ? -1 : 1));
}

async function countFiles(): Promise<number> {
  return (await json<{ data: unknown[] }>(server, "GET", "/v1/files?limit=1000")).data.length;
}

describe("a file is the same file", () => {
  test("whether its folder, a folder above or itself is named, from wherever", async () => {
    using dir = folder({
      "work/docs/a.md": "# Alder\n\nAlders stand in water.",
      "work/docs/sub/b.md": "Birches are white.",
    });
    expect((await ingest(dir.join("work"), "docs", "--store", "same")).states).toEqual({
      "docs/a.md": "indexed",
      "docs/sub/b.md": "indexed",
    });
    for (const [cwd, named] of [
      ["work", "docs/a.md"],
      ["work/docs", "./sub/../a.md"],
      ["work/docs", "a.md"],
      ["work", "./docs/"],
      [".", "work"],
      ["work", "."],
      ["work/docs/sub", ".."],
    ] as const) {
      const again = await ingest(dir.join(cwd), named, "--store", "same");
      expect([cwd, named, ...Object.values(again.states)]).toEqual([cwd, named, ...again.files.map(() => "unchanged")]);
      expect(again.files.length).toBeGreaterThan(0);
    }
    writeFileSync(dir.join("work/docs/sub/b.md"), "Birches are black and white.");
    writeFileSync(dir.join("work/docs/sub/new.md"), "Beeches are grey.");
    expect((await ingest(dir.join("work/docs/sub"), ".", "--store", "same")).states).toEqual({
      "docs/sub/b.md": "indexed",
      "docs/sub/new.md": "indexed",
    });
    expect((await contents("same")).map(({ path }) => path)).toEqual(["docs/a.md", "docs/sub/b.md", "docs/sub/new.md"]);
  }, 240_000);

  test("two folders with the same relative path are two documents, unless the root has a name", async () => {
    using dir = folder({ "x/docs/a.md": "Ash.", "y/docs/a.md": "Aspen.", "z/docs/a.md": "Aspen." });
    await ingest(dir.join("x"), "docs", "--store", "two");
    const second = await ingest(dir.join("y"), "docs", "--store", "two");
    expect(second.states).toEqual({ "docs/a.md": "indexed" });
    expect(second.err).toContain("1 new, though another folder put the same paths in, such as docs/a.md.");
    const all = await contents("two");
    expect(all.map(({ path }) => path)).toEqual(["docs/a.md", "docs/a.md"]);
    expect(new Set(all.map((attributes) => attributes["path_root"])).size).toBe(2);
    expect(JSON.stringify(all)).not.toContain(dir.path);

    await ingest(dir.join("y"), "docs", "--store", "moving", "--root", "team=.");
    expect((await ingest(dir.join("z"), "docs/a.md", "--store", "moving", "--root", "team=.")).files).toEqual([
      expect.objectContaining({ path: "docs/a.md", path_root: "team", status: "unchanged" }),
    ]);
  }, 240_000);

  test("a name is in NFC, and a document without a root takes the root on", async () => {
    using dir = folder({ "docs/caf\u0065\u0301.md": "Coffee grows on hills." });
    const store = await newStore(server, { name: "normal" });
    const sha256 = new Bun.CryptoHasher("sha256").update("Coffee grows on hills.").digest("hex");
    const id = await addText(server, store, "café.md", "Coffee grows on hills.", {
      path: "docs/café.md",
      sha256,
      year: 7,
    });
    const { files } = await ingest(dir.path, "docs", "--store", "normal");
    expect(files).toEqual([expect.objectContaining({ path: "docs/caf\u00e9.md", status: "unchanged", file_id: id })]);
    const again = await ingest(dir.path, "docs/caf\u0065\u0301.md", "--store", "normal");
    expect(again.files).toEqual([expect.objectContaining({ status: "unchanged", file_id: id })]);
    expect(await contents("normal")).toEqual([
      { path: "docs/caf\u00e9.md", path_root: files[0]?.path_root, sha256, year: 7 },
    ]);
  }, 240_000);
});

describe("nothing is left behind", () => {
  test("by a refused attach: the upload goes again", async () => {
    using dir = folder({ "a.md": "Ash.", "b.md": "Birch." });
    const before = await countFiles();
    const many = Array.from({ length: 14 }, (_, i) => ["--attributes", `key${i}=x`]).flat();
    const refused = await ingest(dir.path, "a.md", "b.md", "--store", "refused", ...many);
    expect([refused.status, refused.states]).toEqual([1, { "a.md": "failed", "b.md": "failed" }]);
    expect(refused.files[0]?.error).toContain("16");
    expect(await countFiles()).toBe(before);
  }, 240_000);

  test("by a file that is too large, and the others go on", async () => {
    using dir = folder({ "large.txt": "large words ".repeat(400_000), "small.txt": "Small words." });
    const before = await countFiles();
    const result = await ingest(dir.path, "large.txt", "small.txt", "--store", "large");
    expect([result.status, result.states]).toEqual([1, { "large.txt": "failed", "small.txt": "indexed" }]);
    expect(await countFiles()).toBe(before + 1);
  }, 240_000);

  test.each(["while it is sent", "when it is there and not yet attached"])(
    "by an interrupt of an upload %s",
    async (when) => {
      // More than the connection takes in at once, where it is to be cut.
      using dir = folder({ "a.md": "Ash trees. ".repeat(when === "while it is sent" ? 3_000_000 : 1) });
      const before = await countFiles();
      let interrupt = () => {};
      // Between the verb and the server: interrupts the verb at the moment in question.
      await using proxy = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        idleTimeout: 0,
        async fetch(request) {
          const { pathname, search } = new URL(request.url);
          const isUpload = request.method === "POST" && pathname === "/v1/files";
          if (isUpload && when === "while it is sent") {
            interrupt();
            return await new Promise<Response>(() => {});
          }
          const body = request.method === "POST" ? await request.arrayBuffer() : null;
          const answer = await fetch(server.url + pathname + search, {
            method: request.method,
            headers: request.headers,
            body,
          });
          const text = await answer.text();
          if (isUpload) interrupt();
          return new Response(text, { status: answer.status, headers: { "content-type": "application/json" } });
        },
      });
      const child = Bun.spawn({
        cmd: [...LECTERN, "ingest", dir.join("a.md"), "--store", `interrupted ${when}`],
        cwd: ROOT,
        env: plainEnv({ ...env(), LECTERN_URL: proxy.url.origin }),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      interrupt = () => child.kill("SIGINT");
      const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect([status, out, err]).toEqual([
        130,
        expect.stringContaining("0 indexed, 0 unchanged, 0 failed, 1 not reached"),
        expect.stringContaining("the same command goes on from here"),
      ]);
      expect(await countFiles()).toBe(before);
      await proxy.stop(true);
    },
    240_000,
  );

  test("by what left the folder, with --prune and only with --yes where nobody can be asked", async () => {
    using dir = folder({
      "docs/a.md": "Ash.",
      "docs/sub/b.md": "Birch.",
      "docs/c.md": "Cedar.",
      "other/d.md": "Dogwood.",
    });
    await ingest(dir.path, "docs", "other", "--store", "pruned");
    const store = await storeNamed("pruned");
    await addText(server, store, "own.md", "Put in by somebody else.");
    rmSync(dir.join("docs/sub"), { recursive: true });
    rmSync(dir.join("other/d.md"));
    const asked = await runLectern(["ingest", "docs", "--store", "pruned", "--prune"], { cwd: dir.path, env: env() });
    expect([asked.status, asked.err]).toEqual([2, expect.stringContaining("say --yes if that is meant")]);

    const rehearsed = await ingest(dir.path, "docs", "--store", "pruned", "--prune", "--dry-run");
    expect(rehearsed.states).toEqual({
      "docs/a.md": "unchanged",
      "docs/c.md": "unchanged",
      "docs/sub/b.md": "would_remove",
    });
    const pruned = await ingest(dir.path, "docs", "--store", "pruned", "--prune", "--yes", "--include", "a.md");
    expect(pruned.states).toEqual({ "docs/a.md": "unchanged", "docs/sub/b.md": "removed" });
    const paths = (await contents("pruned")).map((attributes) => attributes["path"]);
    expect(new Set(paths)).toEqual(new Set(["docs/a.md", "docs/c.md", "other/d.md", undefined]));
    expect(paths).toHaveLength(4);

    rmSync(dir.join("docs"), { recursive: true });
    mkdirSync(dir.join("docs"));
    const emptied = await ingest(dir.path, "docs", "--store", "pruned", "--prune", "--yes");
    expect([emptied.status, emptied.summary]).toMatchObject([0, { removed: 2, indexed: 0 }]);
  }, 240_000);
});

describe("what it says", () => {
  test("a dry run makes nothing, not even the store or a data directory", async () => {
    using dir = folder({ "docs/a.md": "Ash." });
    const before = await countFiles();
    const dry = await ingest(dir.path, "docs", "--store", "nowhere", "--dry-run");
    expect(dry).toMatchObject({ status: 0, states: { "docs/a.md": "would_index" } });
    expect(dry.summary).toMatchObject({ store_id: null, dry_run: true, would_index: 1, would_replace: 0 });
    expect([await countFiles(), await storeNamed("nowhere")]).toEqual([before, ""]);
    const alone = await runLectern(["ingest", "docs", "--store", "nowhere", "--dry-run"], { cwd: dir.path });
    expect(alone).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^would index docs\/a\.md\n1 to index, 0 to replace/),
    });
    expect(await Array.fromAsync(new Bun.Glob("**").scan({ cwd: dir.path, onlyFiles: false }))).not.toContain(
      "lectern-data",
    );
  }, 240_000);

  test("JSON lines: one a file and one for the whole; what changed is told from what is new", async () => {
    using dir = folder({ "a.md": "Ash.", "b.pdf": "%PDF-1.7\nnothing" });
    const first = await ingest(dir.path, "a.md", "b.pdf", "--store", "lines");
    expect(first.status).toBe(1);
    expect(first.states).toEqual({ "a.md": "indexed", "b.pdf": "failed" });
    expect(first.summary).toMatchObject({
      store_id: expect.stringMatching(/^vs_/),
      dry_run: false,
      indexed: 1,
      unchanged: 0,
      failed: 1,
      removed: 0,
      not_reached: 0,
    });
    writeFileSync(dir.join("a.md"), "Ash and aspen.");
    expect((await ingest(dir.path, "a.md", "--store", "lines", "--dry-run")).states).toEqual({
      "a.md": "would_replace",
    });
  }, 240_000);

  test("--quiet leaves failures only", async () => {
    using dir = folder({ "docs/a.md": "Ash.", "docs/picture.png": "x" });
    const quiet = await runLectern(["ingest", "docs", "--store", "quiet", "--quiet"], { cwd: dir.path, env: env() });
    expect(quiet).toEqual({ status: 0, out: "", err: "" });
    writeFileSync(dir.join("docs/b.pdf"), "%PDF-1.7\nnothing");
    const failed = await runLectern(["ingest", "docs", "--store", "quiet", "--quiet"], { cwd: dir.path, env: env() });
    expect([failed.status, failed.out, failed.err]).toEqual([
      1,
      "",
      expect.stringMatching(/^1 failed:\n {2}docs\/b\.pdf: .+\n$/),
    ]);
  }, 240_000);

  test("standard input is one document under the name that it is given", async () => {
    const pipe = async (text: string, ...args: string[]) => {
      const child = Bun.spawn({
        cmd: [...LECTERN, "ingest", "-", "--store", "piped", ...args],
        env: plainEnv(env()),
        stdin: new Blob([text]),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { out, err, status };
    };
    expect(await pipe("Plane trees line avenues.", "--name", "./trees/plane.md")).toMatchObject({ status: 0 });
    expect((await pipe("Plane trees line avenues.", "--name", "trees/plane.md")).out).toContain(
      "0 indexed, 1 unchanged",
    );
    expect((await pipe("Plane trees shade avenues.", "--name", "trees/plane.md")).out).toContain(
      "1 indexed, 0 unchanged",
    );
    expect(await contents("piped")).toEqual([{ path: "trees/plane.md", sha256: expect.any(String) }]);
    const hits = await search(server, await storeNamed("piped"), { query: "avenues" });
    expect(hits.map(({ filename, content }) => [filename, content[0]?.text])).toEqual([
      ["plane.md", "Plane trees shade avenues."],
    ]);
    expect((await pipe("x")).err).toContain("needs a name: lectern ingest - --name");
  }, 240_000);
});
