/** What `make release` makes: the same bytes from any folder, everything that belongs to it, and nothing of the maker's. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ourText } from "../../src/build/contents.ts";
import { VERBS } from "../../src/cli/verbs.ts";
import { version } from "../../src/platform/build-info.ts";
import { blocksOf, readPage } from "../docs/pages.ts";
import { openShell } from "../docs/shell.ts";
import { compare, stepsOf } from "../docs/transcript.ts";
import { lacks } from "../helpers/lacks.ts";
import { plainEnv, ROOT } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { CHECKOUTS, isBuilt, ownTarget, releaseFile } from "./places.ts";

const own = ownTarget();
const dir = tempDir();
const top = dir.join(`lectern-${version}-${own.name}`);

beforeAll(async () => {
  isBuilt(own);
  await Bun.$`tar -xzf ${releaseFile(`${own.name}.tar.gz`)} -C ${dir.path}`;
});

test("two folders give the same bytes", () => {
  for (const ending of [`${own.name}.tar.gz`, `${own.name}.cdx.json`]) {
    const [one, other] = CHECKOUTS.map((checkout) => readFileSync(releaseFile(ending, checkout)));
    expect(Bun.hash(one ?? "")).toBe(Bun.hash(other ?? "-"));
  }
});

test("the archive has what belongs to it, of root, at the time of the commit", async () => {
  const list = await Bun.$`tar -tvzf ${releaseFile(`${own.name}.tar.gz`)} --numeric-owner --utc`.text();
  const lines = list.trim().split("\n");
  expect(new Set(lines.map((line) => line.split(/\s+/)[1]))).toEqual(new Set(["0/0"]));
  expect(new Set(lines.map((line) => line.split(/\s+/).slice(3, 5).join(" "))).size).toBe(1);
  const wanted = [
    "LICENSE",
    "NOTICE",
    "README.md",
    "completions/_lectern",
    "completions/lectern.bash",
    "completions/lectern.fish",
    "docs/install.md",
    "licences/LGPL-2.1.txt",
    "licences/bun.txt",
    "licences/onnxruntime-third-party.txt",
    "man/man1/lectern.1",
  ];
  for (const name of wanted) expect([name, existsSync(join(top, name))]).toEqual([name, true]);
  expect(statSync(join(top, "lectern")).mode & 0o777).toBe(0o755);
});

test("every work that NOTICE names has its licence there", () => {
  const names = [...readFileSync(join(ROOT, "NOTICE"), "utf8").matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(40);
  const files = readdirSync(join(top, "licences"));
  for (const name of names) {
    const file = files.find((one) => one.replace(/(-\d[^-]*)?\.txt$/, "") === name.replace("/", "__"));
    expect([name, file]).toEqual([name, expect.any(String)]);
  }
  expect(readFileSync(join(top, "licences/bun.txt"), "utf8").trim()).toBe(ourText(ROOT, "bun.txt"));
});

test("nothing tells where it was built", async () => {
  const executable = readFileSync(join(top, "lectern"));
  for (const place of [...CHECKOUTS, ROOT]) expect([place, executable.includes(place)]).toEqual([place, false]);
  const elsewhere = await Bun.$`./lectern version`.cwd(top).env(plainEnv()).text();
  expect(elsewhere).toStartWith(`lectern ${version} (`);
  expect(elsewhere).toContain(own.name);
});

describe("what the document on installing shows", () => {
  const shown = blocksOf(readPage("docs/install.md"))
    .filter(({ language }) => language === "console")
    .flatMap(({ text }) => stepsOf(text));
  test.skipIf(lacks("jq") || own.name !== "linux-x64")("is what happens", async () => {
    using place = tempDir();
    for (const name of [`${own.name}.tar.gz`, `${own.name}.cdx.json`])
      await Bun.$`cp ${releaseFile(name)} ${place.path}`;
    await Bun.$`cp ${join(CHECKOUTS[0], "dist/release/SHA256SUMS")} ${place.path}`;
    using shell = openShell(place.path, plainEnv({ PREFIX: place.join("prefix") }));
    expect(shown.length).toBeGreaterThan(10);
    for (const { command, expected } of shown) {
      const { status, out, err } = await shell.run(command);
      expect([command, status, compare(expected, out, new Map()), err]).toEqual([command, 0, null, ""]);
    }
  });
});

test("bash completes verbs from the installed script", async () => {
  const script = `source "$1"; COMP_WORDS=(lectern hea); COMP_CWORD=1; _lectern; echo "\${COMPREPLY[@]}"`;
  expect(await Bun.$`bash -c ${script} bash ${join(top, "completions/lectern.bash")}`.text()).toBe("health\n");
});

test.skipIf(lacks("groff"))("the manual page is clean roff and names every verb", async () => {
  const page = await Bun.$`groff -man -Tutf8 -ww -rF0 -P-cbou ${join(top, "man/man1/lectern.1")}`.quiet();
  expect(page.stderr.toString()).toBe("");
  const text = page.stdout.toString();
  for (const verb of Object.keys(VERBS)) expect(text).toMatch(new RegExp(`^ +lectern +${verb}\\b`, "m"));
  for (const words of ["--min-free-disk-mb", "LECTERN_MIN_FREE_DISK_MB", "EXIT STATUS"]) expect(text).toContain(words);
});
