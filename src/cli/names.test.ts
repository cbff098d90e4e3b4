import { describe, expect, test } from "bun:test";
import { folderRoot, Naming, readRoot, storePath } from "./names.ts";
import type { ChosenRoot, FileName, Named } from "./names.ts";

/** A store that has these names. */
function known(names: FileName[]) {
  const key = ({ root, path }: FileName) => JSON.stringify([root, path]);
  const keys = new Set(names.map(key));
  return {
    has: (name: FileName) => keys.has(key(name)),
    hasRoot: (root: string) => names.some((name) => name.root === root),
  };
}

const at = (folder: string | null, path: string): FileName => ({ root: folder && folderRoot(folder), path });
const named = (folder: string | null, path: string): Named => ({ name: at(folder, path), adopted: false });

function nameOf(path: string, options: { has?: FileName[]; argument?: string; base?: string; root?: ChosenRoot } = {}) {
  const { has = [], argument = path, base = "/w", root = null } = options;
  return new Naming(known(has), base, root).name({ path, argument });
}

describe("a file has the same name", () => {
  const has = [at("/w", "docs/a.md")];
  test.each([
    ["by the folder", "/w/docs", "/w"],
    ["by the file itself", "/w/docs/a.md", "/w/docs"],
    ["by a folder above", "/w", "/"],
  ])("%s", (_, argument, base) => {
    expect(nameOf("/w/docs/a.md", { has, argument, base })).toEqual(named("/w", "docs/a.md"));
  });

  test("whichever way came first", () => {
    const byFile = [at("/w/docs", "a.md")];
    expect(nameOf("/w/docs/a.md", { has: byFile, argument: "/w", base: "/" })).toEqual(named("/w/docs", "a.md"));
  });
});

test("a new file is named from the nearest root of the store that holds what was named", () => {
  const has = [at("/w", "docs/a.md"), at("/", "x.md"), at("/w/docs/sub", "s.md")];
  expect(nameOf("/w/docs/sub/new.md", { has, argument: "/w/docs", base: "/w" })).toEqual(
    named("/w", "docs/sub/new.md"),
  );
  expect(nameOf("/w/docs/new.md", { has, base: "/w/docs" })).toEqual(named("/w", "docs/new.md"));
  expect(nameOf("/w/docs/sub/new.md", { has, argument: "/w/docs/sub" })).toEqual(named("/w/docs/sub", "new.md"));
});

test("two folders may hold the same relative path", () => {
  const has = [at("/v", "docs/a.md")];
  expect(nameOf("/w/docs/a.md", { has, argument: "/w/docs" })).toEqual(named("/w", "docs/a.md"));
});

test("what the store has without a root takes the root on; a bare name elsewhere stays another document", () => {
  const has = [at(null, "docs/a.md"), at(null, "a.md")];
  expect(nameOf("/w/docs/a.md", { has, argument: "/w/docs" })).toEqual({ name: at("/w", "docs/a.md"), adopted: true });
  expect(nameOf("/w/docs/sub/a.md", { has, argument: "/w/docs" }).adopted).toBe(false);
});

test("a named root holds wherever the folder stands", () => {
  const root = { folder: "/builds/17", name: "handbook" };
  expect(nameOf("/builds/17/docs/a.md", { root, has: [at("/builds/17", "docs/a.md")] })).toEqual({
    name: { root: "handbook", path: "docs/a.md" },
    adopted: false,
  });
  expect(() => nameOf("/elsewhere/a.md", { root })).toThrow("is not in /builds/17, the folder of --root.");
  expect(() => nameOf("/builds/171/a.md", { root })).toThrow("is not in");
});

test.each([
  ["handbook=docs", { name: "handbook", folder: "/real/docs" }],
  ["docs", { name: null, folder: "/real/docs" }],
  ["./a=b", { name: null, folder: "/real/./a=b" }],
  ["n=a=b", { name: "n", folder: "/real/a=b" }],
])("--root %s", (text, expected) => {
  expect(readRoot(text, (path) => `/real/${path}`)).toEqual(expected);
});

test("a root cannot be named like an unnamed one", () => {
  expect(() => readRoot(`${folderRoot("/x")}=docs`, (path) => path)).toThrow("cannot be named");
});

test.each([
  ["./a//b/./c.md", "a/b/c.md"],
  ["caf\u0065\u0301.md", "caf\u00e9.md"],
  ["..a/b", "..a/b"],
])("%j is %j in a store", (path, expected) => {
  expect(storePath(path)).toBe(expected);
});

test("a folder is the same root in either normal form", () => {
  expect(folderRoot("/caf\u0065\u0301")).toBe(folderRoot("/caf\u00e9"));
  expect(folderRoot("/caf\u00e9")).toMatch(/^folder-[0-9a-f]{16}$/);
});
