import type { Picture } from "../parse/ocr.ts";

/**
 * Whatever reads the words of a picture. It bounds its own memory, runs off the calling thread, and whatever a picture
 * does to it costs that picture only.
 */
export interface OcrEngine extends AsyncDisposable {
  /** Whether a picture handed over now would be read; asked for each document. */
  isAvailable(): boolean;
  recognize(picture: Picture, within: OcrBounds): Promise<OcrOutcome>;
  /** Of processes that it keeps between pages, in bytes. */
  residentBytes(): number;
}

export interface OcrBounds {
  /** Milliseconds. */
  withinMs: number;
  signal: AbortSignal;
}

/** `tsv` is in Tesseract's tab-separated form (parse/ocr.ts reads it). */
export type OcrOutcome = { type: "read"; tsv: string } | { type: "failed" } | { type: "interrupted" };
