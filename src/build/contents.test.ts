import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { packagesIn } from "./contents.ts";

const HASH = `sha512-${Buffer.alloc(64, 7).toString("base64")}`;

function write(dir: TempDir, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(dir.join(path)), { recursive: true });
    writeFileSync(dir.join(path), text);
  }
}

test("what is bundled or named is listed once a version, with the texts of its licence wherever they lie in it", () => {
  using dir = tempDir();
  write(dir, {
    NOTICE: "MIT License\n  named   Copyright A\n",
    "bun.lock": `{\n    "named": ["named@1.0.0", "", {}, "${HASH}"],\n    "deep": ["deep@2.0.0", "", {}, "${HASH}"],\n}`,
    "node_modules/named/package.json": '{ "name": "named", "version": "1.0.0", "licenses": [{ "type": "MIT" }] }',
    "node_modules/named/LICENSE": "one",
    "node_modules/named/wasm/LICENSE_OTHER": "two",
    "node_modules/named/node_modules/deep/package.json": '{ "name": "deep", "version": "2.0.0", "license": "ISC" }',
    "node_modules/deep/package.json": '{ "name": "deep", "version": "2.0.0", "license": "ISC" }',
  });
  const inputs = ["node_modules/named/node_modules/deep/a.js", "node_modules/deep/a.js"].map((path) => dir.join(path));
  const packages = packagesIn(dir.path, inputs);
  expect(packages.map(({ name, version, licence }) => [name, version, licence])).toEqual([
    ["deep", "2.0.0", "ISC"],
    ["named", "1.0.0", "MIT"],
  ]);
  expect(packages[1]).toMatchObject({ sha512: "07".repeat(64), licenceText: "one\n\ntwo\n" });
});

test("a package that no lock file vouches for, or that names no licence, ends the build", () => {
  using dir = tempDir();
  const list = () => packagesIn(dir.path, [dir.join("node_modules/x/a.js")]);
  write(dir, { NOTICE: "", "bun.lock": "{}", "node_modules/x/package.json": '{ "name": "x", "version": "1.0.0" }' });
  expect(list).toThrow("x@1.0.0 is not in bun.lock");
  write(dir, { "bun.lock": `{\n    "x": ["x@1.0.0", "", {}, "${HASH}"],\n}` });
  expect(list).toThrow("x names no licence");
});
