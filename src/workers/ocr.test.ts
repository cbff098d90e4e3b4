import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { makePdf } from "../../test/fixtures/parse/make-pdf.ts";
import { makeScanTiff, SCAN_PNG, SCAN_TEXT } from "../../test/fixtures/parse/scan.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import { describeProgram, NativeOcr, type NativeOcrOptions } from "./ocr-native.ts";
import { Ocr, type OcrOptions } from "./ocr.ts";
import { ParseLane } from "./parse-lane.ts";
import type { WorkerChunk } from "./protocol.ts";

setDefaultTimeout(60_000);

const SCAN = makePdf([{ items: [], scan: "upright" }]);
const TEXT_AND_SCANS = makePdf([
  { items: [{ text: "A page of text that needs no recognition.", x: 72, y: 700 }] },
  { items: [], scan: "upright" },
  { items: [], scan: "sideways", rotate: 90 },
  { items: [] },
]);

/** A program that stands in for tesseract: `body` runs with the arguments in "$@" and the picture at its input. */
function standIn(dir: TempDir, body: string): string {
  const path = dir.join("tesseract");
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o700);
  return path;
}

const word = (text: string, line = 1) => `5\t1\t1\t1\t${line}\t1\t10\t10\t90\t20\t95.5\t${text}`;
/** Writes a page of one word. */
const says = (text: string) => `cat > /dev/null; printf '${word(text).replaceAll("\t", "\\t")}\\n'`;

interface Read {
  type: string;
  text: string;
  pages: (number | null)[];
  warnings: string[];
  error: string;
}

type Options = Partial<OcrOptions & NativeOcrOptions>;

async function read(dir: TempDir, bytes: Uint8Array, options: Options, signal?: AbortSignal): Promise<Read> {
  await using lane = new ParseLane({
    workers: 2,
    deadlineMs: 60_000,
    memoryBytes: 2 ** 30,
    limits: DEFAULT_LIMITS,
    ocr: new Ocr({
      engines: [new NativeOcr({ program: () => null, languages: "eng", memoryBytes: 2 ** 30, ...options })],
      maxPages: 50,
      maxSeconds: 600,
      slots: 1,
      ...options,
    }),
  });
  const path = dir.join("file");
  writeFileSync(path, bytes);
  const chunks: WorkerChunk[] = [];
  const source = { tenantId: "tenant_1", path, filename: "scan", contentType: null, cachePath: dir.join("cache") };
  const outcome = await lane.parse(
    source,
    { maxTokens: 800, overlapTokens: 0 },
    (slice) => void chunks.push(...slice),
    signal ?? new AbortController().signal,
  );
  return {
    type: outcome.type,
    text: chunks.map((chunk) => chunk.text).join("\n"),
    pages: chunks.flatMap((chunk) => [chunk.page, chunk.pageEnd]),
    warnings: outcome.type === "parsed" ? outcome.warnings : [],
    error: outcome.type === "failed" ? `${outcome.error.code}: ${outcome.error.message}` : "",
  };
}

describe("without an OCR program", () => {
  test("a scan fails and says what it needs", async () => {
    using dir = tempDir();
    expect((await read(dir, SCAN, {})).error).toStartWith(
      "invalid_file: No text could be extracted: the PDF has 1 page",
    );
  });

  test("an image is no supported file", async () => {
    using dir = tempDir();
    expect((await read(dir, SCAN_PNG, {})).error).toBe("unsupported_file: The file type is not supported.");
  });

  test("pages of text among scanned ones are kept", async () => {
    using dir = tempDir();
    const { text, warnings } = await read(dir, TEXT_AND_SCANS, {});
    expect(text).toBe("A page of text that needs no recognition.");
    expect(warnings).toEqual(["Pages 2, 3, 4 hold no text; scanned pages need OCR."]);
  });

  test("a document that was read without it is read again once there is one", async () => {
    using dir = tempDir();
    await read(dir, TEXT_AND_SCANS, {});
    const program = standIn(dir, says("recognised"));
    expect((await read(dir, TEXT_AND_SCANS, { program: () => program })).text).toContain("recognised");
  });
});

