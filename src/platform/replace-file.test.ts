import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { makeDirectory, replaceFile } from "./replace-file.ts";

test("a file is replaced by one of this user's own, whatever lies under its temporary name", () => {
  using dir = tempDir();
  const path = dir.join("cli.json");
  symlinkSync(dir.join("elsewhere"), `${path}.tmp`);
  replaceFile(path, "one");
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["one", 0o600]);
  expect([existsSync(dir.join("elsewhere")), existsSync(`${path}.tmp`)]).toEqual([false, false]);
  writeFileSync(`${path}.tmp`, "left behind", { mode: 0o666 });
  replaceFile(path, "two");
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["two", 0o600]);
});

test("a file that cannot be replaced leaves nothing of the new one", () => {
  using dir = tempDir();
  const path = dir.join("taken");
  mkdirSync(path);
  expect(() => replaceFile(path, "text")).toThrow();
  expect(existsSync(`${path}.tmp`)).toBe(false);
});

test("directories are made with those above them, and found where they are", () => {
  using dir = tempDir();
  for (let turn = 0; turn < 2; turn++) makeDirectory(dir.join("a", "b", "c"));
  expect(statSync(dir.join("a", "b", "c")).mode & 0o777).toBe(0o700);
});
