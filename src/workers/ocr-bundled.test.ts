import { writeFileSync } from "node:fs";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeDocx } from "../../test/fixtures/parse/make-office.ts";
import { makePdf } from "../../test/fixtures/parse/make-pdf.ts";
import { makeScanTiff, SCAN_PNG, SCAN_TEXT } from "../../test/fixtures/parse/scan.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import type { Picture } from "../parse/ocr.ts";
import { BundledOcr, type BundledOcrOptions, faultOfFile } from "./ocr-bundled.ts";
import { findLanguages, knownLanguages } from "./ocr-languages.ts";
import { Ocr } from "./ocr.ts";
import { ParseLane } from "./parse-lane.ts";
import type { WorkerChunk } from "./protocol.ts";

setDefaultTimeout(240_000);

const english = () => findLanguages("/nowhere", "eng").found;
const engine = (options: Partial<BundledOcrOptions> = {}) =>
  new BundledOcr({ languages: english, workers: 1, memoryBytes: 2 ** 30, ...options });
const within = { withinMs: 200_000, signal: new AbortController().signal };
const PICTURE: Picture = { bytes: SCAN_PNG, frame: null, dpi: 150 };
const squeezed = (text: string) => text.replace(/\s+/g, " ");

async function read(dir: TempDir, bytes: Uint8Array): Promise<{ text: string; pages: number[]; warnings: string[] }> {
  await using ocr = new Ocr({ engines: [engine()], maxPages: 50, maxSeconds: 600, slots: 1 });
  await using lane = new ParseLane({
    workers: 1,
    deadlineMs: 60_000,
    memoryBytes: 2 ** 30,
    limits: DEFAULT_LIMITS,
    ocr,
  });
  const path = dir.join("file");
  writeFileSync(path, bytes);
  const chunks: WorkerChunk[] = [];
  const outcome = await lane.parse(
    { tenantId: "tenant_1", path, filename: "scan", contentType: null, cachePath: dir.join("cache") },
    { maxTokens: 800, overlapTokens: 0 },
    (slice) => void chunks.push(...slice),
    within.signal,
  );
  if (outcome.type !== "parsed") throw new Error(JSON.stringify(outcome));
  return {
    text: squeezed(chunks.map((chunk) => chunk.text).join(" ")),
    pages: [chunks[0]?.page ?? 0, chunks.at(-1)?.pageEnd ?? 0],
    warnings: outcome.warnings,
  };
}

describe("the engine inside", () => {
  const drawing = `<w:p><w:r><w:drawing><a:blip xmlns:a="a" xmlns:r="r" r:embed="rId1"/></w:drawing></w:r></w:p>`;
  test.each([
    [
      "a PDF, upright and turned pages",
      makePdf([
        { items: [], scan: "upright" },
        { items: [], scan: "sideways" },
      ]),
      2,
    ],
    ["a PNG", SCAN_PNG, 1],
    ["a TIFF of three pages", makeScanTiff(3), 3],
    ["a DOCX that is a picture", makeDocx(drawing, { "media/a.png": SCAN_PNG }, { rId1: ["image", "media/a.png"] }), 1],
  ] as const)("reads %s", async (_name, bytes, count) => {
    using dir = tempDir();
    const { text, pages, warnings } = await read(dir, bytes);
    expect(text).toBe(Array.from({ length: count }, () => SCAN_TEXT).join(" "));
    expect(pages).toEqual([1, count]);
    expect(warnings).toHaveLength(1);
  });

  test("is not there without its languages", async () => {
    await using none = engine({ languages: () => [] });
    expect(none.isAvailable()).toBe(false);
  });

  test("fails for what is no picture, is too large, or takes too long, and goes on", async () => {
    await using small = engine({ memoryBytes: 2 ** 16 });
    expect(await small.recognize(PICTURE, within)).toEqual({ type: "failed" });
    await using ocr = engine();
    const noPicture = { ...PICTURE, bytes: SCAN_PNG.subarray(0, 200) };
    expect(await ocr.recognize(noPicture, within)).toEqual({ type: "failed" });
    expect(await ocr.recognize(PICTURE, { ...within, withinMs: 1 })).toEqual({ type: "failed" });
    expect((await ocr.recognize(PICTURE, within)).type).toBe("read");
  });

  test("stops at once when the document is cancelled", async () => {
    await using ocr = engine();
    const cancel = new AbortController();
    const reading = ocr.recognize(PICTURE, { ...within, signal: cancel.signal });
    cancel.abort();
    expect(await reading).toEqual({ type: "interrupted" });
    expect((await ocr.recognize(PICTURE, within)).type).toBe("read");
  });

  test("fails with languages that it cannot load", async () => {
    using dir = tempDir();
    writeFileSync(dir.join("x"), "no language at all");
    const broken = { name: "xyz", path: dir.join("x"), version: "1" };
    await using ocr = engine({ languages: () => [broken] });
    expect(await ocr.recognize(PICTURE, within)).toEqual({ type: "failed" });
  });
});

test("a language is told from what only begins as one", async () => {
  using dir = tempDir();
  const [known] = knownLanguages("/nowhere");
  if (known === undefined) throw new Error("there is no language");
  const path = dir.join("eng.traineddata");
  const bytes = Bun.gunzipSync(await Bun.file(known.path).bytes());
  writeFileSync(path, bytes);
  expect(await faultOfFile({ name: "eng", path })).toBeNull();
  writeFileSync(path, bytes.subarray(0, 500_000));
  expect(await faultOfFile({ name: "eng", path })).toBe("it is cut off or damaged");
  writeFileSync(path, bytes.fill(7, 2000, 400_000));
  expect(await faultOfFile({ name: "eng", path })).toBe("the engine cannot load it");
});

test("the engine's threads are ended when it is closed", async () => {
  const ocr = engine();
  expect((await ocr.recognize(PICTURE, within)).type).toBe("read");
  await ocr[Symbol.asyncDispose]();
  await waitFor("what it is asked for is refused", async () =>
    (await ocr.recognize(PICTURE, within)).type === "interrupted" ? true : undefined,
  );
});
