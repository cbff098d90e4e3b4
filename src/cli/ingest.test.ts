import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { storeApp } from "../app/testing/store-app.ts";
import { fileNames, jsonLines, lectern, serveApp } from "./testing/command.ts";
import type { Terminal } from "./terminal.ts";

function folder(dir: TempDir): string {
  mkdirSync(dir.join("docs/deep"), { recursive: true });
  writeFileSync(dir.join("docs/a.md"), "tides rise");
  writeFileSync(dir.join("docs/deep/b.txt"), "tides fall");
  writeFileSync(dir.join("docs/picture.png"), "no text");
  return dir.join("docs");
}

const input = (text: string): Partial<Terminal> => ({
  input: async function* () {
    yield new TextEncoder().encode(text);
  },
});

test("a folder is put into a store that is made, can be searched, and is skipped when nothing changed", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["ingest", folder(dir), "--store", "sea", "--attributes", "year=2024"];
  const first = await server.run(argv);
  expect(first.status).toBe(0);
  expect(first.err).toContain("left out: 1");
  expect(first.out).toMatch(/^2 indexed, 0 unchanged, 0 failed \(20 B in 0:0\d\) in store sea vs_\w+\n$/);
  const hits = JSON.parse((await server.run(["search", "sea", "tides", "--filter", "year=2024", "--json"])).out).data;
  const paths: string[] = hits.map(({ attributes }: { attributes: { path: string } }) => attributes.path);
  expect(paths.toSorted()).toEqual(["docs/a.md", "docs/deep/b.txt"]);
  expect((await server.run(argv)).out).toStartWith("0 indexed, 2 unchanged, 0 failed");
});

test("--json is a line a file and one for the whole; a changed file replaces the old one", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["ingest", folder(dir), "--store", "sea", "--json"];
  await server.run(argv);
  writeFileSync(dir.join("docs/a.md"), "tides rise twice a day");
  const lines = jsonLines((await server.run(argv)).out);
  const files = lines.slice(0, -1).toSorted((a, b) => String(a["path"]).localeCompare(String(b["path"])));
  expect(files).toMatchObject([
    {
      object: "ingest.file",
      path: "docs/a.md",
      status: "indexed",
      bytes: 22,
      file_id: expect.stringMatching(/^file-/),
    },
    { object: "ingest.file", path: "docs/deep/b.txt", status: "unchanged" },
  ]);
  const store_id = String(lines.at(-1)?.["store_id"]);
  const summary = { object: "ingest.summary", store_id, dry_run: false, indexed: 1, unchanged: 1, failed: 0 };
  expect(lines.at(-1)).toMatchObject({ ...summary, removed: 0, not_reached: 0, bytes: 32 });
  const { data } = (await f.call("GET", `/v1/vector_stores/${store_id}/files`)).json;
  expect(data).toHaveLength(2);
});

test("a dry run says what would happen and changes nothing, also where there is no server", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["ingest", folder(dir), "--store", "sea"];
  const alone = await lectern([...argv, "--dry-run", "--data", dir.join("none")]);
  expect(alone).toMatchObject({ status: 0, out: expect.stringContaining("2 to index, 0 to replace, 0 unchanged") });
  await server.run(argv);
  writeFileSync(dir.join("docs/a.md"), "changed");
  rmSync(dir.join("docs/deep/b.txt"));
  writeFileSync(dir.join("docs/c.md"), "new");
  const { status, out } = await server.run([...argv, "--dry-run", "--prune"]);
  expect(status).toBe(0);
  expect(out.split("\n").slice(0, 3).toSorted()).toEqual([
    "would index docs/c.md",
    "would remove docs/deep/b.txt",
    "would replace docs/a.md",
  ]);
  expect(out).toContain("1 to index, 1 to replace, 0 unchanged, 1 to remove in store sea");
  const again = await server.run([...argv, "--dry-run", "--prune", "--json"]);
  expect(fileNames(jsonLines(again.out).slice(0, -1)).toSorted()).toEqual(["a.md", "b.txt", "c.md"]);
});

