import { describe, expect, test } from "bun:test";
import { MarkerReader } from "./markers.ts";

/** The text without markers, `‹n›` where they were; in pieces of so many characters. */
function read(text: string, size: number): string {
  const reader = new MarkerReader((number) => number >= 1 && number <= 9);
  let out = "";
  const take = (pieces: Iterable<ReturnType<MarkerReader["take"]> extends Generator<infer M> ? M : never>) => {
    for (const piece of pieces) out += piece.type === "text" ? piece.text : `‹${piece.numbers.join(",")}›`;
  };
  for (let at = 0; at < text.length; at += size) take(reader.take(text.slice(at, at + size)));
  take(reader.end());
  return out;
}

describe("a marker", () => {
  test.each([
    ["Days [1].", "Days‹1›."],
    ["Days [1]", "Days‹1›"],
    ["Days. [1] More", "Days.‹1› More"],
    ["Days[1]more", "Days‹1›more"],
    ["Days [1]more", "Days ‹1›more"],
    ["Days [1, 2].", "Days‹1,2›."],
    ["Days [1,2;3].", "Days‹1,2,3›."],
    ["Days [1][2].", "Days‹1›‹2›."],
    ["Days [1] [2].", "Days‹1›‹2›."],
    ["Days [2-4]!", "Days‹2,3,4›!"],
    ["Days [1–5]!", "Days‹1,2,3,4,5›!"],
    ["Days [1-6]!", "Days [1-6]!"],
    ["Days [4-2]!", "Days [4-2]!"],
    ["Days [[3]],", "Days‹3›,"],
    ["Days [^3].", "Days‹3›."],
    ["Days 【3】。", "Days‹3›。"],
    ["Days 【3†handbook.pdf】.", "Days‹3›."],
    ["Days  [1]\n\nMore", "Days‹1›\n\nMore"],
    ["“Days [1]”", "“Days‹1›”"],
  ])("%s is taken out: %s", (text, expected) => {
    for (const size of [1, 2, 5, 100]) expect([size, read(text, size)]).toEqual([size, expected]);
  });

  test.each([
    "Days [10].",
    "Days [0].",
    "Days [1, 12].",
    "See [1](https://example.org).",
    "See [text] and [ ] and [x1].",
    "`a[1]` stays",
    "``a ` [1]`` stays",
    "```\na[1]\n[2]\n```\nstays",
    "[^1]: a footnote",
    "An open [",
    "An open [1",
    "An open [1, ",
    "Spaces   at the end   ",
    "【no】",
    "a   b  [c]",
  ])("%s stays as it is", (text) => {
    for (const size of [1, 2, 5, 100]) expect([size, read(text, size)]).toEqual([size, text]);
  });

  test("counts again after code, and after a tick that was never closed", () => {
    for (const size of [1, 3, 100]) {
      expect(read("`x` [1].", size)).toBe("`x`‹1›.");
      expect(read("a ` b [1].\n\nc [2].", size)).toBe("a ` b [1].\n\nc‹2›.");
    }
  });

  test("is never waited for long", () => {
    const reader = new MarkerReader(() => true);
    const given = [...reader.take(`Days [1${", 1".repeat(20)}`)];
    expect(given).not.toEqual([{ type: "text", text: "Days" }]);
  });

  test("takes linear time, whatever comes", () => {
    const reader = new MarkerReader(() => true);
    const began = performance.now();
    for (const text of [" ", "[", "`", "[1", "【"]) for (const _ of reader.take(text.repeat(200_000)));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
