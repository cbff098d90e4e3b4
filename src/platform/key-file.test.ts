import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { readKeyFile } from "./key-file.ts";

test("a key is the text of a file, without the white space around it", () => {
  using dir = tempDir();
  const path = dir.join("key");
  writeFileSync(path, "\n  sk-house key \n\n", { mode: 0o600 });
  expect(readKeyFile(path)).toEqual({ ok: true, key: "sk-house key", isOpenToOthers: false });
  symlinkSync(path, dir.join("link"));
  expect(readKeyFile(dir.join("link"))).toMatchObject({ ok: true, key: "sk-house key" });
  for (const mode of [0o640, 0o604, 0o644]) {
    chmodSync(path, mode);
    expect(readKeyFile(path)).toMatchObject({ ok: true, isOpenToOthers: true });
  }
});

test("what is no file with one key is refused, and nothing waits for it", () => {
  using dir = tempDir();
  mkdirSync(dir.join("folder"));
  writeFileSync(dir.join("empty"), " \n");
  writeFileSync(dir.join("lines"), "one\ntwo\n");
  writeFileSync(dir.join("zero"), "a\0b");
  writeFileSync(dir.join("large"), "a".repeat(64 * 1024 + 1));
  expect(Bun.spawnSync(["mkfifo", dir.join("pipe")]).exitCode).toBe(0);
  const problems = ["missing", "folder", "empty", "lines", "zero", "large", "pipe"].map((name) => {
    const read = readKeyFile(dir.join(name));
    return read.ok ? null : read.problem;
  });
  expect(problems).toEqual([
    "cannot be read (ENOENT)",
    "is not a file",
    "is empty",
    "holds more than one line",
    "holds more than one line",
    "is larger than 64 KiB, so it is no key",
    "is not a file",
  ]);
});
