import { DocumentBuilder } from "../builder.ts";
import { containerOf } from "../detect.ts";
import type { ParsedDocument } from "../document.ts";
import { ParseError } from "../document.ts";
import { parseRtf } from "../legacy/rtf.ts";
import type { ParseLimits } from "../limits.ts";
import type { MimePart } from "../mail/mime.ts";
import { bodyBytes, parseMime } from "../mail/mime.ts";
import { decodeText } from "../text/encoding.ts";
import { parseHtml } from "../text/html.ts";
import { htmlCharset } from "../text/markup-text.ts";
import { decodeXml } from "../xml.ts";

/** Reads what is itself a Word document: packed as this one is, or in one XML file. */
export interface WordReaders {
  packed(bytes: Uint8Array): ParsedDocument | null;
  flat(text: string, out: DocumentBuilder): void;
}

/**
 * A part in another format that Word shows in place (altChunk): Word, RTF, HTML alone or as a web archive, or plain
 * text, told by what it holds. Null for anything else and for what is damaged.
 */
export function readChunk(bytes: Uint8Array, limits: ParseLimits, word: WordReaders): ParsedDocument | null {
  try {
    switch (containerOf(bytes)) {
      case "zip":
        return word.packed(bytes);
      case "rtf":
        return parseRtf(bytes, limits);
      case "text":
        return readTextual(bytes, limits, word);
      default:
        return null;
    }
  } catch (cause) {
    if (cause instanceof ParseError || cause instanceof RangeError) return null;
    throw cause;
  }
}

function readTextual(bytes: Uint8Array, limits: ParseLimits, word: WordReaders): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  const head = Buffer.from(bytes.subarray(0, 2000)).toString("latin1").replaceAll("\0", "");
  if (/^(?:mime-version:|content-type:\s*multipart)/im.test(head)) appendArchive(parseMime(bytes), out);
  else if (/<pkg:package[\s>]|<w:wordDocument[\s>]/.test(head)) word.flat(decodeXml(bytes), out);
  else if (/<(?:!doctype|!--|\?xml|\/?[a-z][a-z0-9]*[\s>/])/i.test(head)) appendHtml(bytes, out);
  else out.block(decodeText(bytes, null).text);
  return out.build("docx");
}

function appendHtml(bytes: Uint8Array, out: DocumentBuilder): void {
  parseHtml(decodeText(bytes, htmlCharset(bytes)).text, out);
}

/** The page of a web archive, or its text where it has no page. */
function appendArchive(archive: MimePart, out: DocumentBuilder): void {
  const page = findPart(archive, "text/html");
  if (page !== null) return appendHtml(page, out);
  const text = findPart(archive, "text/plain");
  if (text !== null) out.block(decodeText(text, null).text);
}

function findPart(part: MimePart, type: string): Uint8Array | null {
  if (part.type === type) return bodyBytes(part);
  for (const child of part.parts) {
    const found = findPart(child, type);
    if (found !== null) return found;
  }
  return null;
}
