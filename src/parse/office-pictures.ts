import { DocumentBuilder } from "./builder.ts";
import type { PageSpan, ParsedDocument } from "./document.ts";
import { invalidFile, ParseError } from "./document.ts";
import { failedPages, imageFrames, imagePicture, nothingRecognized } from "./image.ts";
import type { ParseLimits } from "./limits.ts";
import { mainPart } from "./office/office.ts";
import { slideParts } from "./office/pptx.ts";
import type { Picture, RecognizedPage } from "./ocr.ts";
import { warnAboutOcr } from "./ocr.ts";
import { readRelations, readXml } from "./xml.ts";
import type { ZipArchive } from "./zip.ts";

/**
 * Documents and slides that are pictures of pages: scans put into a Word file, slides saved as images. Where they hold
 * next to no text, their pictures are pages for OCR: of a presentation one a slide, with the slide's number, of a text
 * document all that are large enough, in their order.
 */
interface PagePicture {
  number: number;
  part: string;
}

/** Letters and digits of more than these are a text, whatever pictures are beside it. */
const TEXT_OF_DOCUMENT = 100;
const TEXT_OF_SLIDE = 40;
/** Pixels; smaller pictures are ornaments and logos. */
const LEAST_WIDTH = 200;
const LEAST_HEIGHT = 100;
const MAX_PICTURES = 2_000;

/** The document with what OCR has made of its pictures, or with the numbers of those that OCR may read. */
export function withPictures(
  zip: ZipArchive,
  document: ParsedDocument,
  { limits, recognized }: { limits: ParseLimits; recognized: readonly RecognizedPage[] | null },
): ParsedDocument {
  const pictures = pagePictures(zip, document);
  if (pictures.length === 0) return document;
  const numbers = pictures.map((picture) => picture.number);
  if (recognized === null) {
    if (document.text.trim() !== "") return { ...document, scanned: numbers };
    const message =
      "No text could be extracted: the document holds only images, which need OCR before they can be searched.";
    throw new ParseError("invalid_file", message, numbers);
  }
  const joined =
    document.kind === "pptx" ? onSlides(document, recognized, limits) : afterText(document, recognized, limits);
  if (joined.text.trim() === "") throw nothingRecognized(recognized, "document");
  const out = new DocumentBuilder(limits.maxTextLength);
  warnAboutOcr(out, recognized);
  return { ...joined, warnings: [...document.warnings, ...out.warnings], scanned: failedPages(recognized) };
}

/** What the page picture of this number shows; null where there is none that can be decoded. */
export function officePicture(zip: ZipArchive, document: ParsedDocument, number: number): Picture | null {
  const part = pagePictures(zip, document).find((picture) => picture.number === number)?.part;
  const bytes = part === undefined ? null : zip.read(part);
  return bytes === null ? null : imagePicture(bytes, 1);
}

function pagePictures(zip: ZipArchive, document: ParsedDocument): PagePicture[] {
  if (document.kind === "pptx") return slidePictures(zip, document);
  if (document.kind !== "docx" || isText(document.text, TEXT_OF_DOCUMENT)) return [];
  return picturesOf(zip, mainPart(zip))
    .filter(({ pixels }) => pixels > 0)
    .map(({ part }, i) => ({ number: i + 1, part }));
}

function slidePictures(zip: ZipArchive, { text, pages }: ParsedDocument): PagePicture[] {
  const isSaid = pages?.map((page) => isText(text.slice(page.start, page.end), TEXT_OF_SLIDE)) ?? [];
  if (!isSaid.includes(false)) return [];
  return slideParts(zip, mainPart(zip)).flatMap((slide, i) => {
    const page = pages?.[i];
    if (page === undefined || isSaid[i] === true) return [];
    const largest = picturesOf(zip, slide).toSorted((a, b) => b.pixels - a.pixels)[0];
    return largest === undefined || largest.pixels === 0 ? [] : [{ number: page.number, part: largest.part }];
  });
}

