import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { decodeAs } from "../text/encoding.ts";
import type { ParseLimits } from "../limits.ts";
import { titleBySlides } from "../slide-title.ts";
import type { OleFile } from "./ole.ts";
import { readSummary } from "./ole-summary.ts";

/** PowerPoint before 2007: titles, text and notes by slide. */

const TYPE = {
  document: 1000,
  slide: 1006,
  notes: 1008,
  notesAtom: 1009,
  slidePersist: 1011,
  outlineHeader: 3999,
  unicodeText: 4000,
  narrowText: 4008,
  string: 4026,
  slideList: 4080,
  /** Of a whole file, and of what one save has changed. */
  fullDirectory: 6001,
  persistDirectory: 6002,
  comment: 12000,
  textBox: 0xf00d,
} as const;

interface Record_ {
  type: number;
  instance: number;
  start: number;
  end: number;
  isContainer: boolean;
}

interface SlideText {
  persistId: number;
  slideId: number;
  texts: { type: number; text: string }[];
}

export function parsePpt(ole: OleFile, limits: ParseLimits): ParsedDocument {
  // Files saved for PowerPoint 95 and 97 at once hold the newer form in a folder.
  const bytes = ole.read("PP97_DUALSTORAGE/PowerPoint Document") ?? ole.read("PowerPoint Document");
  if (bytes === null) throw invalidFile("The presentation is damaged: its text is missing.");
  const user = ole.read("Current User");
  if (
    ole.has("EncryptedSummary") ||
    (user !== null &&
      user.length >= 16 &&
      new DataView(user.buffer, user.byteOffset, user.length).getUint32(12, true) === 0xf3d1c4df)
  ) {
    throw invalidFile("The presentation is encrypted and needs a password to open. Upload a copy without a password.");
  }
  const out = new DocumentBuilder(limits.maxTextLength);
  readSummary(ole, out);
  const file = new PptReader(bytes);
  file.slides.forEach((slide, i) => {
    out.page(i + 1);
    const own = file.textsAt(slide.persistId);
    const all = [...slide.texts, ...own.texts];
    const isTitle = (type: number): boolean => type === 0 || type === 6;
    for (const { type, text } of all) if (isTitle(type)) out.heading(1, text);
    for (const { type, text } of all) if (!isTitle(type)) out.block(text);
    const notes = file.notes.get(slide.slideId);
    if (notes !== undefined && notes.length > 0) out.block(`Notes: ${notes.join("\n")}`);
    for (const comment of own.comments) out.line(comment);
  });
  return titleBySlides(out.build("ppt"));
}

class PptReader {
  readonly slides: SlideText[] = [];
  readonly notes = new Map<number, string[]>();
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #places = new Map<number, number>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const top = this.#children(0, bytes.length);
    // Later saves append directories, so the last one that names an object is right.
    for (const record of top)
      if (record.type === TYPE.persistDirectory || record.type === TYPE.fullDirectory) this.#readDirectory(record);
    const document = top.findLast((record) => record.type === TYPE.document);
    if (document !== undefined) {
      for (const record of this.#children(document.start, document.end)) {
        if (record.type === TYPE.slideList && record.instance === 0) this.#readSlideList(record);
      }
    }
    for (const record of top) if (record.type === TYPE.notes && this.#isLive(record)) this.#readNotes(record);
  }

  /** Text boxes and comments of a slide, by its id in the directory. */
  textsAt(persistId: number): { texts: SlideText["texts"]; comments: string[] } {
    const at = this.#places.get(persistId);
    const record = at === undefined ? null : this.#record(at, this.#bytes.length);
    const texts: SlideText["texts"] = [];
    const comments: string[] = [];
    if (record !== null && record.type === TYPE.slide) this.#collect(record, texts, comments);
    return { texts, comments };
  }

  #isLive(record: Record_): boolean {
    for (const place of this.#places.values()) if (place === record.start - 8) return true;
    return false;
  }

