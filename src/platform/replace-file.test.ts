import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { replaceFile } from "./replace-file.ts";

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
