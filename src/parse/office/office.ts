import type { ParsedDocument } from "../document.ts";
import { unsupportedFile } from "../document.ts";
import { parseDocx } from "./docx.ts";
import { parseEpub } from "../text/epub.ts";
import type { ParseLimits } from "../limits.ts";
import { parseOdf } from "./odf.ts";
import { parsePptx } from "./pptx.ts";
import { parseXlsb } from "../sheets/xlsb.ts";
import { parseXlsx } from "../sheets/xlsx.ts";
import { attribute, readRelations, readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** Documents that are ZIP packages, told apart by what they declare inside; null for a plain archive. */
export function parsePackage(zip: ZipArchive, limits: ParseLimits): ParsedDocument | null {
  const mimetype = declaredType(zip);
  if (
    mimetype === "application/epub+zip" ||
    (mimetype === "" && zip.has("META-INF/container.xml") && zip.has("OEBPS/content.opf"))
  )
    return parseEpub(zip, limits);
  const odf =
    /^application\/vnd\.(?:oasis\.opendocument|sun\.xml)\.(text|spreadsheet|presentation|graphics|writer|calc|impress|draw)/.exec(
      mimetype,
    )?.[1];
  if (odf !== undefined) return parseOdf(zip, ODF_KINDS[odf] ?? "odt", limits);
  if (mimetype.startsWith("application/vnd.")) throw unsupportedFile();
  if (zip.find("[Content_Types].xml") === null) {
    if (PROGRAM_PARTS.some((name) => zip.has(name)) || firstName(zip).startsWith("Payload/")) throw unsupportedFile();
    return null;
  }
  const main = mainPart(zip);
  const type = contentTypeOf(zip, main);
  if (/sheet\.binary/i.test(type)) return parseXlsb(zip, main, limits);
  if (/word/i.test(type) || /^word\//i.test(main)) return parseDocx(zip, main, limits);
  if (/presentation|slideshow|powerpoint/i.test(type)) return parsePptx(zip, main, limits);
  if (/spreadsheet|excel/i.test(type)) return parseXlsx(zip, main, limits);
  throw unsupportedFile();
}

/** Programs and packages of other products: no archives of documents. */
const PROGRAM_PARTS = [
  "META-INF/MANIFEST.MF",
  "AndroidManifest.xml",
  "Index/Document.iwa",
  "Index.zip",
  "index.apxl",
  "index.xml",
  "index.apxl.gz",
  "index.xml.gz",
  "index.numbers",
];

function firstName(zip: ZipArchive): string {
  return zip.entries.keys().next().value ?? "";
}

const ODF_KINDS: Record<string, "odt" | "ods" | "odp"> = {
  text: "odt",
  writer: "odt",
  spreadsheet: "ods",
  calc: "ods",
  presentation: "odp",
  impress: "odp",
  graphics: "odp",
  draw: "odp",
};

function declaredType(zip: ZipArchive): string {
  const entry = zip.entries.get("mimetype");
  if (entry === undefined || entry.size > 200 || entry.encrypted) return manifestType(zip);
  return Buffer.from(zip.readEntry(entry)).toString("latin1").trim();
}

/** Older OpenDocument files name their type in the manifest only. */
function manifestType(zip: ZipArchive): string {
  let type = "";
  const bytes = zip.has("content.xml") ? zip.read("META-INF/manifest.xml") : null;
  if (bytes === null) return type;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "file-entry" && attribute(attributes, "full-path") === "/")
        type = attribute(attributes, "media-type") ?? "";
    },
  });
  return type;
}

/** As the package's relations say, or as its content types do where those are damaged. */
export function mainPart(zip: ZipArchive): string {
  const named = readRelations(zip, "").find((relation) => relation.type === "officeDocument")?.target ?? "";
  if (named !== "") return named;
  let found = "";
  const bytes = zip.read("[Content_Types].xml");
  if (bytes === null) return "";
  readXml(bytes, {
    open(name, attributes) {
      const type = attributes["ContentType"] ?? "";
      if (
        name === "Override" &&
        found === "" &&
        /(?:document|template|slideshow|presentation|sheet)\S*\.main(?:\+xml)?$/.test(type)
      )
        found = (attributes["PartName"] ?? "").replace(/^\/+/, "");
    },
  });
  return found;
}

function contentTypeOf(zip: ZipArchive, part: string): string {
  const bytes = zip.read("[Content_Types].xml");
  let found = "";
  let byExtension = "";
  if (bytes === null) return "";
  readXml(bytes, {
    open(name, attributes) {
      if (name === "Override" && attributes["PartName"]?.toLowerCase() === `/${part}`.toLowerCase())
        found = attributes["ContentType"] ?? "";
      else if (name === "Default" && part.toLowerCase().endsWith(`.${attributes["Extension"]?.toLowerCase()}`))
        byExtension = attributes["ContentType"] ?? "";
    },
  });
  return found || byExtension;
}
