import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { collectFiles } from "./collect.ts";
import { folderRoot } from "./names.ts";
import type { ChosenRoot } from "./names.ts";
import { filesThatLeft } from "./prune.ts";
import { StoreFiles } from "./store-files.ts";

/** A store that holds these paths, put in from these folders. */
function storeOf(files: [root: string | null, path: string][]): StoreFiles {
  const known = new StoreFiles();
  for (const [i, [root, path]] of files.entries()) {
    const attributes = { path, sha256: "x", ...(root !== null && { path_root: root }) };
    known.add({ id: `file-${i}`, status: "completed", last_error: null, attributes });
  }
  return known;
}

function left(known: StoreFiles, named: string[], chosen: ChosenRoot | null = null, exclude: string[] = []): string[] {
  const collected = collectFiles(named, { include: [], exclude, avoid: "/nowhere" });
  return filesThatLeft(known, collected, chosen).map(({ name }) => name.path);
}

test("what was put in from a folder and stands there no longer has left, and nothing else", () => {
  using dir = tempDir();
  const [here, elsewhere] = [folderRoot(dir.path), folderRoot("/elsewhere")];
  mkdirSync(dir.join("docs/node_modules"), { recursive: true });
  mkdirSync(dir.join("docs/sub"));
  for (const name of ["a.md", "empty.md", "picture.png", "node_modules/n.md"])
    writeFileSync(dir.join("docs", name), name === "empty.md" ? "" : "x");
  symlinkSync(dir.join("docs/a.md"), dir.join("docs/link.md"));
  const known = storeOf([
    ...["a.md", "gone.md", "empty.md", "picture.png", "node_modules/n.md", "link.md", "sub/deep/gone.md"].map(
      (name): [string, string] => [here, `docs/${name}`],
    ),
    [here, "other/gone.md"],
    [folderRoot(dir.join("docs/sub")), "below.md"],
    [elsewhere, "docs/gone.md"],
    [null, "docs/rootless.md"],
    ["team", "docs/named.md"],
  ]);
  const gone = ["docs/gone.md", "docs/link.md", "docs/sub/deep/gone.md", "below.md"];
  expect(left(known, [dir.join("docs")])).toEqual(gone);
  expect(left(known, [dir.join("docs")], null, ["*"])).toEqual(gone);
  expect(left(known, [dir.join("docs")], { folder: dir.path, name: "team" })).toEqual([...gone, "docs/named.md"]);
  expect(left(known, [dir.join("docs/a.md")])).toEqual([]);
});

test("a file in the other normal form of its name stands", () => {
  using dir = tempDir();
  mkdirSync(dir.join("docs"));
  writeFileSync(dir.join("docs/caf\u0065\u0301.md"), "x");
  const known = storeOf([[folderRoot(dir.path), "docs/caf\u00e9.md"]]);
  expect(left(known, [dir.join("docs")])).toEqual([]);
  rmSync(dir.join("docs/caf\u0065\u0301.md"));
  expect(left(known, [dir.join("docs")])).toEqual(["docs/caf\u00e9.md"]);
});
