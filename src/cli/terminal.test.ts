import { expect, test } from "bun:test";
import { fitWidth, formatBytes, formatDuration, printable, wrap } from "./terminal.ts";

test("text for a terminal holds no escape sequences and no direction changes", () => {
  expect(printable("a\x1b[31mred\x07\n\tb \u202Eevil\0")).toBe("a [31mred b evil");
});

test("lines are counted in cells, not in letters", () => {
  expect(wrap("alpha beta gamma", 11)).toEqual(["alpha beta", "gamma"]);
  for (const line of wrap("東京都の天気は晴れです".repeat(4), 10))
    expect(Bun.stringWidth(line)).toBeLessThanOrEqual(10);
  expect(wrap("", 10)).toEqual([]);
});

test("a cut line ends in an ellipsis and fits", () => {
  expect(fitWidth("short", 10)).toBe("short");
  expect(fitWidth("a long file name", 8)).toBe("a long …");
  expect(Bun.stringWidth(fitWidth("東京都の天気", 6))).toBeLessThanOrEqual(6);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1_250_000, "1.3 MB"],
  [123_456_789, "123 MB"],
])("%d bytes are %s", (bytes, expected) => expect(formatBytes(bytes)).toBe(expected));

test.each([
  [7.4, "0:07"],
  [750, "12:30"],
  [3723, "1:02:03"],
])("%d seconds are %s", (seconds, expected) => expect(formatDuration(seconds)).toBe(expected));
