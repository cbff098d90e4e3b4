import { describe, expect, test } from "bun:test";
import { zipSync } from "fflate";

import { makeDocx, makeEpub, makeOdf, makePptx, makeXlsx, makeZip } from "../../test/fixtures/parse/make-office.ts";
import { biff, makeOle, u16 } from "../../test/fixtures/parse/make-ole.ts";
import { linesAt, makePdf } from "../../test/fixtures/parse/make-pdf.ts";
import { mutate } from "../../test/fixtures/parse/mutate.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { chunkDocument } from "../chunk/chunk.ts";
import type { ParsedDocument } from "./document.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import type { ParseLimits } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { ZipArchive } from "./zip.ts";

async function outcome(
  content: Uint8Array | string,
  filename: string,
  limits: Partial<ParseLimits> = {},
): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const result = await parseDocument({ bytes, filename, contentType: null }, { ...DEFAULT_LIMITS, ...limits });
  return result.ok
    ? `${result.document.kind}: ${result.document.text.length}`
    : `${result.error.code}: ${result.error.message}`;
}

const TOO_LARGE = "invalid_file: The file unpacks to more data than this server accepts.";

describe("bounds", () => {
  test("stop a bomb by its ratio after its first megabyte", async () => {
    const bomb = makeZip({ "a.txt": new Uint8Array(100_000_000) });
    expect(await outcome(bomb, "a.zip", { maxInflatedBytes: Infinity })).toBe(TOO_LARGE);
    const zip = new ZipArchive(bomb, DEFAULT_LIMITS);
    const started = performance.now();
    expect(() => zip.read("a.txt")).toThrow();
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("stop an archive by what all its members unpack to", async () => {
    const noise = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 7919) % 251);
    const archive = makeZip(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}.txt`, noise])));
    expect(await outcome(archive, "a.zip", { maxInflatedBytes: 2_000_000 })).toBe(TOO_LARGE);
  });

  test("stop members that lie about their size", () => {
    const bytes = zipSync({ "a.txt": new Uint8Array(5_000_000) });
    new DataView(bytes.buffer).setUint32(bytes.length - 22 - 51 + 24, 10, true);
    const zip = new ZipArchive(bytes, { ...DEFAULT_LIMITS, maxInflatedBytes: 1_000_000 });
    expect(() => zip.read("a.txt")).toThrow("unpacks to more data");
  });

  test("hold for entries, pages and text", async () => {
    const many = makeZip(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}.txt`, "x"])));
    expect(await outcome(many, "a.zip", { maxArchiveEntries: 20 })).toContain("more files than this server accepts");
    const pdf = makePdf(Array.from({ length: 5 }, () => ({ items: linesAt(["text"], 72, 700) })));
    expect(await outcome(pdf, "a.pdf", { maxPages: 4 })).toBe(
      "invalid_file: The PDF has 5 pages; this server accepts 4 in one document.",
    );
    expect(await outcome("words ".repeat(1000), "a.txt", { maxTextLength: 1000 })).toContain(
      "more text than this server accepts",
    );
  });

  test("hold for a workbook whose cells all show one huge string", async () => {
    const cells = `<row>${'<c t="s"><v>0</v></c>'.repeat(1000)}</row>`.repeat(20);
    expect(
      await outcome(makeXlsx([{ name: "S", rows: cells }], ["x".repeat(30_000)]), "a.xlsx", {
        maxTextLength: 50_000_000,
      }),
    ).toContain("more text");
  });

  test("leave entities as they are", async () => {
    const lol = `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`;
    expect(await outcome(`<?xml version="1.0"?>${lol}<l>&b;</l>`, "a.xml")).toBe("xml: 3");
  });
});

describe("depth", () => {
  const cases: [name: string, content: string, filename: string, outcome: string][] = [
    ["JSON", "[".repeat(100_000) + "]".repeat(100_000), "a.json", "json: 200000"],
    ["unclosed JSON", '{"a":'.repeat(100_000), "a.json", "json: 500000"],
    ["HTML", `${"<div>".repeat(50_000)}deep`, "a.html", "html: 4"],
    ["HTML tables", `${"<table><tr><td>".repeat(20_000)}deep`, "a.html", "html: 4"],
    ["XML", `<?xml version="1.0"?>${"<a>".repeat(50_000)}deep`, "a.xml", "xml: 4"],
    ["RTF", `{\\rtf1${"{\\b ".repeat(200_000)}deep`, "a.rtf", "rtf: 4"],
    ["Markdown", `${"> ".repeat(50_000)}deep`, "a.md", "markdown: 100004"],
  ];
  for (const [name, content, filename, expected] of cases) {
    test(`of ${name} costs no stack`, async () => {
      expect(await outcome(content, filename)).toBe(expected);
    });
  }

  test("of MIME parts has an end", async () => {
    let message = "deep";
    for (let i = 0; i < 60; i++)
      message = `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n${message}\n--b${i}--`;
    expect(await outcome(`From: a\nTo: b\nSubject: s\n${message}`, "a.eml")).toStartWith("eml:");
  });
});