/** The pictures that a part shows, in its order; `pixels` is 0 for one that is small, or of a kind that is not read. */
function picturesOf(zip: ZipArchive, part: string): { part: string; pixels: number }[] {
  const bytes = zip.read(part);
  if (bytes === null) return [];
  const targets = new Map(
    readRelations(zip, part)
      .filter((relation) => relation.type === "image" && relation.target !== "")
      .map((relation) => [relation.id, relation.target]),
  );
  const shown = new Set<string>();
  readXml(bytes, {
    open(_name, attributes) {
      for (const [name, value] of Object.entries(attributes)) {
        const target = /:(?:embed|id|pict)$/.test(name) ? targets.get(value) : undefined;
        if (target !== undefined && shown.size < MAX_PICTURES) shown.add(target);
      }
    },
  });
  return [...shown].map((target) => ({ part: target, pixels: pixelsOf(zip, target) }));
}

function pixelsOf(zip: ZipArchive, part: string): number {
  const frame = imageFrames(zip.read(part) ?? new Uint8Array())?.[0];
  return frame === undefined || frame.width < LEAST_WIDTH || frame.height < LEAST_HEIGHT
    ? 0
    : frame.width * frame.height;
}

/** Whether there are more letters and digits than so many; no more of the text is looked at than tells. */
function isText(text: string, most: number): boolean {
  LETTER.lastIndex = 0;
  for (let found = 0; found <= most; found++) if (!LETTER.test(text)) return false;
  return true;
}

const LETTER = /[\p{L}\p{N}]/gu;

/** A text document's pictures are its pages. */
function afterText(
  document: ParsedDocument,
  recognized: readonly RecognizedPage[],
  limits: ParseLimits,
): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  out.append(document, 0);
  for (const page of recognized) {
    out.page(page.number);
    if (page.outcome === "read") for (const paragraph of page.paragraphs) out.block(paragraph);
  }
  return { ...out.build(document.kind), title: document.title, metadata: document.metadata };
}

/** What was recognised is put at the end of its slide; all places behind it move. */
function onSlides(
  document: ParsedDocument,
  recognized: readonly RecognizedPage[],
  limits: ParseLimits,
): ParsedDocument {
  const texts = new Map(
    recognized.flatMap((page) =>
      page.outcome === "read" ? [[page.number, page.paragraphs.join("\n\n")] as const] : [],
    ),
  );
  const old = document.text;
  const moves: { from: number; by: number }[] = [];
  const pages: PageSpan[] = [];
  let text = "";
  let copied = 0;
  for (const page of document.pages ?? []) {
    text += old.slice(copied, page.end);
    copied = Math.max(copied, page.end);
    const added = texts.get(page.number) ?? "";
    const before = text.length;
    if (added !== "") text += (text === "" ? "" : "\n\n") + added;
    const start = page.end > page.start ? before - (page.end - page.start) : text.length - added.length;
    pages.push({ number: page.number, start, end: text.length });
    // What followed without a gap, at the very beginning, gets one.
    if (before === 0 && added !== "" && page.end < old.length) text += "\n\n";
    if (text.length > before) moves.push({ from: page.end, by: text.length - before });
  }
  text += old.slice(copied);
  if (text.length > limits.maxTextLength)
    throw invalidFile("The file holds more text than this server accepts in one document.");
  const moved = (at: number, isEnd = false): number =>
    moves.reduce((sum, { from, by }) => (at > from || (at === from && !isEnd) ? sum + by : sum), at);
  const { offsets, ranks } = document.breaks;
  return {
    ...document,
    text,
    pages,
    headings: document.headings.map((heading) => ({ ...heading, start: moved(heading.start) })),
    breaks: { offsets: offsets.map((offset) => moved(offset)), ranks },
    regions: document.regions.map((region) => ({
      ...region,
      start: moved(region.start),
      end: moved(region.end, true),
    })),
  };
}
