import { expect, test } from "bun:test";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { StartError, takeDataDir } from "./data-dir.ts";

const module = new URL("./data-dir.ts", import.meta.url).pathname;

function tryFromAnotherProcess(path: string): string {
  const code = `try { require(${JSON.stringify(module)}).takeDataDir(${JSON.stringify(path)}); console.log("taken") } catch (e) { console.log(e.name + ": " + e.message) }`;
  return Bun.spawnSync([process.execPath, "-e", code]).stdout.toString().trim();
}

test("a directory is made for its owner only, and leftovers in tmp go", () => {
  using dir = tempDir();
  const path = join(dir.path, "a/b");
  mkdirSync(join(path, "tmp"), { recursive: true });
  writeFileSync(join(path, "tmp/leftover"), "x");
  using _held = takeDataDir(path);
  expect(existsSync(join(path, "tmp/leftover"))).toBe(false);
  const fresh = join(dir.path, "fresh");
  using _fresh = takeDataDir(fresh);
  expect(statSync(fresh).mode & 0o777).toBe(0o700);
});

test("a second process is refused while the first holds it, and not afterwards", () => {
  using dir = tempDir();
  const held = takeDataDir(dir.path);
  expect(tryFromAnotherProcess(dir.path)).toMatch(
    new RegExp(
      `^StartError: another Lectern \\(process ${process.pid}, since 20[0-9T:-]+Z\\) is using the data directory`,
    ),
  );
  held[Symbol.dispose]();
  expect(tryFromAnotherProcess(dir.path)).toBe("taken");
});

test("a path that cannot be a directory is a StartError that names it", () => {
  using dir = tempDir();
  writeFileSync(join(dir.path, "file"), "");
  expect(() => takeDataDir(join(dir.path, "file/sub"))).toThrow(StartError);
  expect(() => takeDataDir(join(dir.path, "file"))).toThrow(StartError);
});
