import { describe, expect, test } from "bun:test";
import { attachment, displayName, safeMime } from "./filename.ts";

describe("a display name", () => {
  test.each([
    ["report.pdf", "report.pdf"],
    ["home/anna/docs/refunds.md", "refunds.md"],
    ["/home/anna/refunds.md", "refunds.md"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\windows\\system.ini", "system.ini"],
    ["C:\\Users\\me\\a.txt", "a.txt"],
    ["C:a.txt", "C:a.txt"],
    ["\\\\server\\share\\a.txt", "a.txt"],
    ["mixed\\and/both\\a.txt", "a.txt"],
    ["folder/", "folder"],
    ["./docs/./guide.md", "guide.md"],
    ["a\u0000b\u001b[31m.txt", "ab[31m.txt"],
    ["evil\u202etxt.exe", "eviltxt.exe"],
    ["new\r\nline.txt", "newline.txt"],
    ["日本語.pdf", "日本語.pdf"],
    ["50%22.txt", '50".txt'],
    ["lone\ud800surrogate.txt", "lone\ufffdsurrogate.txt"],
    ["Pru\u0308fung.pdf", "Prüfung.pdf"],
    ["\u1112\u1161\u11ab.txt", "한.txt"],
    ["", "upload"],
    [undefined, "upload"],
    ["..", "upload"],
    ["/", "upload"],
    ["C:\\", "upload"],
    ["  spaced .txt ", "spaced .txt"],
  ])("of %j is %j", (sent, shown) => {
    expect(displayName(sent)).toBe(shown);
  });

  test.each([
    ["=?UTF-8?B?UHLDvGZ1bmcucGRm?=", "Prüfung.pdf"],
    ["=?utf-8?q?Pr=C3=BCfung_2.pdf?=", "Prüfung 2.pdf"],
    ["=?ISO-8859-1?Q?Pr=FCfung.pdf?=", "Prüfung.pdf"],
    ["=?UTF-8?B?5pel5pys?= =?UTF-8?B?6KqeLnBkZg==?=", "日本語.pdf"],
    ["=?UTF-8?Q?home/anna/refunds.md?=", "refunds.md"],
    ["=?UTF-8?Q?a=00b=0D=0A.txt?=", "ab.txt"],
    ["what=?.txt", "what=?.txt"],
    ["=?nonsense?=.txt", "=?nonsense?=.txt"],
  ])("of the encoded words %j is %j", (sent, shown) => {
    expect(displayName(sent)).toBe(shown);
  });

  test.each([
    ["docs/guide.md", "docs/guide.md"],
    ["../../etc/passwd", "etc/passwd"],
    ["C:\\Users\\me\\a.txt", "Users/me/a.txt"],
    ["/abs/olute.md", "abs/olute.md"],
    ["./docs/./guide.md", "docs/guide.md"],
  ])("of %j keeps its folders where they are asked for", (sent, shown) => {
    expect(displayName(sent, { keepsFolders: true })).toBe(shown);
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

test.each([
  ["text/plain", "text/plain"],
  ["Text/HTML; charset=utf-8", "text/html"],
  ["application/vnd.ms-excel", "application/vnd.ms-excel"],
  ["text/plain\r\nx-more: 1", null],
  ["\u2603/x", null],
  ["text/plain x", null],
  ["text", null],
  ["", null],
  [`text/${"x".repeat(200)}`, null],
])("%j as a media type is %j", (sent, expected) => {
  expect(safeMime(sent)).toBe(expected);
});
