import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile, ParseError } from "../document.ts";
import { failedPages, nothingRecognized } from "../image.ts";
import type { ParseLimits } from "../limits.ts";
import type { RecognizedPage } from "../ocr.ts";
import { listPages, warnAboutOcr } from "../ocr.ts";
import type { IsVisible, MarkedContent } from "./layers.ts";
import { shownItems, structureTexts, visibility } from "./layers.ts";
import { linesOfPage } from "./lines.ts";
import type { TextItem } from "./painted.ts";
import { blocksOfPages } from "./paragraphs.ts";
import type { PdfPage } from "./paragraphs.ts";
import type { PDFDocumentProxy, PDFPageProxy } from "./pdfjs.ts";
import { closePdf, openPdf } from "./pdfjs.ts";

/**
 * PDF through pdf.js. Pages are read one after the other; a page that cannot be read costs itself
 * only. Nothing here bounds time: some files keep pdf.js busy for ever, so its thread must be one
 * that can be ended.
 */

/** `recognized` holds what OCR made of the pages without text, once it has been tried. */
export async function parsePdf(
  bytes: Uint8Array,
  limits: ParseLimits,
  recognized: readonly RecognizedPage[] | null = null,
): Promise<ParsedDocument> {
  const doc = await openPdf(bytes, { enableXfa: true });
  try {
    if (!doc.isPureXfa || (await hasText(doc))) return await readDocument(doc, bytes, limits, recognized);
  } finally {
    await closePdf(doc);
  }
  // A dynamic form that pdf.js cannot lay out still has its pages for readers without forms.
  const plain = await openPdf(bytes, { enableXfa: false });
  try {
    return await readDocument(plain, bytes, limits, recognized);
  } finally {
    await closePdf(plain);
  }
}

async function hasText(doc: PDFDocumentProxy): Promise<boolean> {
  for (let number = 1; number <= Math.min(doc.numPages, 5); number++) {
    try {
      const content = await (await doc.getPage(number)).getTextContent();
      if (content.items.some((item) => "str" in item && item.str.trim() !== "")) return true;
    } catch {
      // The page is reported when all are read.
    }
  }
  return false;
}

async function readDocument(
  doc: PDFDocumentProxy,
  bytes: Uint8Array,
  limits: ParseLimits,
  recognized: readonly RecognizedPage[] | null,
): Promise<ParsedDocument> {
  if (doc.numPages > limits.maxPages) {
    throw invalidFile(`The PDF has ${doc.numPages} pages; this server accepts ${limits.maxPages} in one document.`);
  }
  const out = new DocumentBuilder(limits.maxTextLength);
  await readMetadata(doc, out);
  const pages: PdfPage[] = [];
  const notes = new Map<number, string[]>();
  const unread: number[] = [];
  const shown: Shown = {
    isVisible: await visibility(doc),
    isTagged: (await doc.getMarkInfo().catch(() => null)) !== null,
  };
  for (let number = 1; number <= doc.numPages; number++) {
    try {
      const page = await doc.getPage(number);
      pages.push({ number, lines: await readLines(page, shown) });
      notes.set(number, await readAnnotations(page, shown.isVisible));
      page.cleanup();
    } catch {
      unread.push(number);
      pages.push({ number, lines: [] });
    }
  }
  for (const page of recognized ?? []) {
    const of = pages[page.number - 1];
    if (page.outcome === "read" && of?.lines.length === 0) of.recognized = page.paragraphs;
  }
  write(out, pages, notes);
  const empty = emptyPages(pages, notes, unread);
  const scanned = recognized === null ? (holdsImages(bytes) ? empty : []) : failedPages(recognized);
  if (out.length === 0) throw nothingExtracted(doc.numPages, unread.length, bytes, scanned, recognized);
  if (unread.length > 0) {
    const are = unread.length === 1 ? "is" : "are";
    out.warnings.push(`${listPages(unread)} could not be read and ${are} left out.`);
  }
  if (recognized !== null) warnAboutOcr(out, recognized);
  else if (empty.length > 0) {
    const hold = empty.length === 1 ? "holds" : "hold";
    out.warnings.push(`${listPages(empty)} ${hold} no text; scanned pages need OCR.`);
  }
  out.metadata["pages"] = doc.numPages;
  return { ...out.build("pdf"), scanned };
}

/** What decides on how a page's text is read. */
interface Shown {
  isVisible: IsVisible;
  /** Its structure may say what its glyphs do not. */
  isTagged: boolean;
}

async function readLines(page: PDFPageProxy, { isVisible, isTagged }: Shown): Promise<PdfPage["lines"]> {
  // With normalization pdf.js spells ligatures out before it turns right-to-left text round, which garbles them.
  const content = await page.getTextContent({ disableNormalization: true, includeMarkedContent: true });
  const styles = content.styles as Record<string, { vertical?: boolean } | undefined>;
  const texts = isTagged ? await structureTexts(page) : undefined;
  const items = shownItems(content.items as (TextItem | MarkedContent)[], isVisible, texts);
  const placed = items.filter((item) => item.transform?.length === 6);
  if (placed.length < items.length) return xfaLines(items);
  return linesOfPage(items, (font) => styles[font]?.vertical === true);
}

