import { describe, expect, test } from "bun:test";
import { attachment, displayName } from "./filename.ts";

describe("a display name", () => {
  test.each([
    ["report.pdf", "report.pdf"],
    ["../../etc/passwd", "etc/passwd"],
    ["..\\..\\windows\\system.ini", "windows/system.ini"],
    ["C:\\Users\\me\\a.txt", "Users/me/a.txt"],
    ["/abs/olute.md", "abs/olute.md"],
    ["./docs/./guide.md", "docs/guide.md"],
    ["a\u0000b\u001b[31m.txt", "ab[31m.txt"],
    ["evil\u202etxt.exe", "eviltxt.exe"],
    ["new\r\nline.txt", "newline.txt"],
    ["日本語.pdf", "日本語.pdf"],
    ["50%22.txt", '50".txt'],
    ["lone\ud800surrogate.txt", "lone\ufffdsurrogate.txt"],
    ["", "upload"],
    [undefined, "upload"],
    ["..", "upload"],
    ["  spaced .txt ", "spaced .txt"],
  ])("of %j is %j", (sent, shown) => {
    expect(displayName(sent)).toBe(shown);
  });

  test("is cut to 512 bytes between characters and keeps its extension", () => {
    const name = displayName(`${"é".repeat(5000)}.pdf`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(512);
    expect(name).toEndWith("é.pdf");
    expect(Buffer.byteLength(displayName(`a.${"x".repeat(2000)}`))).toBe(512);
  });
});

test("a download is saved under the last part of the name, in both spellings", () => {
  expect(attachment('docs/a"b é.txt')).toBe(`attachment; filename="a_b _.txt"; filename*=UTF-8''a%22b%20%C3%A9.txt`);
});
