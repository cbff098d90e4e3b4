/** What every document has in common: who it is for, its size, and links that lead somewhere. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../helpers/server.ts";
import { anchorsOf, blocksOf, pages, readPage, withoutBlocks } from "./pages.ts";

const README_BYTES = 10_000;
/** Blocks that show a program's answer or a file, but nothing to run. */
const NOT_RUN = new Set(["text", "json"]);
const RUN = new Set(["console", "sh", "ts", "python", "toml", "setup"]);
const MOST_UNRUN = 10;

describe("blocksOf", () => {
  test("reads fences, marks, setups and reasons", () => {
    const text = "<!-- no-run: far -->\n\n```sh\na\n```\n<!-- setup\nb\n-->\n````console wait\n```\n````\n";
    expect(blocksOf(text)).toEqual([
      { line: 3, language: "sh", marks: [], text: "a", noRun: "far" },
      { line: 6, language: "setup", marks: [], text: "b", noRun: null },
      { line: 9, language: "console", marks: ["wait"], text: "```", noRun: null },
    ]);
  });
});

test("anchors are those of forges", () => {
  expect([...anchorsOf("# `A` b, c?\n```sh\n# no\n```\n## A\n## A\n### [x](y.md)s\n")]).toEqual([
    "a-b-c",
    "a",
    "a-1",
    "xs",
  ]);
});

test("the README is short and leads to every document", () => {
  const readme = readPage("README.md");
  expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(README_BYTES);
  const linked = linksOf(readme).map((link) => link.split("#")[0]);
  expect(pages().filter((page) => page !== "README.md" && !linked.includes(page))).toEqual([]);
});

describe.each(pages())("%s", (page) => {
  const text = readPage(page);

  test("says in its first line who it is for", () => {
    expect(text).toMatch(/^# .+\n\nFor /);
  });

  test("has no link that leads nowhere", () => {
    const dead = linksOf(text).filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(readPage(target)).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  test("has blocks that are run, or say why not", () => {
    const odd = blocksOf(text).filter(({ language }) => !RUN.has(language) && !NOT_RUN.has(language));
    expect(odd.map(({ line, language }) => `${page}:${line} ${language}`)).toEqual([]);
  });
});

test("few blocks are not run", () => {
  // What needs a release is run where there is one.
  const isElsewhere = (reason: string) => reason.startsWith("test/release runs");
  const unrun = pages().flatMap((page) =>
    blocksOf(readPage(page)).filter(({ noRun }) => noRun !== null && !isElsewhere(noRun)),
  );
  expect(unrun.length).toBeLessThanOrEqual(MOST_UNRUN);
});

/** Relative ones. */
function linksOf(text: string): string[] {
  const outside = withoutBlocks(text).replace(/`[^`\n]*`/g, "");
  return [...outside.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}
