import { expect, test } from "bun:test";
import { mkdirSync, readlinkSync, statSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { gzip, packTar, withFolders } from "./archive.ts";
import { unpackArchive } from "./unpack-archive.ts";

const ENTRIES = [
  { name: "top/bin/run", content: "#!/bin/sh\n", mode: 0o755 },
  { name: "top/a.txt", content: "a" },
  { name: "top/link", target: "a.txt" },
  { name: "top/own/", mode: 0o700, owner: 10001 },
];

test("the order in which files are given changes no byte, and tar reads modes, folders and links", async () => {
  using dir = tempDir();
  const bytes = gzip(packTar(withFolders(ENTRIES), 1_700_000_000));
  expect(gzip(packTar(withFolders(ENTRIES.toReversed()), 1_700_000_000))).toEqual(bytes);
  await Bun.write(dir.join("it.tar.gz"), bytes);
  mkdirSync(dir.join("out"));
  await Bun.$`tar -xpzf it.tar.gz -C out --no-same-owner`.cwd(dir.path);
  const modeOf = (path: string) => statSync(dir.join("out/top", path)).mode & 0o7777;
  expect([modeOf("bin/run"), modeOf("a.txt"), modeOf("own"), modeOf("bin")]).toEqual([0o755, 0o644, 0o700, 0o755]);
  expect(readlinkSync(dir.join("out/top/link"))).toBe("a.txt");
  expect(statSync(dir.join("out/top/a.txt")).mtimeMs).toBe(1_700_000_000_000);
  const list = await Bun.$`tar -tvzf it.tar.gz --numeric-owner`.cwd(dir.path).text();
  expect(list).toMatch(/10001\/10001 .* top\/own\//);
  const { files, mtime } = await unpackArchive(dir.join("it.tar.gz"));
  expect([mtime, files.map(({ name }) => name)]).toEqual([1_700_000_000, ["a.txt", "bin/run"]]);
});
