/** The engines that read the trial pages: the one inside, and the machine's `tesseract` where there is one. */
import { BundledOcr } from "../../src/workers/ocr-bundled.ts";
import type { OcrEngine } from "../../src/workers/ocr-engine.ts";
import { findLanguages } from "../../src/workers/ocr-languages.ts";
import { NativeOcr } from "../../src/workers/ocr-native.ts";
import { readTsv } from "../../src/parse/ocr.ts";
import { toPgm } from "./draw.ts";
import { wordErrorRate } from "./measure.ts";
import type { TrialPage } from "./pages.ts";

const MEMORY_BYTES = 2 ** 30;
const PAGE_MS = 240_000;

export function bundledEngine(): OcrEngine {
  const languages = () => findLanguages("/nowhere", "eng").found;
  return new BundledOcr({ languages, workers: 1, memoryBytes: MEMORY_BYTES });
}

/** Null where the machine has none. */
export function nativeEngine(): OcrEngine | null {
  const program = Bun.which("tesseract");
  return program === null
    ? null
    : new NativeOcr({ program: () => program, languages: "eng", memoryBytes: MEMORY_BYTES });
}

export interface Reading {
  /** Part of the page's words that is wrong; 1 where nothing was read. */
  errors: number;
  ms: number;
  text: string;
}

export async function readPage(engine: OcrEngine, page: TrialPage): Promise<Reading> {
  const picture = { bytes: toPgm(page.draw()), frame: null, dpi: page.dpi };
  const started = performance.now();
  const outcome = await engine.recognize(picture, { withinMs: PAGE_MS, signal: new AbortController().signal });
  const ms = performance.now() - started;
  const text = outcome.type === "read" ? readTsv(outcome.tsv).paragraphs.join("\n") : "";
  return { errors: wordErrorRate(text, page.words), ms, text };
}