test("--prune takes out what left the folder: with --yes, or when the person says so", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["ingest", folder(dir), "--store", "sea"];
  await server.run(argv);
  rmSync(dir.join("docs/deep/b.txt"));
  const refused = await server.run([...argv, "--prune"]);
  expect([refused.status, refused.err]).toEqual([2, expect.stringContaining("say --yes if that is meant")]);
  const asked: string[] = [];
  const ask = (answer: string) => ({ ask: (question: string) => (asked.push(question), Promise.resolve(answer)) });
  expect((await server.run([...argv, "--prune"], ask("no"))).err).toContain("Nothing was removed.");
  const done = await server.run([...argv, "--prune"], ask("Yes"));
  expect(done).toMatchObject({ status: 0, err: expect.stringContaining("removed docs/deep/b.txt") });
  expect(done.out).toContain("0 indexed, 1 unchanged, 0 failed, 1 removed");
  expect(asked).toHaveLength(2);
  expect((await server.run([...argv, "--prune", "--yes"])).out).not.toContain("removed");
});

test("a document comes from standard input under the name that it is given", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["ingest", "-", "--name", "notes/today.md", "--store", "sea", "--json"];
  const { status, out } = await server.run(argv, input("tides turn"));
  expect([status, jsonLines(out)[0]]).toEqual([0, expect.objectContaining({ path: "notes/today.md", bytes: 10 })]);
  expect((await server.run(argv, input("tides turn"))).out).toContain('"unchanged"');
});

test("a file that cannot be read fails with the server's words; the others are in, and the status is 1", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f, async (app, storeId, fileId) => {
    const { filename } = (await app.call("GET", `/v1/files/${fileId}`)).json;
    if (filename === "a.md") await app.fail(storeId, fileId);
    else await app.finish(storeId, fileId, ["text"]);
  });
  const { status, out, err } = await server.run(["ingest", folder(dir), "--store", "sea", "--quiet"]);
  expect([status, out]).toEqual([1, ""]);
  expect(err).toContain("1 failed:\n  docs/a.md: The file type is not supported.\n");
});

test("interrupted, it ends with 130 and leaves no upload that is in no store", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  const stop = new AbortController();
  // What is attached is never done; the interrupt comes while it is waited for.
  await using server = serveApp(f, async () => stop.abort());
  const argv = ["ingest", folder(dir), "--store", "sea", "--concurrency", "1"];
  const { status, out, err } = await server.run(argv, { signal: stop.signal });
  expect(status).toBe(130);
  expect(out).toContain("2 not reached");
  expect(err).toContain("Interrupted; the same command goes on from here.");
  const ids = async (path: string): Promise<string[]> =>
    (await f.call("GET", path)).json.data.map(({ id }: { id: string }) => id);
  const [store = ""] = await ids("/v1/vector_stores");
  expect(await ids("/v1/files")).toEqual(await ids(`/v1/vector_stores/${store}/files`));
});

test("a key that is refused ends it at once, with the server's sentence", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(["ingest", folder(dir), "--store", "s"], {
    env: { LECTERN_API_KEY: "sk-wrong" },
  });
  expect([status, err]).toEqual([1, expect.stringContaining("API key")]);
});

test.each([
  [2, ["--attributes", "=1"], '--attributes takes KEY=VALUE, not "=1".'],
  [2, ["--attributes", "path=x"], "The attribute path is kept by ingest itself"],
  [2, ["--concurrency", "0"], "--concurrency must be a whole number from 1 to 64"],
  [2, ["--name", "x.md"], "--name is for standard input"],
  [2, ["-"], "Standard input is one document and needs a name"],
  [2, ["-", "-", "--name", "x.md"], "Standard input is one document and needs a name"],
  [1, ["--root", "/nowhere/at/all"], "/nowhere/at/all"],
  [1, ["--include", "*.pdf"], "There is no file to ingest."],
] as const)("with status %d and %j it is refused before anything is sent", async (expected, more, sentence) => {
  using dir = tempDir();
  const argv = ["ingest", folder(dir), "--store", "s", "--url", "http://127.0.0.1:1", "--key", "k", ...more];
  const { status, err } = await lectern(argv);
  expect(status).toBe(expected);
  expect(err).toContain(sentence);
});