describe("an OCR program", () => {
  test("is given each scanned page as a picture, the languages, and nothing else", async () => {
    using dir = tempDir();
    const seen = dir.join("seen");
    const program = standIn(dir, `{ echo "$@"; env; head -c 2; cat > /dev/null; echo; } >> ${seen}`);
    await read(dir, TEXT_AND_SCANS, { program: () => program, languages: "eng+deu" });
    const lines = readFileSync(seen, "utf8").trim().split("\n");
    const variables = lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => line.replace(/=.*/, ""));
    expect(lines.filter((line) => line.startsWith("stdin"))).toEqual(
      Array.from({ length: 2 }, () => "stdin stdout -l eng+deu --psm 1 --dpi 200 -c tessedit_create_tsv=1"),
    );
    expect(lines.filter((line) => line === "P5")).toHaveLength(2);
    // What the shell sets itself is not ours.
    expect(new Set(variables).difference(new Set(["PWD", "OLDPWD", "SHLVL", "_"]))).toEqual(
      new Set(["PATH", "LC_ALL", "OMP_THREAD_LIMIT"]),
    );
  });

  test("gives pages their text, which is kept and not recognised again", async () => {
    using dir = tempDir();
    const program = standIn(dir, `echo . >> ${dir.join("runs")}; ${says("recognised")}`);
    const first = await read(dir, TEXT_AND_SCANS, { program: () => program });
    expect(first.text.match(/recognised/g)).toHaveLength(2);
    expect(first.pages).toEqual([1, 3]);
    expect(first.warnings).toEqual(["Pages 2, 3 were recognised by OCR, which misreads some words."]);
    expect(await read(dir, TEXT_AND_SCANS, { program: () => program })).toEqual(first);
    expect(readFileSync(dir.join("runs"), "utf8")).toBe(".\n.\n");
  });

  test("that fails costs the pages their text, and is tried again the next time", async () => {
    using dir = tempDir();
    const broken = standIn(dir, "exit 1");
    const { text, warnings } = await read(dir, TEXT_AND_SCANS, { program: () => broken });
    expect(text).toBe("A page of text that needs no recognition.");
    expect(warnings).toEqual(["Pages 2, 3 could not be recognised by OCR."]);
    const mended = standIn(dir, says("recognised"));
    expect((await read(dir, TEXT_AND_SCANS, { program: () => mended })).text).toContain("recognised");
  });

  const FAILURES: Record<string, [body: string, options: Options]> = {
    "exits with an error": ["cat > /dev/null; exit 3", {}],
    "ends without reading its input": ["exit 1", {}],
    "is killed": ["kill -9 $$", {}],
    hangs: ["sleep 600", { pageMs: 200 }],
    "hangs in a child of its own": ["sleep 600 & sleep 600", { pageMs: 200 }],
    "writes without end": ["exec yes", {}],
    "takes too much memory": ["cat > /dev/null; sleep 600", { memoryBytes: 1 }],
  };
  test.each(Object.entries(FAILURES))("that %s fails the scan with a reason", async (_name, [body, options]) => {
    using dir = tempDir();
    const program = standIn(dir, body);
    expect((await read(dir, SCAN, { program: () => program, ...options })).error).toBe(
      "invalid_file: No text could be extracted: the PDF has 1 page and holds only images, which OCR could not read.",
    );
  });

  test("that is not there or cannot be started fails the scan with a reason", async () => {
    using dir = tempDir();
    expect((await read(dir, SCAN, { program: () => dir.join("none") })).error).toEndWith("which OCR could not read.");
  });

  test("that finds nothing leaves a scan without text", async () => {
    using dir = tempDir();
    const program = standIn(dir, "cat > /dev/null");
    expect((await read(dir, SCAN, { program: () => program })).error).toBe(
      "invalid_file: No text could be extracted: the PDF has 1 page and holds only images, in which OCR found no words.",
    );
  });

  test("is given no more pages of a document than allowed, and the others are named", async () => {
    using dir = tempDir();
    const program = standIn(dir, says("recognised"));
    const { warnings } = await read(dir, makeScanTiff(5), { program: () => program, maxPages: 2 });
    expect(warnings).toEqual([
      "Pages 1, 2 were recognised by OCR, which misreads some words.",
      "Pages 3, 4, 5 were not recognised: OCR is bounded in pages and in time.",
    ]);
  });

  test("runs no longer for a document than allowed", async () => {
    using dir = tempDir();
    const program = standIn(dir, "sleep 600");
    const { error } = await read(dir, makeScanTiff(5), { program: () => program, maxSeconds: 0.2 });
    expect(error).toEndWith("which OCR could not read.");
  });

  test("ends, with what it started, when the document is cancelled", async () => {
    using dir = tempDir();
    const pid = dir.join("pid");
    const program = standIn(dir, `sleep 600 & echo $! > ${pid}; wait`);
    const cancel = new AbortController();
    const reading = read(dir, SCAN, { program: () => program }, cancel.signal);
    const child = await waitFor("the program runs", () => {
      const text = existsSync(pid) ? readFileSync(pid, "utf8").trim() : "";
      return text === "" ? undefined : Number(text);
    });
    cancel.abort();
    expect((await reading).type).toBe("interrupted");
    await waitFor("its child has ended", () => (isRunning(child) ? undefined : true));
  });
});

