import { describe, expect, test } from "bun:test";
import { compare, stepsOf, withIds } from "./transcript.ts";

const ID = "vs_09KmQB8Yyq9vtPRpMNTFnOSk";
const OTHER = "vs_aaaaaaaaaaaaaaaaaaaaaaaa";

describe("stepsOf", () => {
  test("reads commands, their further lines and what they print", () => {
    const text = "$ one \\\n    --two\nout\n\nmore\n$ cat > f <<'E'\nx\nE\n$ three |\n    four";
    expect(stepsOf(text)).toEqual([
      { command: "one \\\n    --two", expected: "out\n\nmore\n" },
      { command: "cat > f <<'E'\nx\nE", expected: "" },
      { command: "three |\n    four", expected: "" },
    ]);
  });

  test("refuses output without a command", () => expect(() => stepsOf("out")).toThrow("begins with a command"));
});

describe("compare", () => {
  const same: [name: string, expected: string, actual: string][] = [
    ["the same text", "a (b) [c]\n", "a (b) [c]"],
    ["nothing", "", ""],
    ["any text in a line", "a … d", "a b c d"],
    ["any lines", "a\n…\nd", "a\nb\nc\nd"],
    ["no line where any may be", "a\n…", "a"],
    ["a key", "sk-lec-C0yK…", "sk-lec-ISed4HqTIDTOIGJyKOTmL075"],
    ["times and durations", '{"at":1795858544} 0:02', '{"at":1799999999} 1:30'],
    ["decimals that are near", "score 0.640", "score 0.667"],
    ["a whole number where a decimal is near", "1.02", "1"],
    ["sizes", "33.2 kB", "40.9 kB"],
  ];
  test.each(same)("takes %s", (_, expected, actual) => expect(compare(expected, actual, new Map())).toBeNull());

  const different: [name: string, expected: string, actual: string][] = [
    ["another text", "a", "b"],
    ["more lines", "a", "a\nb"],
    ["fewer lines", "a\nb", "a"],
    ["decimals that are far", "0.640", "0.140"],
    ["another whole number", "5 indexed", "4 indexed"],
    ["another version", "0.1.0", "0.2.0"],
  ];
  test.each(different)("refuses %s", (_, expected, actual) =>
    expect(compare(expected, actual, new Map())).toBeString(),
  );

  test("learns which id stands for which, and holds to it", () => {
    const ids = new Map<string, string>();
    expect(compare(`store ${ID}`, `store ${OTHER}`, ids)).toBeNull();
    expect(withIds(`search ${ID}`, ids)).toBe(`search ${OTHER}`);
    expect(compare(ID, "vs_bbbbbbbbbbbbbbbbbbbbbbbb", ids)).toContain("stood for");
  });
});
