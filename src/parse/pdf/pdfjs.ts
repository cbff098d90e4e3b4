import jbig2 from "pdfjs-dist/wasm/jbig2.wasm" with { type: "file" };
import openjpeg from "pdfjs-dist/wasm/openjpeg.wasm" with { type: "file" };

import type { PDFDocumentProxy, PDFPageProxy } from "pdfjs-dist/legacy/build/pdf.mjs";

import { invalidFile } from "../document.ts";
import { readCharacterMap } from "./cmaps.ts";
import { dropStrayRejections } from "./rejections.ts";

/**
 * The one door to pdf.js. It is loaded when the first PDF comes, works in the thread that calls it and reads nothing but
 * the bytes it is given and what the executable carries. src/build/patches/ holds what it is changed in: text comes
 * with the place of every glyph and with the properties of marked content, and U+00AD counts as what is seen of it.
 */
export type { PDFDocumentProxy, PDFPageProxy };

type PdfJs = Awaited<ReturnType<typeof loadPdfJs>>;

/** Pixels of one image; larger ones are left out. */
const MAX_IMAGE_PIXELS = 150_000_000;

const DECODERS: Record<string, string> = { "jbig2.wasm": jbig2, "openjpeg.wasm": openjpeg };

/** pdf.js asks this for the character maps of fonts that are not embedded, and for the decoders of scans. */
class EmbeddedData {
  async fetch({ filename }: { filename: string }): Promise<Uint8Array> {
    const decoder = DECODERS[filename];
    if (decoder !== undefined) return await Bun.file(decoder).bytes();
    const map = await readCharacterMap(filename);
    if (map === null) throw new Error(`no embedded data named ${filename}`);
    return map;
  }
}

export async function loadPdfJs() {
  // With its worker's code in this thread, pdf.js starts no thread of its own.
  Object.assign(globalThis, { pdfjsWorker: await import("pdfjs-dist/legacy/build/pdf.worker.mjs") });
  return await import("pdfjs-dist/legacy/build/pdf.mjs");
}

/** Throws a `ParseError` for a file that cannot be opened. `enableXfa` reads dynamic forms as what they lay out. */
export async function openPdf(bytes: Uint8Array, { enableXfa }: { enableXfa: boolean }): Promise<PDFDocumentProxy> {
  dropStrayRejections();
  const pdfjs = await loadPdfJs();
  try {
    return await pdfjs.getDocument({
      // pdf.js takes the buffer over, so it gets its own.
      data: new Uint8Array(bytes),
      BinaryDataFactory: EmbeddedData,
      useWorkerFetch: false,
      cMapUrl: "embedded/",
      cMapPacked: true,
      wasmUrl: "embedded/",
      isEvalSupported: false,
      isOffscreenCanvasSupported: false,
      isImageDecoderSupported: false,
      maxImageSize: MAX_IMAGE_PIXELS,
      disableFontFace: true,
      useSystemFonts: false,
      stopAtErrors: false,
      enableXfa,
      verbosity: 0,
    } as Parameters<PdfJs["getDocument"]>[0]).promise;
  } catch (cause) {
    if (cause instanceof Error && cause.name === "PasswordException") {
      throw invalidFile("The PDF is encrypted and needs a password to open. Upload a copy without a password.");
    }
    throw invalidFile("The PDF is damaged and cannot be opened.");
  }
}

/** Gives the document's memory back; a damaged one may fail at that too. */
export async function closePdf(doc: PDFDocumentProxy): Promise<void> {
  try {
    await doc.loadingTask.destroy();
  } catch {
    // Nothing is left to be done for it.
  }
}