  #record(at: number, limit: number): Record_ | null {
    if (at + 8 > limit) return null;
    const head = this.#view.getUint16(at, true);
    const type = this.#view.getUint16(at + 2, true);
    const length = this.#view.getUint32(at + 4, true);
    return {
      type,
      instance: head >> 4,
      start: at + 8,
      end: Math.min(limit, at + 8 + length),
      // Some writers do not say so of text boxes.
      isContainer: (head & 15) === 15 || type === TYPE.textBox,
    };
  }

  #children(start: number, end: number): Record_[] {
    const out: Record_[] = [];
    for (let at = start; ;) {
      const record = this.#record(at, end);
      if (record === null) return out;
      out.push(record);
      at = record.end;
    }
  }

  #readDirectory(record: Record_): void {
    for (let at = record.start; at + 4 <= record.end;) {
      const head = this.#view.getUint32(at, true);
      const first = head & 0xfffff;
      const count = head >>> 20;
      at += 4;
      for (let i = 0; i < count && at + 4 <= record.end; i++, at += 4)
        this.#places.set(first + i, this.#view.getUint32(at, true));
    }
  }

  #readSlideList(list: Record_): void {
    let type = -1;
    for (const record of this.#children(list.start, list.end)) {
      if (record.type === TYPE.slidePersist && record.end - record.start >= 16) {
        this.slides.push({
          persistId: this.#view.getUint32(record.start, true),
          slideId: this.#view.getUint32(record.start + 12, true),
          texts: [],
        });
      } else if (record.type === TYPE.outlineHeader) {
        type = this.#view.getUint32(record.start, true);
      } else {
        const text = this.#text(record);
        if (text !== "") this.slides.at(-1)?.texts.push({ type, text });
      }
    }
  }

  #readNotes(record: Record_): void {
    const atom = this.#children(record.start, record.end).find((child) => child.type === TYPE.notesAtom);
    if (atom === undefined || atom.end - atom.start < 4) return;
    const texts: SlideText["texts"] = [];
    this.#collect(record, texts, []);
    // Type 2 is the notes' own text; others are dates and numbers.
    this.notes.set(
      this.#view.getUint32(atom.start, true),
      texts.filter(({ type }) => type === 2).map(({ text }) => text),
    );
  }

  #collect(root: Record_, texts: SlideText["texts"], comments: string[]): void {
    let type = -1;
    const open = [root];
    while (open.length > 0) {
      const record = open.pop()!;
      if (record.type === TYPE.outlineHeader && record.end - record.start >= 4)
        type = this.#view.getUint32(record.start, true);
      else if (record.type === TYPE.comment) comments.push(this.#comment(record));
      else if (record.isContainer) open.push(...this.#children(record.start, record.end).reverse());
      else {
        const text = this.#text(record);
        if (text !== "") texts.push({ type, text });
      }
    }
  }

  #comment(record: Record_): string {
    const strings = new Map<number, string>();
    for (const child of this.#children(record.start, record.end)) {
      if (child.type === TYPE.string)
        strings.set(child.instance, decodeAs(this.#bytes.subarray(child.start, child.end), "utf-16le"));
    }
    const author = strings.get(0) ?? "";
    return `[Comment${author === "" ? "" : ` by ${author}`}: ${strings.get(1) ?? ""}]`;
  }

  #text(record: Record_): string {
    const bytes = this.#bytes.subarray(record.start, record.end);
    if (record.type === TYPE.unicodeText) return tidy(decodeAs(bytes, "utf-16le"));
    return record.type === TYPE.narrowText ? tidy(decodeAs(bytes, "iso-8859-1")) : "";
  }
}

/** A lone "*" stands where a master shows a number or date. */
function tidy(text: string): string {
  const clean = text
    .replace(/[\r\v]/g, "\n")
    .replace(/[\x00-\x08\x0e-\x1f]/g, "")
    .trim();
  return clean === "*" ? "" : clean;
}
