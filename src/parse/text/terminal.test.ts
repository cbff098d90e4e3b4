import { gzipSync } from "node:zlib";
import { describe, expect, test } from "bun:test";

import { makeDocx } from "../../../test/fixtures/parse/make-office.ts";
import { textOf } from "../../../test/fixtures/parse/read.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { parseDocument } from "../parse.ts";
import { plainOfTerminal } from "./terminal.ts";

const bold = (text: string): string => text.replace(/\S/g, "$&\b$&");
const underlined = (text: string): string => text.replace(/\S/g, "_\b$&");

describe("text for terminals", () => {
  test("of a manual page has its words once", async () => {
    const page =
      `${bold("NAME")}\n     ${underlined("file")} is read by ${bold("cat").replaceAll("\b", "\b")}.\n`.repeat(30);
    expect(await textOf(page, "cat.txt")).toBe("NAME\n     file is read by cat.\n".repeat(30).replace(/^/, ""));
  });

  test.each([
    ["\x1b[31mERROR\x1b[0m disk", "ERROR disk"],
    ["\x1b[38;2;1;2;3mx\x1b[K \x1b]0;title\x07y \x1b(Bz", "x y z"],
    ["\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["N\bN\bN_\bx x\b_ +\bo ä\bä _\b_", "Nx x o ä _"],
    ["abc\b\b\bd", "abcd"],
    ["end\n\x1a", "end\n"],
    ["a\x02b\x1ec", "a b c"],
    ["plain", "plain"],
  ])("%j is %j", (raw, text) => {
    expect(plainOfTerminal(raw)).toBe(text);
  });
});

describe("text with bytes that text has not is still text", () => {
  test.each([
    [
      "a log that was padded by a crash",
      `${"2024-05-06 INFO started\n".repeat(20)}${"\0".repeat(4096)}2024-05-06 INFO again\n`,
      "INFO again",
    ],
    ["a log that is mostly padding", `one line\n${"\0".repeat(60_000)}`, "one line"],
    ["fields apart by control characters", "name\x01city\x01Ann\x02Köln\x01".repeat(100), "Köln"],
    ["records of a JSON sequence", '\x1e{"a":1}\n\x1e{"b":2}\n'.repeat(3), '{"b":2}'],
  ])("%s", async (_name, content, part) => {
    expect(await textOf(content, "a.log")).toContain(part);
  });

  test.each([
    ["zeros alone", new Uint8Array(5000)],
    ["numbers", Uint8Array.from({ length: 4000 }, (_, i) => (i * 37) % 32)],
    ["random bytes", Uint8Array.from({ length: 4000 }, (_, i) => (i * i * 31 + i * 7) % 256)],
  ])("but %s are not", async (_name, bytes) => {
    const result = await parseDocument({ bytes, filename: "a.txt", contentType: null });
    expect(result).toMatchObject({ ok: false, error: { code: "unsupported_file" } });
  });
});

describe("a file packed with gzip", () => {
  test("is read as the text in it, by its name", async () => {
    expect(await textOf(gzipSync("words of a text"), "a.txt.gz")).toBe("words of a text");
    const result = await parseDocument({
      bytes: gzipSync("# Head\n\ntext"),
      filename: "a.md.gz",
      contentType: "application/gzip",
    });
    expect(result).toMatchObject({ ok: true, document: { kind: "markdown", headings: [{ text: "Head" }] } });
  });

  test.each([
    [
      "holds something else",
      gzipSync(makeDocx("<w:p/>")),
      "unsupported_file: The file is packed with gzip, and what it holds is no plain text.",
    ],
    [
      "is itself packed",
      gzipSync(gzipSync("x")),
      "unsupported_file: The file is packed with gzip, and what it holds is no plain text.",
    ],
    [
      "is cut off",
      gzipSync("words ".repeat(1000)).subarray(0, 30),
      "invalid_file: The file is packed with gzip and is damaged or cut off.",
    ],
    ["holds nothing", gzipSync(""), "invalid_file: The file is packed with gzip and holds nothing."],
    [
      "is a bomb",
      gzipSync(Buffer.alloc(30_000_000)),
      "invalid_file: The file unpacks to more data than this server accepts.",
    ],
  ])("is refused where it %s", async (_name, bytes, message) => {
    const result = await parseDocument({ bytes, filename: "a.gz", contentType: null }, DEFAULT_LIMITS);
    expect(result.ok ? "read" : `${result.error.code}: ${result.error.message}`).toStartWith(message);
  });
});