describe("describeProgram", () => {
  test("says which version is there and which languages it knows", async () => {
    using dir = tempDir();
    const program = standIn(
      dir,
      `case $1 in --version) echo 'tesseract 5.3.0' >&2;; *) printf 'List of available languages in "/x/" (3):\\ndeu\\neng\\nosd\\n';; esac`,
    );
    expect(await describeProgram(program)).toEqual({ found: true, version: "5.3.0", languages: ["deu", "eng"] });
  });

  test("says that there is none", async () => {
    expect(await describeProgram(null)).toEqual({ found: false });
    expect(await describeProgram("/nowhere/tesseract")).toEqual({ found: false });
  });
});

/** A child that nobody waits for stays in the table as a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

const tesseract = Bun.which("tesseract");
describe.skipIf(lacks("tesseract"))("tesseract", () => {
  const found = { program: () => tesseract };
  const squeezed = (text: string) => text.replace(/\s+/g, " ");

  test("reads scanned pages of a PDF, rotated ones too, each with its number", async () => {
    using dir = tempDir();
    const { text, pages, warnings } = await read(dir, TEXT_AND_SCANS, found);
    expect(squeezed(text)).toBe(`A page of text that needs no recognition. ${SCAN_TEXT} ${SCAN_TEXT}`);
    expect(pages).toEqual([1, 3]);
    expect(warnings).toEqual(["Pages 2, 3 were recognised by OCR, which misreads some words."]);
  });

  test.each([
    ["PNG", SCAN_PNG, 1],
    ["TIFF of one page", makeScanTiff(1), 1],
    ["TIFF of three pages", makeScanTiff(3), 3],
  ] as const)("reads a %s", async (_name, bytes, count) => {
    using dir = tempDir();
    const { text, pages } = await read(dir, bytes, found);
    expect(squeezed(text)).toBe(Array.from({ length: count }, () => SCAN_TEXT).join(" "));
    expect(pages).toEqual([1, count]);
  });

  test("that lacks the language fails with a reason", async () => {
    using dir = tempDir();
    expect((await read(dir, SCAN, { ...found, languages: "none" })).error).toEndWith("which OCR could not read.");
  });
});
