/** The fuzz run of parsers.test.ts, in a process of its own: Bun's test runner treats stray rejections otherwise. */
import { rmSync, writeFileSync } from "node:fs";
import { strict as assert } from "node:assert";
import { DEFAULT_LIMITS } from "../../src/parse/limits.ts";
import { ParseLane } from "../../src/workers/parse-lane.ts";
import { NativeOcr } from "../../src/workers/ocr-native.ts";
import { Ocr } from "../../src/workers/ocr.ts";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import { mutate } from "../fixtures/parse/mutate.ts";
import { SAMPLES } from "../fixtures/parse/samples.ts";
import { makeScanTiff, SCAN_PNG } from "../fixtures/parse/scan.ts";
import { bytesOf, DOCUMENTS_BESIDE, OWN_DOCUMENTS } from "../helpers/corpus.ts";
import { mebibytes } from "../helpers/process-memory.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 10);
const FIRST = Number(process.env["FUZZ_FIRST"] ?? 0);
const LANES = 2;
const DEADLINE_MS = 5_000;
/** Ending a thread and starting another, on a busy machine. */
const SLACK_MS = 10_000;
const MEMORY_BYTES = 512 * 2 ** 20;
/** What the process may keep beyond its warmed-up size. */
const LEFT_BYTES = 160 * 2 ** 20;
const LARGEST_SAMPLE = 2 ** 21;
const STRATEGY = { maxTokens: 800, overlapTokens: 400 };

interface Document {
  name: string;
  bytes: Uint8Array;
}

function corpus(): Document[] {
  return [...OWN_DOCUMENTS, ...DOCUMENTS_BESIDE]
    .map((document) => ({ name: document.name, bytes: bytesOf(document) }))
    .filter(({ bytes }) => bytes.length > 0 && bytes.length <= LARGEST_SAMPLE);
}

/** The same file for the same seed and number, whatever ran before it: FUZZ_FIRST=687 begins with that one. */
function damaged(documents: readonly Document[], seed: number, file: number): { document: Document; what: string } {
  const uniform = seededRandom(seed + 7919 * file);
  const random = (below: number) => Math.floor(uniform() * below);
  const document = documents[random(documents.length)];
  if (document === undefined) throw new Error("there is nothing to damage");
  let { bytes } = document;
  const damages = 1 + random(3);
  for (let i = 0; i < damages && bytes.length > 0; i++) bytes = mutate(bytes, random);
  const name = random(4) > 0 ? document.name : (["x", "x.txt", "x.pdf", "x.csv", "x.html"][random(5)] ?? "x");
  return { document: { name, bytes }, what: `SEED=${seed} FUZZ_FIRST=${file} (${document.name}, damaged)` };
}

async function run(): Promise<void> {
  using dir = tempDir();
  await using lane = new ParseLane({
    workers: LANES,
    deadlineMs: DEADLINE_MS,
    memoryBytes: MEMORY_BYTES,
    limits: { ...DEFAULT_LIMITS, maxTextLength: 16 * 2 ** 20 },
    // Pictures are taken out of damaged scans; that they are recognised is not what is tried here.
    ocr: new Ocr({
      engines: [new NativeOcr({ program: () => Bun.which("true"), languages: "eng", memoryBytes: MEMORY_BYTES })],
      maxPages: 3,
      maxSeconds: 10,
      slots: 1,
    }),
  });
  const scans: Document[] = [
    { name: "scan.pdf", bytes: makePdf([{ items: [], scan: "upright" }]) },
    { name: "scan.tif", bytes: makeScanTiff(3) },
    { name: "scan.png", bytes: SCAN_PNG },
  ];
  const documents: readonly Document[] = [...SAMPLES, ...scans, ...corpus()];
  const seed = runSeed("fuzz");
  const counts = { files: 0, parsed: 0, failed: 0, late: 0, large: 0 };
  let slowestMs = 0;

  const parseOne = async (number: number, { name, bytes }: Document, what: string) => {
    const path = dir.join(`${number}`);
    const cachePath = dir.join(`${number}.cache`);
    writeFileSync(path, bytes);
    const source = { tenantId: "tenant_1", path, filename: name, contentType: null, cachePath };
    let chunks = 0;
    const startedMs = performance.now();
    const outcome = await lane.parse(
      source,
      STRATEGY,
      (slice) => void (chunks += slice.length),
      new AbortController().signal,
    );
    const tookMs = performance.now() - startedMs;
    rmSync(path);
    rmSync(cachePath, { force: true });
    slowestMs = Math.max(slowestMs, tookMs);
    counts.files++;
    // One that broke the memory bound in company is parsed twice, after the one before it.
    if (tookMs > 3 * DEADLINE_MS + SLACK_MS) throw new Error(`${what} took ${Math.round(tookMs)} ms`);
    if (outcome.type === "parsed") {
      counts.parsed++;
      if (chunks === 0) throw new Error(`${what} was parsed and has no text`);
      return;
    }
    if (outcome.type !== "failed") throw new Error(`${what} ended as ${outcome.type}`);
    counts.failed++;
    const { code, message } = outcome.error;
    if (/within \d+ seconds/.test(message)) counts.late++;
    if (/because it is too large/.test(message)) counts.large++;
    const plain =
      /^[A-Z].{15,}\.$/s.test(message) && !/Error:|undefined|\bat .*:\d+|\/(?:tmp|home|root)\//.test(message);
    if (!plain || (code !== "invalid_file" && code !== "unsupported_file"))
      throw new Error(`${what} failed with ${code}: ${message}`);
  };

  // As they are, first: every parser has run once in each thread or the other before memory is looked at.
  let number = 0;
  for (const document of [...SAMPLES, ...scans]) await parseOne(number++, document, document.name);
  const warmBytes = process.memoryUsage.rss();

  const endsAtMs = performance.now() + SECONDS * 1000;
  let next = FIRST;
  const worker = async () => {
    while (performance.now() < endsAtMs) {
      const file = next++;
      const { document, what } = damaged(documents, seed, file);
      await parseOne(number++, document, what);
    }
  };
  await Promise.all(Array.from({ length: LANES }, worker));
  assert(counts.parsed > SAMPLES.length, "hardly anything was parsed");
  assert(counts.failed > 0, "nothing was refused");

  const left = await waitFor(
    `resident memory is within ${mebibytes(LEFT_BYTES)} MiB of ${mebibytes(warmBytes)} MiB`,
    () => {
      Bun.gc(true);
      const bytes = process.memoryUsage.rss();
      return bytes - warmBytes < LEFT_BYTES ? bytes : undefined;
    },
    30_000,
  );
  console.log(
    `fuzz: ${counts.files} files in ${SECONDS} s: ${counts.parsed} as text, ${counts.failed} refused ` +
      `(${counts.late} at the deadline, ${counts.large} at the memory bound); slowest ${Math.round(slowestMs)} ms; ` +
      `resident memory ${mebibytes(warmBytes)} MiB before, ${mebibytes(left)} MiB after`,
  );
}

await run();
