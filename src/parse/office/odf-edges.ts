import { DocumentBuilder } from "../builder.ts";
import type { XmlHandler } from "../xml.ts";
import type { OdfContext } from "./odf-writer.ts";
import { OdfWriter } from "./odf-writer.ts";

const EDGES = new Set(["header", "header-left", "header-first", "footer", "footer-left", "footer-first"]);
/** What is filled in when a page is printed. */
const FIELDS = new Set(["page-number", "page-count", "sheet-name", "date", "time", "file-name"]);
const MAX_EDGE = 1024 * 1024;

/** Headers and footers of the page styles of an OpenDocument file, each wording once. */
export class OdfEdges implements XmlHandler {
  readonly #out: DocumentBuilder;
  readonly #context: OdfContext;
  readonly #seen = new Set<string>();
  #inMaster = 0;
  #edge: { builder: DocumentBuilder; writer: OdfWriter; depth: number; hasFields: boolean } | null = null;
  #field = 0;

  constructor(out: DocumentBuilder, context: OdfContext) {
    this.#out = out;
    this.#context = context;
  }

  open(name: string, attributes: Record<string, string>): void {
    if (name === "master-styles") this.#inMaster++;
    if (this.#inMaster === 0) return;
    if (EDGES.has(name) && this.#edge === null) {
      const builder = new DocumentBuilder(MAX_EDGE);
      this.#edge = { builder, writer: new OdfWriter(builder, this.#context), depth: 0, hasFields: false };
    }
    if (this.#edge === null) return;
    this.#edge.depth++;
    if (FIELDS.has(name)) {
      this.#field++;
      this.#edge.hasFields = true;
    } else if (this.#field === 0) this.#edge.writer.open(name, attributes);
  }

  text(text: string): void {
    if (this.#field === 0) this.#edge?.writer.text(text);
  }

  close(name: string): void {
    if (name === "master-styles") this.#inMaster--;
    if (this.#edge === null) return;
    if (FIELDS.has(name)) this.#field--;
    else if (this.#field === 0) this.#edge.writer.close(name);
    if (--this.#edge.depth === 0) this.#end();
  }

  #end(): void {
    const edge = this.#edge;
    this.#edge = null;
    this.#field = 0;
    if (edge === null) return;
    // Programs write question marks for what they fill in.
    const text = edge.builder
      .build("odt")
      .text.replace(/\?{3}/g, "")
      .split("\n")
      .filter((line) => /[\p{L}\d]/u.test(line))
      .join("\n")
      .trim();
    const words = text.match(/[\p{L}\d]+/gu)?.length ?? 0;
    // "Page" without its number.
    if (words === 0 || (edge.hasFields && words < 2) || this.#seen.has(text)) return;
    this.#seen.add(text);
    this.#out.block(text);
  }
}
