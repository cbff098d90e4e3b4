/** The README's table of settings is the one that the program has. `UPDATE_README=1 bun test test/readme` rewrites it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { describeSettings } from "../src/config/config.ts";

const README = join(import.meta.dir, "../README.md");
const BLOCK = /(<!-- settings -->\n)[^]*?(<!-- \/settings -->)/;

function table(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = describeSettings().map(
    (row) =>
      `| \`--${row.option}\` | ${cell(row.help)} | ${cell(row.default)} | ${row.env
        .split(", ")
        .map((name) => `\`${name}\``)
        .join(", ")} |\n`,
  );
  return `| option | meaning | default | environment |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}

test("the README lists every setting as the program has it", () => {
  const text = readFileSync(README, "utf8");
  const wanted = text.replace(BLOCK, (_, open: string, close: string) => open + table() + close);
  if (process.env["UPDATE_README"]) writeFileSync(README, wanted);
  else expect(unpadded(text)).toBe(unpadded(wanted));
  expect(text).toMatch(BLOCK);
});

/** The formatter pads the cells of tables. */
const unpadded = (text: string) =>
  text
    .replace(/ +\|/g, " |")
    .replace(/-{3,}/g, "---")
    .replace(/\n{2,}/g, "\n");
