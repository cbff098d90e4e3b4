import { MarkupParser } from "./markup-parser.ts";
import { decodeText } from "./text/encoding.ts";
import { xmlCharset } from "./text/markup-text.ts";
import { scanXml, type Unread, type XmlHandler } from "./xml-scan.ts";
import type { ZipArchive } from "./zip.ts";

export type { XmlHandler } from "./xml-scan.ts";

export function readXml(bytes: Uint8Array, handler: XmlHandler): void {
  readXmlText(decodeXml(bytes), handler);
}

export function decodeXml(bytes: Uint8Array): string {
  return decodeText(bytes, xmlCharset(bytes)).text;
}

export function readXmlText(text: string, handler: XmlHandler): void {
  const unread = scanXml(text, typeEnd(text), handler);
  if (unread !== null) readForgivingly(text, unread, handler);
}

/** From where a document is not well-formed: whatever can be made of it. */
export function readForgivingly(text: string, { at, open }: Unread, handler: XmlHandler): void {
  const parser = new MarkupParser(
    {
      onopentag: (name, attributes) => handler.open?.(localName(name), attributes),
      ontext: (part) => handler.text?.(part),
      onclosetag: (name) => handler.close?.(localName(name)),
    },
    { xmlMode: true, decodeEntities: true },
    open,
  );
  // In steps, so that the parser's buffer stays small.
  for (let from = at; from < text.length; from += STEP) parser.write(text.slice(from, from + STEP));
  parser.end();
}

const STEP = 1 << 20;
const DOCUMENT_TYPE = "<!DOCTYPE";
/** UTF-16 units in which a document type must begin. */
const MOST_BEFORE_TYPE = 2000;

/** Where the document type ends, its declarations included: they are never read. */
function typeEnd(text: string): number {
  const declared = text.slice(0, MOST_BEFORE_TYPE + DOCUMENT_TYPE.length + 1).search(/<!DOCTYPE\b/i);
  if (declared < 0 || declared > MOST_BEFORE_TYPE) return 0;
  const start = declared + DOCUMENT_TYPE.length;
  const close = text.indexOf(">", start);
  const open = text.indexOf("[", start);
  if (open < 0 || (close >= 0 && close < open)) return close < 0 ? 0 : close + 1;
  for (let at = text.indexOf("]", open); at >= 0; at = text.indexOf("]", at + 1)) {
    const end = /^\]\s*>/.exec(text.slice(at, at + 100))?.[0].length;
    if (end !== undefined) return at + end;
  }
  return 0;
}

function localName(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(colon + 1);
}

const COLON = 0x3a;

/** Value of an attribute whatever its prefix. */
export function attribute(attributes: Record<string, string>, name: string): string | undefined {
  const direct = attributes[name];
  if (direct !== undefined) return direct;
  for (const key in attributes) {
    const before = key.length - name.length - 1;
    if (before >= 0 && key.charCodeAt(before) === COLON && key.endsWith(name)) return attributes[key];
  }
  return undefined;
}

export interface Relation {
  id: string;
  /** Last part of the type's address: "slide", "comments", … */
  type: string;
  /** Path inside the archive; "" for external targets. */
  target: string;
}

/** Relations of an Office part, in order; empty where it has none. */
export function readRelations(zip: ZipArchive, part: string): Relation[] {
  const slash = part.lastIndexOf("/");
  const folder = part.slice(0, slash + 1);
  const bytes = zip.read(`${folder}_rels/${part.slice(slash + 1)}.rels`);
  const out: Relation[] = [];
  if (bytes === null) return out;
  readXml(bytes, {
    open(name, attributes) {
      if (name !== "Relationship") return;
      const external = attributes["TargetMode"] === "External";
      out.push({
        id: attributes["Id"] ?? "",
        type: (attributes["Type"] ?? "").split("/").at(-1) ?? "",
        target: external ? "" : resolvePath(folder, attributes["Target"] ?? ""),
      });
    },
  });
  return out;
}

/** Path of a reference from a folder ("a/b/") inside an archive. */
export function resolvePath(folder: string, target: string): string {
  const parts = target.startsWith("/") ? [] : folder.split("/").filter((part) => part !== "");
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

const CORE_NAMES: Record<string, string> = {
  creator: "author",
  "initial-creator": "author",
  subject: "subject",
  description: "description",
  keywords: "keywords",
  keyword: "keywords",
  language: "language",
  created: "created",
  "creation-date": "created",
  modified: "modified",
  date: "modified",
  category: "category",
};

/** Title and metadata of Office and OpenDocument packages (Dublin Core in docProps/core.xml or meta.xml). */
export function readCoreProperties(zip: ZipArchive, part: string, out: CorePropertiesTarget): void {
  const bytes = zip.read(part);
  if (bytes !== null) readXml(bytes, coreProperties(out));
}

/** The same where the elements stand in a file that holds the document too. */
export function readCorePropertiesText(xml: string, out: CorePropertiesTarget): void {
  readXmlText(xml, coreProperties(out));
}

interface CorePropertiesTarget {
  title: string | null;
  metadata: Record<string, string | number | boolean>;
}

function coreProperties(out: CorePropertiesTarget): XmlHandler {
  let current = "";
  return {
    open: () => {
      current = "";
    },
    text: (text) => {
      current += text;
    },
    close(name) {
      const value = current.replace(/\s+/g, " ").trim().slice(0, 500);
      current = "";
      if (value === "") return;
      if (name === "title") out.title ??= value;
      const key = CORE_NAMES[name];
      if (key === undefined) return;
      out.metadata[key] = key === "created" || key === "modified" ? isoDate(value) : value;
    },
  };
}

function isoDate(value: string): string {
  const date = new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(date.getTime()) ? value : date.toISOString();
}