/** Text of a dynamic form has no places: one line an item, top to bottom. */
function xfaLines(items: TextItem[]): PdfPage["lines"] {
  return items
    .filter((item) => item.str.trim() !== "")
    .map((item, i) => ({
      text: item.str.replace(/\s+/g, " ").trim(),
      x0: 0,
      x1: 1,
      y: -12 * i,
      size: 10,
      font: "",
      angle: 0,
      vertical: false,
      isWhole: true,
    }));
}

interface Annotation {
  subtype?: string;
  fieldName?: string;
  alternativeText?: string;
  fieldValue?: unknown;
  fieldType?: string;
  contentsObj?: { str?: string };
  /** Lines of its appearance, where pdf.js reads them. */
  textContent?: string[];
  /** The layer it belongs to. */
  oc?: unknown;
}

async function readAnnotations(page: PDFPageProxy, isVisible: IsVisible): Promise<string[]> {
  const out: string[] = [];
  for (const note of (await page.getAnnotations()) as Annotation[]) {
    if (!isVisible(note.oc)) continue;
    if (note.subtype === "Widget") {
      const value = Array.isArray(note.fieldValue) ? note.fieldValue.join(", ") : note.fieldValue;
      if (typeof value !== "string" || value.trim() === "" || value === "Off") continue;
      const name = (note.alternativeText ?? "") || (note.fieldName ?? "");
      out.push(name === "" ? value : `${name}: ${value}`);
    } else if (note.subtype !== "Link" && note.subtype !== "Popup") {
      const text = note.contentsObj?.str?.trim() ?? "";
      const shown = note.textContent?.join("\n").trim() ?? "";
      if (note.subtype === "FreeText" || note.subtype === "Stamp") out.push(shown || text);
      else if (text !== "") out.push(`[Comment: ${text}]`);
    }
  }
  return out;
}

function write(out: DocumentBuilder, pages: PdfPage[], notes: Map<number, string[]>): void {
  for (const { number, blocks } of blocksOfPages(pages)) {
    out.page(number);
    for (const block of blocks) {
      if (block.headingLevel > 0) {
        out.heading(block.headingLevel, block.text);
        if (number === 1 && out.title === null && block.headingLevel === 1) out.title = block.text.replace(/\s+/g, " ");
      } else {
        out.block(block.text);
      }
    }
    for (const note of notes.get(number) ?? []) out.block(note);
  }
}

function nothingExtracted(
  pageCount: number,
  unread: number,
  bytes: Uint8Array,
  scanned: number[],
  recognized: readonly RecognizedPage[] | null,
): ParseError {
  if (pageCount > 0 && unread === pageCount) return invalidFile("The PDF is damaged: none of its pages can be read.");
  const pages = pageCount === 1 ? "1 page" : `${pageCount} pages`;
  if (recognized !== null && recognized.length > 0) return nothingRecognized(recognized, `PDF has ${pages} and`);
  if (holdsImages(bytes)) {
    return new ParseError(
      "invalid_file",
      `No text could be extracted: the PDF has ${pages} and holds only images. It seems to be a scan, which needs OCR before it can be searched.`,
      scanned,
    );
  }
  return invalidFile(`No text could be extracted: the PDF has ${pages} and no text in it.`);
}

/** Images are streams, whose dictionaries always stand in the file unpacked. */
function holdsImages(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return file.includes("/Subtype/Image") || file.includes("/Subtype /Image") || file.includes("\nBI");
}

function emptyPages(pages: PdfPage[], notes: Map<number, string[]>, unread: number[]): number[] {
  return pages
    .filter(({ number, lines }) => lines.length === 0 && !notes.get(number)?.length && !unread.includes(number))
    .map((page) => page.number);
}

async function readMetadata(doc: PDFDocumentProxy, out: DocumentBuilder): Promise<void> {
  let info: Record<string, unknown>;
  try {
    info = (await doc.getMetadata()).info as Record<string, unknown>;
  } catch {
    return;
  }
  const title = textOf(info["Title"])?.replace(/^Microsoft (?:Word|PowerPoint|Excel) - /, "") ?? null;
  // Many producers put a file name or a placeholder there.
  if (
    title !== null &&
    !/^(?:untitled|document|untitled document)?\s*\d*$|\.(?:docx?|indd|tex|dvi|qxd|pdf|pptx?)$/i.test(title)
  )
    out.title = title;
  for (const [key, name] of [
    ["Author", "author"],
    ["Subject", "subject"],
    ["Keywords", "keywords"],
    ["Language", "language"],
  ] as const) {
    const value = textOf(info[key]);
    if (value !== null) out.metadata[name] = value;
  }
  for (const [key, name] of [
    ["CreationDate", "created"],
    ["ModDate", "modified"],
  ] as const) {
    const date = pdfDate(textOf(info[key]));
    if (date !== null) out.metadata[name] = date;
  }
}

function textOf(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const text = value.replace(/\s+/g, " ").trim();
  return text === "" ? null : text.slice(0, 500);
}

const PDF_DATE = /^D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?|Z)?/;

/** "D:20070915110237+02'00'" -> ISO 8601 in UTC, or null. */
export function pdfDate(value: string | null): string | null {
  const found = value === null ? null : PDF_DATE.exec(value);
  if (found === null) return null;
  const [
    ,
    year,
    month = "01",
    day = "01",
    hour = "00",
    minute = "00",
    second = "00",
    sign,
    zoneHour = "00",
    zoneMinute = "00",
  ] = found;
  const zone = sign === undefined ? "Z" : `${sign}${zoneHour}:${zoneMinute}`;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
