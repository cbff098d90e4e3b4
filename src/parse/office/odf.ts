import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { FormulaReader } from "../formula.ts";
import type { ParseLimits } from "../limits.ts";
import { decodeXml, readCoreProperties, readCorePropertiesText, readXml, readXmlText, resolvePath } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { OdfEdges } from "./odf-edges.ts";
import type { OdfContext, OdfKind } from "./odf-writer.ts";
import { OdfWriter } from "./odf-writer.ts";

/** OpenDocument text, sheets and presentations: one format, one reader. */
export function parseOdf(zip: ZipArchive, kind: OdfKind, limits: ParseLimits): ParsedDocument {
  const manifest = zip.read("META-INF/manifest.xml");
  if (manifest !== null && Buffer.from(manifest).includes("encryption-data")) {
    throw invalidFile("The document is encrypted and needs a password to open. Upload a copy without a password.");
  }
  const content = zip.read("content.xml");
  if (content === null) throw invalidFile("The document is damaged: its content is missing.");
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "meta.xml", out);
  const objects = new EmbeddedObjects(zip);
  const writer = new OdfWriter(out, { kind, limits, hasTables: true, formula: (path) => objects.formula(path) });
  readXml(content, writer);
  writer.finish();
  objects.writeOthers(out, { kind: "odt", limits, hasTables: kind !== "ods", formula: () => null });
  const styles = kind === "odp" ? null : zip.read("styles.xml");
  if (styles !== null) readEdges(decodeXml(styles), out, { kind: "odt", limits, hasTables: true, formula: () => null });
  return out.build(kind);
}

/** The same in one XML file (fodt, fods, fodp). */
export function parseFlatOdf(text: string, out: DocumentBuilder, limits: ParseLimits): void {
  const type = /office:mimetype\s*=\s*"[^"]*\.(spreadsheet|presentation)/.exec(text.slice(0, 4000))?.[1];
  const kind = type === "spreadsheet" ? "ods" : type === "presentation" ? "odp" : "odt";
  const context: OdfContext = { kind, limits, hasTables: true, formula: () => null };
  readCorePropertiesText(metaOf(text), out);
  const writer = new OdfWriter(out, context);
  readXmlText(text, writer);
  writer.finish();
  if (kind !== "odp") readEdges(text, out, { ...context, kind: "odt" });
}

/** The margins of pages, in the styles that hold them: most have none. */
function readEdges(styles: string, out: DocumentBuilder, context: OdfContext): void {
  if (EDGE.test(styles)) readXmlText(styles, new OdfEdges(out, context));
}

const EDGE = /<(?:[^\s:/>]*:)?(?:header|footer)(?:-left|-first)?[\s/>]/;

/** The element that says something about the document; "" where there is none. */
function metaOf(text: string): string {
  const start = text.search(/<office:meta[\s>]/);
  const end = start < 0 ? -1 : text.indexOf("</office:meta>", start);
  return end < 0 ? "" : text.slice(start, end);
}

const MAX_OBJECTS = 1000;

/** Formulas, charts and tables that a document holds as documents of their own. */
class EmbeddedObjects {
  readonly #zip: ZipArchive;
  readonly #others = new Map<string, Uint8Array>();
  readonly #seen = new Set<string>();

  constructor(zip: ZipArchive) {
    this.#zip = zip;
  }

  formula(path: string): string | null {
    const part = `${resolvePath("", path)}/content.xml`;
    if (path === "" || this.#seen.has(part) || this.#seen.size >= MAX_OBJECTS) return null;
    this.#seen.add(part);
    const bytes = this.#zip.read(part);
    if (bytes === null) return null;
    const line = formulaOf(bytes);
    if (line === null) this.#others.set(part, bytes);
    return line;
  }

  /** Charts with their titles and the table that they are drawn from; embedded sheets and texts as they are. */
  writeOthers(out: DocumentBuilder, context: OdfContext): void {
    for (const bytes of this.#others.values()) {
      const writer = new OdfWriter(out, context);
      readXml(bytes, writer);
      writer.finish();
    }
  }
}

/** Null for a document that is no formula. */
function formulaOf(bytes: Uint8Array): string | null {
  const reader = new FormulaReader();
  let line: string | null = null;
  let isFormula: boolean | null = null;
  readXml(bytes, {
    open(name, attributes) {
      isFormula ??= name === "math";
      if (isFormula) reader.open(name, attributes);
    },
    text(text) {
      if (isFormula === true) reader.text(text);
    },
    close() {
      if (isFormula === true) line ??= reader.close();
    },
  });
  return line;
}
