/** The runner of the tests: what it makes of output, and that nothing is skipped but for lack of a program. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { failuresByFile, lastLine, readTotals } from "./helpers/runner-output.ts";

const ROOT = join(import.meta.dir, "..");

const OUTPUT = `\u001b[1msrc/a.test.ts:\u001b[0m
skipped for lack of: tesseract
src/b.test.ts:
error: it broke
(fail) b > breaks [1.00ms]
skipped for lack of: tesseract

 12 pass
 5 skip
 1 fail
Ran 18 tests across 2 files. [1.00s]`;

test("the last numbers, and what was missing, are read", () => {
  expect(readTotals(OUTPUT)).toEqual({ passed: 12, failed: 1, skipped: 5, lacking: ["tesseract", "tesseract"] });
  expect([...failuresByFile(OUTPUT, 40)]).toEqual([
    ["src/b.test.ts", ["src/b.test.ts:\nerror: it broke\n(fail) b > breaks [1.00ms]"]],
  ]);
});

test("the last line names what was missing once, and counts what passed only the second time", () => {
  const totals = { passed: 1800, failed: 0, skipped: 3, lacking: ["catdoc", "antiword", "catdoc"] };
  expect(lastLine(totals, 0)).toBe("1800 passed, 0 failed, 3 skipped for lack of a program: antiword, catdoc");
  expect(lastLine({ passed: 2, failed: 1, skipped: 0, lacking: [] }, 1)).toBe(
    "2 passed, 1 failed, 1 passed only when run again",
  );
});

test("a test is skipped for lack of a program and for nothing else", () => {
  const files = ["src", "test"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => join(ROOT, folder, name)),
  );
  const other = /\.skipIf\((?!lacks\()|\b(?:test|describe|it)\.(?:skip|todo|if|todoIf|failing)\(/;
  expect(files.filter((file) => other.test(readFileSync(file, "utf8")))).toEqual([]);
});
