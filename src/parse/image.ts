import { DocumentBuilder } from "./builder.ts";
import type { ParsedDocument } from "./document.ts";
import { invalidFile, ParseError, UNSUPPORTED_MESSAGE } from "./document.ts";
import type { ParseLimits } from "./limits.ts";
import type { Picture, RecognizedPage } from "./ocr.ts";
import { warnAboutOcr } from "./ocr.ts";

/**
 * Files that are pictures: PNG, JPEG, TIFF, WebP. Nothing is decoded here; what is read of them is how large they
 * claim to be, so that no small file makes whoever decodes it take gigabytes.
 */

interface Frame {
  width: number;
  height: number;
}

const MAX_PIXELS = 100_000_000;
const MAX_FRAMES = 10_000;

/** Sizes of a file's pictures, in order; null where the bytes are none of these formats, or nothing sound. */
export function imageFrames(bytes: Uint8Array): Frame[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
  try {
    if (head.startsWith("\x89PNG\r\n\x1a\n")) return [{ width: view.getUint32(16), height: view.getUint32(20) }];
    if (head.startsWith("\xff\xd8\xff")) return jpegFrame(view);
    if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) return webpFrame(view);
    if (head.startsWith("II*\0")) return tiffFrames(view, true);
    if (head.startsWith("MM\0*")) return tiffFrames(view, false);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
  }
  return null;
}

/** Markers one after the other until the one that begins the picture's data. */
function jpegFrame(view: DataView): Frame[] | null {
  for (let at = 2; ;) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isSize = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isSize) return [{ height: view.getUint16(at + 5), width: view.getUint16(at + 7) }];
    if (marker === 0xd9 || marker === 0xda) return null;
    at += 2 + view.getUint16(at + 2);
  }
}

function webpFrame(view: DataView): Frame[] | null {
  switch (String.fromCharCode(view.getUint8(12), view.getUint8(13), view.getUint8(14), view.getUint8(15))) {
    case "VP8 ":
      return [{ width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }];
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return [{ width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }];
    }
    case "VP8X":
      return [
        { width: (view.getUint32(24, true) & 0xffffff) + 1, height: ((view.getUint32(26, true) >>> 8) & 0xffffff) + 1 },
      ];
    default:
      return null;
  }
}

function tiffFrames(view: DataView, little: boolean): Frame[] | null {
  const frames: Frame[] = [];
  const seen = new Set<number>();
  for (let at = view.getUint32(4, little); at !== 0;) {
    if (seen.has(at) || frames.length >= MAX_FRAMES) return null;
    seen.add(at);
    const entries = view.getUint16(at, little);
    const frame: Frame = { width: 0, height: 0 };
    for (let i = 0; i < entries; i++) {
      const entry = at + 2 + 12 * i;
      const tag = view.getUint16(entry, little);
      const value =
        view.getUint16(entry + 2, little) === 3 ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little);
      if (tag === 256) frame.width = value;
      if (tag === 257) frame.height = value;
    }
    frames.push(frame);
    at = view.getUint32(at + 2 + 12 * entries, little);
  }
  return frames.length > 0 ? frames : null;
}

/** The file with one of its pictures, counted from 0, in the place of the first; only a TIFF has several. */
export function firstFrame(bytes: Uint8Array, frame: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  const little = view.getUint16(0) === 0x4949;
  let at = view.getUint32(4, little);
  for (let i = 0; i < frame && at !== 0; i++) at = view.getUint32(at + 2 + 12 * view.getUint16(at, little), little);
  view.setUint32(4, at, little);
  return out;
}

const ORIENTATION = 0x0112;
/** Quarter turns clockwise that put a picture upright, for each way in which a camera was held. */
const TURNS_OF_EXIF: Readonly<Record<number, number>> = { 3: 2, 6: 1, 8: 3 };

/** Quarter turns clockwise that a camera says its picture needs. */
export function exifTurns(bytes: Uint8Array): number {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (let at = 2; view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda; at += 2 + view.getUint16(at + 2)) {
      if (view.getUint8(at + 1) !== 0xe1 || view.getUint32(at + 4) !== 0x45786966) continue;
      const tiff = at + 10;
      const little = view.getUint16(tiff) === 0x4949;
      const list = tiff + view.getUint32(tiff + 4, little);
      for (let i = 0; i < view.getUint16(list, little); i++) {
        const entry = list + 2 + 12 * i;
        if (view.getUint16(entry, little) === ORIENTATION) return TURNS_OF_EXIF[view.getUint16(entry + 8, little)] ?? 0;
      }
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
  }
  return 0;
}

/** A picture is a document for those who can read it: without OCR its type is not supported. */
export function parseImage(
  bytes: Uint8Array,
  limits: ParseLimits,
  recognized: readonly RecognizedPage[] | null,
): ParsedDocument {
  const frames = imageFrames(bytes) ?? [];
  if (frames.length > limits.maxPages) {
    throw invalidFile(`The image has ${frames.length} pages; this server accepts ${limits.maxPages} in one document.`);
  }
  const numbers = frames.map((_, i) => i + 1);
  if (recognized === null) throw new ParseError("unsupported_file", UNSUPPORTED_MESSAGE, numbers);
  const out = new DocumentBuilder(limits.maxTextLength);
  for (const page of recognized) {
    out.page(page.number);
    if (page.outcome === "read") for (const paragraph of page.paragraphs) out.block(paragraph);
  }
  if (out.length === 0) throw nothingRecognized(recognized, "image");
  warnAboutOcr(out, recognized);
  out.metadata["pages"] = frames.length;
  return { ...out.build("image"), scanned: failedPages(recognized) };
}

/** Pages worth another try when the document is read again. */
export function failedPages(recognized: readonly RecognizedPage[]): number[] {
  return recognized.filter((page) => page.outcome === "failed").map((page) => page.number);
}

export function nothingRecognized(recognized: readonly RecognizedPage[], what: string): ParseError {
  const why = recognized.every((page) => page.outcome === "read")
    ? "in which OCR found no words"
    : "which OCR could not read";
  return invalidFile(`No text could be extracted: the ${what} holds only images, ${why}.`);
}

/** The picture of one page as it lies in the file; null for one too large to be decoded. */
export function imagePicture(bytes: Uint8Array, number: number): Picture | null {
  const frames = imageFrames(bytes);
  const frame = frames?.[number - 1];
  if (frame === undefined || frame.width * frame.height === 0 || frame.width * frame.height > MAX_PIXELS) return null;
  return { bytes, frame: (frames?.length ?? 0) > 1 ? number - 1 : null, dpi: null };
}
