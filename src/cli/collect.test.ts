import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { collectFiles } from "./collect.ts";

/** A folder with the given files, gone at the end of the block. */
function folder(files: Record<string, string>) {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(dir.join(name)), { recursive: true });
    writeFileSync(dir.join(name), text);
  }
  return dir;
}

const OPTIONS = { include: [], exclude: [], avoid: "/nowhere" };
const keys = (files: { key: string }[]) => files.map((file) => file.key);

test("a folder is walked in name order; what holds no text, is hidden or generated is left out", () => {
  using dir = folder({
    "docs/b.md": "b",
    "docs/a/deep.txt": "deep",
    "docs/empty.py": "",
    "docs/picture.PNG": "x",
    "docs/.git/config": "x",
    "docs/node_modules/x/readme.md": "x",
    "docs/data/meta.sqlite": "x",
    "docs/data/blob": "x",
    "docs/notes.md~": "x",
    "docs/~$report.docx": "x",
    "docs/film.md.part": "x",
  });
  symlinkSync(dir.path, join(dir.path, "docs/loop"));
  const argument = join(dir.path, "docs");
  const { files, skipped } = collectFiles([argument], OPTIONS);
  const stamp = expect.any(String);
  expect(files).toEqual([
    { path: join(dir.path, "docs/a/deep.txt"), key: "docs/a/deep.txt", bytes: 4, stamp, argument },
    { path: join(dir.path, "docs/b.md"), key: "docs/b.md", bytes: 1, stamp, argument },
  ]);
  expect(Object.fromEntries(skipped)).toEqual({
    hidden: 1,
    temporary: 3,
    "generated folders": 2,
    empty: 1,
    "symbolic links": 1,
    "no text by their name": 1,
  });
});

test("a file that is named is taken whatever its name and size", () => {
  using dir = folder({ "a.png": "x", ".hidden": "" });
  const { files } = collectFiles([join(dir.path, "a.png"), join(dir.path, ".hidden")], OPTIONS);
  expect(keys(files)).toEqual(["a.png", ".hidden"]);
});

test("names in the store start below the folder that all arguments share, so two of the same name stay apart", () => {
  using dir = folder({ "x/readme.md": "1", "y/readme.md": "2" });
  const { files } = collectFiles([join(dir.path, "x"), join(dir.path, "y/readme.md")], OPTIONS);
  expect(keys(files)).toEqual(["x/readme.md", "y/readme.md"].map((key) => key));
});

test("a file that two arguments cover is taken once", () => {
  using dir = folder({ "docs/a.md": "1" });
  expect(keys(collectFiles([join(dir.path, "docs"), join(dir.path, "docs/a.md")], OPTIONS).files)).toEqual([
    "docs/a.md",
  ]);
});

test.each([
  [["*.md"], [], ["docs/a.md", "docs/sub/c.md"]],
  [["docs/sub/**"], [], ["docs/sub/c.md"]],
  [[], ["*.md"], ["docs/b.txt"]],
  [["*.md"], ["**/sub/**"], ["docs/a.md"]],
])("include %j and exclude %j leave %j", (include, exclude, expected) => {
  using dir = folder({ "docs/a.md": "1", "docs/b.txt": "2", "docs/sub/c.md": "3" });
  expect(keys(collectFiles([join(dir.path, "docs")], { ...OPTIONS, include, exclude }).files)).toEqual(expected);
});

test("the data directory is not entered, a missing path is named", () => {
  using dir = folder({ "docs/a.md": "1", "docs/data/b.md": "2" });
  const options = { ...OPTIONS, avoid: join(dir.path, "docs/data") };
  expect(keys(collectFiles([join(dir.path, "docs")], options).files)).toEqual(["docs/a.md"]);
  expect(() => collectFiles(["/no/such/place"], OPTIONS)).toThrow("/no/such/place does not exist or cannot be read.");
});
