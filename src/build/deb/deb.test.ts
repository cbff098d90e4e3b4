import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { lacks } from "../../../test/helpers/lacks.ts";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { readConfig, redactedConfig } from "../../config/config.ts";
import { debianVersion } from "./control.ts";
import { makeDeb } from "./make.ts";
import { settingsFile } from "./settings-file.ts";

const configOf = (text: string) =>
  readConfig({ argv: ["--config", "x.toml"], env: {}, machine: { cpus: 2 }, readFile: () => text });

test("the settings file is accepted as it is, and says every default truly", () => {
  const text = settingsFile();
  expect(Object.keys(parse(text))).toEqual(["data"]);
  const asDefault = redactedConfig(configOf(text));
  // Those that follow from the machine have no value to uncomment.
  const uncommented = text.replaceAll(/^#([a-z][a-z-]* = \S)/gm, "$1");
  expect(redactedConfig(configOf(uncommented))).toEqual(asDefault);
  expect(uncommented.match(/^[a-z-]+ = /gm)?.length).toBeGreaterThan(50);
});

test("versions before a release come before it", () => {
  expect([debianVersion("0.2.0"), debianVersion("0.2.0-rc.1")]).toEqual(["0.2.0", "0.2.0~rc.1"]);
});

test.skipIf(lacks("dpkg-deb"))(
  "the package is one that dpkg reads, the same bytes each time, everything in it root's",
  async () => {
    using dir = tempDir();
    const executable = dir.join("lectern");
    writeFileSync(executable, "not really");
    const packed = async (folder: string) => {
      mkdirSync(dir.join(folder));
      const options = { executable, architecture: "amd64", mtime: 1_700_000_000, folder: dir.join(folder) };
      return await makeDeb({ ...options, version: "1.2.0-rc.1" });
    };
    const [one, two] = [await packed("a"), await packed("b")];
    expect(one).toEndWith("/a/lectern_1.2.0~rc.1_amd64.deb");
    expect(Buffer.compare(await Bun.file(one).bytes(), await Bun.file(two).bytes())).toBe(0);
    const info = await Bun.$`dpkg-deb --info ${one}`.quiet().text();
    expect(info).toContain("Version: 1.2.0~rc.1");
    const list = (await Bun.$`dpkg-deb --contents ${one}`.quiet().text()).trimEnd().split("\n");
    expect(list.filter((line) => !/^[d-]rw.r-.r-. (root\/root|0\/0) /.test(line))).toEqual([]);
    expect(list.find((line) => line.endsWith("./usr/bin/lectern"))).toStartWith("-rwxr-xr-x");
    // Every folder stands before what is in it.
    const names = list.map((line) => line.slice(line.indexOf("./")));
    const orphans = names.filter((name, i) => {
      const folder = name.replace(/[^/]+\/?$/, "");
      return folder !== "" && names.indexOf(folder) >= i && name !== "./";
    });
    expect(orphans).toEqual([]);
  },
  30_000,
);