describe("content that is not what it seems", () => {
  const cases: [name: string, content: Uint8Array | string, filename: string, outcome: string][] = [
    ["an empty file", "", "a.pdf", "invalid_file: The file is empty."],
    ["white space", " \n\t ", "a.txt", "invalid_file: The file holds no text, only white space."],
    [
      "markup without text",
      "<html><body><script>x</script></body></html>",
      "a.html",
      "invalid_file: The file holds markup but no text.",
    ],
    [
      "a picture named .txt",
      Uint8Array.from({ length: 900 }, (_, i) => (i * 73) % 256),
      "a.txt",
      "unsupported_file: The file type is not supported.",
    ],
    [
      "a compressed file",
      Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3, 4),
      "a.txt.gz",
      "invalid_file: The file is packed with gzip and is damaged or cut off. Upload it unpacked.",
    ],
    [
      "a ZIP without its end",
      makeDocx("<w:p/>").subarray(0, 700),
      "a.docx",
      "invalid_file: The file is damaged or cut off: it cannot be unpacked.",
    ],
    [
      "a program in a ZIP",
      makeZip({ "META-INF/MANIFEST.MF": "x", "a.class": "y" }),
      "a.jar",
      "unsupported_file: The file type is not supported.",
    ],
    [
      "a compound file of another product",
      makeOle({ Contents: new Uint8Array(100) }),
      "a.shw",
      "unsupported_file: The file type is not supported.",
    ],
    [
      "a compound file cut to its head",
      makeOle({ Workbook: biff(0x809, u16(0x600)) }).subarray(0, 600),
      "a.xls",
      "invalid_file: The file is damaged or cut off: its parts cannot be found.",
    ],
    ["text that speaks of %PDF-", "The header %PDF-1.7 begins a PDF.", "a.txt", "text: 33"],
    ["a name that is a path", "some words", "../../etc/passwd\0.pdf", "text: 10"],
  ];
  for (const [name, content, filename, expected] of cases) {
    test(`${name} has its answer`, async () => {
      expect(await outcome(content, filename)).toBe(expected);
    });
  }
});

describe("mutated files", () => {
  const notes = `{\\rtf1\\ansi ${"Some text \\'e9\\u8364? ".repeat(20)}\\par}`;
  const SAMPLES: [filename: string, bytes: Uint8Array][] = [
    [
      "a.docx",
      makeDocx(
        `<w:p><w:r><w:t>${"words ".repeat(50)}</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>`,
      ),
    ],
    ["a.pptx", makePptx([{ shapes: "<p:sp><a:p><a:t>slide</a:t></a:p></p:sp>" }])],
    [
      "a.xlsx",
      makeXlsx([{ name: "S", rows: '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>4</v></c></row>' }], ["cell"]),
    ],
    ["a.odt", makeOdf("text", "<text:p>words</text:p>")],
    ["a.epub", makeEpub(["<p>chapter</p>"])],
    ["a.xls", makeOle({ Workbook: Buffer.concat([biff(0x809, u16(0x600), u16(5), new Uint8Array(12)), biff(0x0a)]) })],
    ["a.doc", makeOle({ WordDocument: new Uint8Array(2000).fill(7), "1Table": new Uint8Array(600) })],
    ["a.msg", makeOle({ "__properties_version1.0": new Uint8Array(64), "__substg1.0_1000001E": Buffer.from("body") })],
    ["a.rtf", Buffer.from(notes)],
    [
      "a.eml",
      Buffer.from(
        "From: a\nSubject: =?utf-8?B?w7w=?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: text/html\n\n<p>x</p>\n--b--",
      ),
    ],
    ["a.html", Buffer.from("<html><table><tr><td>a<td>b</table><ul><li>c</ul><h1>d</h1><pre>e</pre>")],
    ["a.md", Buffer.from("---\ntitle: x\n---\n# a\n\n|a|b|\n|-|-|\n|1|2|\n```\nx\n```\n")],
    ["a.csv", Buffer.from('a,b\n1,"x\ny"\n')],
    ["a.txt", Buffer.from("Größe 漢字 😀 text")],
  ];

  test("always come to an answer, and what is read holds together", async () => {
    const random = seededRandom(42).below;
    for (let round = 0; round < 1500; round++) {
      const [filename, sample] = SAMPLES[round % SAMPLES.length]!;
      const bytes = mutate(sample, random);
      const result = await parseDocument({ bytes, filename, contentType: null });
      if (result.ok) checkDocument(result.document);
      else expect(["invalid_file", "unsupported_file"]).toContain(result.error.code);
    }
  }, 120_000);

  test("of PDF neither end nor hold up their worker", async () => {
    const program = new URL("../../test/fixtures/parse/mutated-pdfs.ts", import.meta.url).pathname;
    const child = Bun.spawn([process.execPath, program, "300", "7"], { stdout: "pipe", stderr: "pipe" });
    const counts = JSON.parse(await new Response(child.stdout).text()) as Record<string, number>;
    expect(
      Object.keys(counts).filter((answer) => !["invalid_file", "read", "unsupported_file"].includes(answer)),
    ).toEqual([]);
    expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(300);
  }, 120_000);
});

function checkDocument(document: ParsedDocument): void {
  const { text } = document;
  expect(text.isWellFormed() && !text.includes("\0") && text.trim() !== "").toBe(true);
  const ascends = (values: number[]): boolean =>
    values.every((value, i) => value <= text.length && (i === 0 || value >= values[i - 1]!));
  expect(ascends([...document.breaks.offsets])).toBe(true);
  expect(ascends(document.headings.map(({ start }) => start))).toBe(true);
  expect(ascends(document.regions.flatMap(({ start, end }) => [start, end]))).toBe(true);
  expect(ascends((document.pages ?? []).flatMap(({ start, end }) => [start, end]))).toBe(true);
  expect(chunkDocument(document, { maxTokens: 800, overlapTokens: 400 }).length).toBeGreaterThan(0);
}
