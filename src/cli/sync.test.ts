import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { storeApp } from "../app/testing/store-app.ts";
import { jsonLines, serveApp } from "./testing/command.ts";
import type { ServedApp } from "./testing/command.ts";

function folder(dir: TempDir): string {
  mkdirSync(dir.join("docs/deep"), { recursive: true });
  writeFileSync(dir.join("docs/a.md"), "tides rise");
  writeFileSync(dir.join("docs/deep/b.txt"), "tides fall");
  return dir.join("docs");
}

/** What a run did, by path. */
async function states(server: ServedApp, argv: string[]) {
  const { out } = await server.run([...argv, "--json"]);
  const files = jsonLines(out).filter(({ object }) => object === "sync.file");
  return Object.fromEntries(files.map(({ path, status, from }) => [String(path), from ?? status]));
}

test("a folder is put in, what moved is recognised, what left goes without a question", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["sync", folder(dir), "--store", "sea"];
  expect(await states(server, argv)).toEqual({ "docs/a.md": "indexed", "docs/deep/b.txt": "indexed" });
  const { data: before } = (await f.call("GET", "/v1/files")).json;
  renameSync(dir.join("docs/deep"), dir.join("docs/shallow"));
  rmSync(dir.join("docs/a.md"));
  const tried = await server.run([...argv, "--dry-run"]);
  expect(tried.out).toContain("0 to index, 0 to replace, 0 unchanged, 1 to move, 1 to remove in store sea");
  const second = await server.run(argv);
  expect(second).toMatchObject({ status: 0, out: expect.stringContaining("0 failed, 1 moved, 1 removed") });
  expect(second.err).toContain("moved docs/deep/b.txt -> docs/shallow/b.txt");
  const { data: after } = (await f.call("GET", "/v1/files")).json;
  const idOf = (name: string, rows: { id: string; filename: string }[]) =>
    rows.find((row) => row.filename === name)?.id;
  expect([after.length, idOf("b.txt", after)]).toEqual([1, idOf("b.txt", before)]);
  expect((await server.run(argv)).out).toStartWith("0 indexed, 1 unchanged, 0 failed (");
});

test("--no-delete leaves what has no file any more, and still recognises what moved", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["sync", folder(dir), "--store", "sea", "--no-delete"];
  await server.run(argv);
  rmSync(dir.join("docs/a.md"));
  renameSync(dir.join("docs/deep/b.txt"), dir.join("docs/c.txt"));
  expect(await states(server, argv)).toEqual({ "docs/c.txt": "docs/deep/b.txt" });
  expect((await f.call("GET", "/v1/files")).json.data).toHaveLength(2);
});

test("a folder that holds nothing at all is not believed, unless it is said", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const argv = ["sync", folder(dir), "--store", "sea"];
  await server.run(argv);
  rmSync(dir.join("docs"), { recursive: true });
  mkdirSync(dir.join("docs"));
  const refused = await server.run(argv);
  expect([refused.status, refused.err]).toEqual([
    1,
    expect.stringContaining("holds no file at all, and the store 2 from it: nothing was removed. Say --allow-empty"),
  ]);
  expect((await f.call("GET", "/v1/files")).json.data).toHaveLength(2);
  expect((await server.run([...argv, "--allow-empty"])).out).toContain("2 removed");
});

test.each([
  [2, ["sync"], "Say which folder goes where: lectern sync DIR --store NAME."],
  [2, ["sync", "docs"], "Say which folder goes where"],
  [2, ["sync", "docs", "more", "--store", "s"], "Say which folder goes where"],
  [2, ["sync", "docs", "--store", "s", "--watch", "--dry-run"], "--dry-run changes nothing"],
  [2, ["sync", "docs", "--store", "s", "--prune"], "--prune is not an option here"],
  [1, ["sync", "/no/such/folder", "--store", "s"], "/no/such/folder does not exist"],
  [1, ["sync", import.meta.path, "--store", "s"], "is no folder; lectern ingest takes files."],
] as const)("with status %d it is refused: %j", async (status, argv, sentence) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const said = await server.run(argv);
  expect([said.status, said.out, said.err]).toEqual([status, "", expect.stringContaining(sentence)]);
});
