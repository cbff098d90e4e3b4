import { parseArchive } from "./archive.ts";
import { containerOf } from "./detect.ts";
import { CLOSED_ARCHIVE, unpackGzip } from "./gzip.ts";
import { parseDoc } from "./legacy/doc.ts";
import type { ParsedDocument, ParseResult } from "./document.ts";
import { invalidFile, ParseError, unsupportedFile } from "./document.ts";
import type { ParseLimits } from "./limits.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { imagePicture, parseImage } from "./image.ts";
import { looksLikeMail, looksLikeMailbox, parseMail, parseMailbox } from "./mail/mail.ts";
import type { ParseNested } from "./mail/mail.ts";
import { parseMsg } from "./mail/msg.ts";
import { parsePackage } from "./office/office.ts";
import { officePicture, withPictures } from "./office-pictures.ts";
import type { Picture, RecognizedPage } from "./ocr.ts";
import { OleFile } from "./legacy/ole.ts";
import { parsePdf } from "./pdf/pdf.ts";
import { pdfPicture } from "./pdf/pictures.ts";
import { parsePpt } from "./legacy/ppt.ts";
import { parseRtf } from "./legacy/rtf.ts";
import { parseTextual } from "./text/textual.ts";
import { parseXls } from "./sheets/xls.ts";
import { ZipArchive } from "./zip.ts";

export type { ParseLimits } from "./limits.ts";

/**
 * The room's door: bytes and a name in, text with its structure out. What a file is, its content
 * decides first, its name second, and its content type last. Nothing here reads or fetches anything
 * but its input. Time and memory are the caller's to bound: a parser may be ended at any instant.
 */

/** Cached parses of another version are done again. */
export const PARSER_VERSION = 6;

export interface ParseInput {
  bytes: Uint8Array;
  filename: string;
  contentType: string | null;
  /** What OCR made of pages that an earlier parse named as `scanned`. */
  recognized?: readonly RecognizedPage[] | undefined;
}

/** Never throws for a bad file: an unreadable one is `ok: false` with a sentence for its owner. */
export async function parseDocument(input: ParseInput, limits: ParseLimits = DEFAULT_LIMITS): Promise<ParseResult> {
  try {
    return { ok: true, document: await parseAny(input, limits) };
  } catch (cause) {
    if (cause instanceof ParseError)
      return { ok: false, error: { code: cause.code, message: cause.message }, scanned: cause.scanned };
    if (cause instanceof RangeError) {
      return {
        ok: false,
        error: { code: "invalid_file", message: "The file is too large or too deeply nested to be read." },
        scanned: [],
      };
    }
    throw cause;
  }
}

/** What a scanned page shows, for OCR; null where there is nothing to be recognised. Pages count from 1. */
export async function pageOfScan(
  bytes: Uint8Array,
  page: number,
  limits: ParseLimits = DEFAULT_LIMITS,
): Promise<Picture | null> {
  switch (containerOf(bytes)) {
    case "pdf":
      return await pdfPicture(bytes, page);
    case "zip": {
      const zip = new ZipArchive(bytes, limits);
      const document = parsePackage(zip, limits);
      return document === null ? null : officePicture(zip, document, page);
    }
    default:
      return imagePicture(bytes, page);
  }
}

/** Archives and attachments are opened once: what is packed inside a packed file stays closed. */
const MAX_DEPTH = 1;

async function parseAny(input: ParseInput, limits: ParseLimits, depth = 0): Promise<ParsedDocument> {
  if (input.bytes.length === 0) throw invalidFile("The file is empty.");
  const document = await parseContainer(input, limits, depth);
  if (document.text.trim() === "") throw invalidFile("No text could be extracted: the document holds no text.");
  return document;
}

async function parseContainer(input: ParseInput, limits: ParseLimits, depth: number): Promise<ParsedDocument> {
  const { bytes, filename } = input;
  const nested: ParseNested = (inner, name, type) =>
    parseInner({ bytes: inner, filename: name, contentType: type }, limits, depth + 1);
  switch (containerOf(bytes)) {
    case "pdf":
      return await parsePdf(bytes, limits, input.recognized ?? null);
    case "image":
      // Pictures in a mail or an archive are left out, as those in any document are.
      if (depth > 0) throw unsupportedFile();
      return parseImage(bytes, limits, input.recognized ?? null);
    case "rtf":
      return parseRtf(bytes, limits);
    case "zip": {
      const zip = new ZipArchive(bytes, limits);
      const document = parsePackage(zip, limits);
      // Pictures in a mail or an archive are left out, as those in any document are.
      if (document !== null)
        return depth > 0 ? document : withPictures(zip, document, { limits, recognized: input.recognized ?? null });
      if (depth >= MAX_DEPTH) throw unsupportedFile();
      return await parseArchive(zip, limits, nested);
    }
    case "gzip": {
      if (depth >= MAX_DEPTH) throw unsupportedFile();
      const inner = unpackGzip(bytes, filename, limits);
      return await parseUnpacked({ ...inner, contentType: null }, limits, nested);
    }
    case "ole":
      return await parseOle(new OleFile(bytes), limits, nested);
    case "text":
      return await parseText(input, limits, nested);
    case "binary":
      throw unsupportedFile();
  }
}

async function parseText(input: ParseInput, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  const { bytes, filename, contentType } = input;
  if (looksLikeMailbox(bytes)) return await parseMailbox(bytes, limits, nested);
  if (looksLikeMail(bytes)) return await parseMail(bytes, limits, nested);
  return parseTextual(bytes, filename, contentType, limits);
}

/** What is packed by itself is read where it is text; whatever else it is can be uploaded as it is. */
async function parseUnpacked(input: ParseInput, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  if (containerOf(input.bytes) !== "text") throw new ParseError("unsupported_file", CLOSED_ARCHIVE);
  return await parseText(input, limits, nested);
}

async function parseOle(ole: OleFile, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  if (ole.has("EncryptedPackage") || ole.has("EncryptionInfo")) {
    throw invalidFile("The document is encrypted and needs a password to open. Upload a copy without a password.");
  }
  if (ole.has("WordDocument")) return parseDoc(ole, limits);
  if (ole.has("Workbook") || ole.has("Book")) return parseXls(ole, limits);
  if (ole.has("PowerPoint Document")) return parsePpt(ole, limits);
  if (ole.has("__properties_version1.0")) return await parseMsg(ole, limits, nested);
  throw unsupportedFile();
}

async function parseInner(input: ParseInput, limits: ParseLimits, depth: number): Promise<ParsedDocument | null> {
  if (depth > MAX_DEPTH) return null;
  try {
    return await parseAny(input, limits, depth);
  } catch (cause) {
    if (cause instanceof ParseError || cause instanceof RangeError) return null;
    throw cause;
  }
}
