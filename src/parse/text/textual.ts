import { DocumentBuilder } from "../builder.ts";
import { decodeCalendar, looksLikeCalendar, writeCalendar } from "./calendar.ts";
import { codeLanguage, parseCode, shebangLanguage } from "./code.ts";
import { guessDelimiter, parseDelimited } from "../sheets/delimited.ts";
import { extensionOf } from "../detect.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile, unsupportedFile } from "../document.ts";
import type { DecodedText } from "./encoding.ts";
import { decodeText } from "./encoding.ts";
import { decodeLdif, decodeMessages } from "./escapes.ts";
import { parseHtml } from "./html.ts";
import { htmlCharset, xmlCharset } from "./markup-text.ts";
import { looksLikeJson, looksLikeJsonLines, parseJson, parseJsonLines } from "./json.ts";
import type { ParseLimits } from "../limits.ts";
import { looksLikeMarkdown, parseMarkdown } from "./markdown.ts";
import { parseWordXml } from "../office/docx.ts";
import { parseFlatOdf } from "../office/odf.ts";
import { parseSheetXml } from "../sheets/spreadsheet-xml.ts";
import {
  looksLikeLog,
  looksLikeSubtitles,
  parseConfig,
  parseLog,
  parseNotebook,
  parseRst,
  parseSubtitles,
} from "./structured.ts";
import { joinHyphenated } from "./hyphens.ts";
import { plainOfTerminal } from "./terminal.ts";
import { parseBib, parseTex } from "./tex.ts";
import { parseXmlDocument } from "./xml-document.ts";

/** Files that are text: finds out their encoding and which kind of text they are, and reads them as that. */
export function parseTextual(
  bytes: Uint8Array,
  filename: string,
  contentType: string | null,
  limits: ParseLimits,
): ParsedDocument {
  const extension = extensionOf(filename);
  const declared = declaredCharset(bytes, contentType, extension);
  const isCalendar = looksLikeCalendar(bytes);
  const decoded: DecodedText = isCalendar
    ? { ...decodeCalendar(bytes, declared), doubtful: false }
    : decodeText(bytes, declared);
  // Text in an unknown encoding has no control characters; a format that nothing here knows has.
  if (decoded.doubtful && (bytes.includes(0) || CONTROLS.test(decoded.text))) throw unsupportedFile();
  const text = plainOfTerminal(decoded.text);
  if (text.trim() === "") throw invalidFile("The file holds no text, only white space.");
  const kind = isCalendar ? "calendar" : kindOfText(text, filename, extension, contentType);
  const out = new DocumentBuilder(limits.maxTextLength);
  out.warnings.push(...decoded.warnings);
  out.metadata["encoding"] = decoded.encoding;
  const root = kind === "xml" ? text.slice(0, 4000) : "";
  if (/<office:document[\s>]/.test(root)) parseFlatOdf(text, out, limits);
  else if (/<w:wordDocument[\s>]|<pkg:package[\s>]/.test(root)) parseWordXml(text, out);
  else if (/<(?:ss:)?Workbook\s[^>]*urn:schemas-microsoft-com:office:spreadsheet/.test(root)) parseSheetXml(text, out);
  else READERS[kind](text, filename, out);
  if (out.length === 0) throw invalidFile("The file holds markup but no text.");
  return out.build(kind);
}

const CONTROLS = /[\x01-\x07\x0e-\x1a\x1c-\x1f\x7f]/;

type TextKind =
  | "html"
  | "markdown"
  | "json"
  | "jsonl"
  | "code"
  | "text"
  | "csv"
  | "tsv"
  | "xml"
  | "notebook"
  | "rst"
  | "tex"
  | "bibtex"
  | "messages"
  | "ldif"
  | "calendar"
  | "subtitles"
  | "config"
  | "log";

type Reader = (text: string, filename: string, out: DocumentBuilder) => void;

const MAX_TITLE = 200;

/** A short first line that stands alone, with more below it, is what plain text has for a title. */
export function titleOfText(text: string): string | null {
  const start = text.search(/\S/);
  const end = text.indexOf("\n", start);
  if (start < 0 || end < 0 || end - start > MAX_TITLE) return null;
  const line = text.slice(start, end);
  return /\p{L}/u.test(line) && /^\n[ \t]*\n\s*\S/.test(text.slice(end)) ? line.trim() : null;
}

const READERS: Record<TextKind, Reader> = {
  html: (text, _filename, out) => parseHtml(text, out),
  markdown: (text, _filename, out) => parseMarkdown(text, out),
  json: (text, _filename, out) => parseJson(text, out),
  jsonl: (text, _filename, out) => parseJsonLines(text, out),
  code: (text, filename, out) => parseCode(text, codeLanguage(filename) ?? shebangLanguage(text) ?? "code", out),
  text: (text, _filename, out) => {
    const joined = joinHyphenated(text);
    out.title = titleOfText(joined);
    out.raw(joined);
  },
  csv: (text, _filename, out) => parseDelimited(text, guessDelimiter(text) ?? ",", out),
  tsv: (text, _filename, out) => parseDelimited(text, "\t", out),
  xml: (text, _filename, out) => parseXmlDocument(text, out),
  notebook: (text, _filename, out) => {
    const isNotebook = parseNotebook(text, out, (markdown) => {
      out.gap();
      parseMarkdown(markdown, out);
    });
    if (!isNotebook) parseJson(text, out);
  },
  rst: (text, _filename, out) => parseRst(text, out),
  tex: (text, _filename, out) => parseTex(text, out),
  bibtex: (text, _filename, out) => parseBib(text, out),
  messages: (text, _filename, out) => {
    out.raw(decodeMessages(text));
  },
  ldif: (text, _filename, out) => {
    out.raw(decodeLdif(text));
  },
  calendar: (text, _filename, out) => writeCalendar(text, out),
  subtitles: (text, _filename, out) => parseSubtitles(text, out),
  config: (text, filename, out) => parseConfig(text, extensionOf(filename), out),
  log: (text, _filename, out) => parseLog(text, out),
};

const BY_EXTENSION: Record<string, TextKind> = {
  html: "html",
  htm: "html",
  xhtml: "html",
  xht: "html",
  shtml: "html",
  md: "markdown",
  markdown: "markdown",
  mdown: "markdown",
  mkd: "markdown",
  mdx: "markdown",
  qmd: "markdown",
  rmd: "markdown",
  jsonl: "jsonl",
  ndjson: "jsonl",
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  ipynb: "notebook",
  rst: "rst",
  rest: "rst",
  json: "json",
  geojson: "json",
  topojson: "json",
  jsonld: "json",
  json5: "json",
  jsonc: "json",
  har: "json",
  webmanifest: "json",
  bib: "bibtex",
  po: "messages",
  pot: "messages",
  strings: "messages",
  ldif: "ldif",
  ldf: "ldif",
  tex: "tex",
  dtx: "tex",
  bbl: "tex",
  latex: "tex",
  ltx: "tex",
  sty: "tex",
  cls: "tex",
  srt: "subtitles",
  vtt: "subtitles",
  yaml: "config",
  yml: "config",
  toml: "config",
  ini: "config",
  cfg: "config",
  conf: "config",
  properties: "config",
  env: "config",
  log: "log",
};

/** The content where it leaves no doubt, then the name, then what the content looks like. */
function kindOfText(text: string, filename: string, extension: string, contentType: string | null): TextKind {
  const head = text.slice(0, 4000).trimStart();
  const named = BY_EXTENSION[extension];
  const language = codeLanguage(filename);
  if (
    named !== "markdown" &&
    language === null &&
    /^<(?:!doctype\s+html|html[\s>])/i.test(withoutComments(head.replace(/^<\?xml[^>]*>/, "")))
  )
    return "html";
  if (head.startsWith("<?xml")) return "xml";
  if (looksLikeSubtitles(text)) return "subtitles";
  if ((named === "json" || named === "log") && looksLikeJsonLines(text)) return "jsonl";
  if (
    extension === "xml" ||
    extension === "xsd" ||
    extension === "xsl" ||
    extension === "xslt" ||
    extension === "rss" ||
    extension === "atom"
  ) {
    return head.startsWith("<") ? "xml" : "text";
  }
  if (named !== undefined) return named;
  if (language !== null) return "code";
  return kindByLook(text, head, contentType);
}

function kindByLook(text: string, head: string, contentType: string | null): TextKind {
  if (looksLikeJsonLines(text)) return "jsonl";
  if (looksLikeJson(text)) return "json";
  if (/^#!\s*\//.test(head)) return "code";
  const byType = BY_MEDIA_TYPE[mediaType(contentType)];
  if (byType !== undefined) return byType;
  if (looksLikeHtml(text)) return "html";
  if (looksLikeMarkdown(text)) return "markdown";
  return looksLikeLog(text) ? "log" : "text";
}

const HTML_START = new RegExp(
  String.raw`^<(?:` +
    "a|abbr|acronym|address|area|article|aside|b|base|basefont|bdi|bdo|bgsound|big|blink|blockquote|body|br|button|center|code|col|colgroup|dd|details|div|dl|dt|em|fieldset|figure|" +
    "font|footer|form|frameset|h[1-6]|head|header|hr|i|hgroup|iframe|img|input|kbd|label|legend|li|link|main|mark|marquee|menu|meta|nav|nobr|noscript|ol|optgroup|option|p|picture|pre|s|samp|script|" +
    "section|select|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|template|th|thead|title|tr|tt|u|ul|video" +
    String.raw`)(?:\s[^<>]*)?/?>`,
  "i",
);
/** Elements that a sentence or a template is unlikely to begin with and to end later. */
const HTML_END =
  /<\/(?:a|b|body|center|div|em|font|form|h[1-6]|html|i|li|ol|p|pre|span|strong|style|script|table|td|title|tr|u|ul)\s*>|<br\s*\/?>/i;

/** A page or a part of one, whatever it begins with and whatever it is called. */
function looksLikeHtml(text: string): boolean {
  return HTML_START.test(withoutComments(text.slice(0, 20_000))) && HTML_END.test(text);
}

/** Without the comments that it begins with. */
function withoutComments(text: string): string {
  let from = text.search(/\S/);
  while (from >= 0 && text.startsWith("<!--", from)) {
    const end = text.indexOf("-->", from + 4);
    if (end < 0) return "";
    from = end + 3 + Math.max(0, text.slice(end + 3).search(/\S/));
  }
  return from < 0 ? "" : text.slice(from);
}

const BY_MEDIA_TYPE: Record<string, TextKind> = {
  "text/html": "html",
  "text/markdown": "markdown",
  "text/csv": "csv",
  "text/tab-separated-values": "tsv",
  "application/x-ndjson": "jsonl",
  "application/json": "json",
  "application/json5": "json",
  "application/x-tex": "tex",
  "application/x-bibtex": "bibtex",
  "application/yaml": "config",
};

const HTML_EXTENSIONS = new Set(["html", "htm", "xhtml", "xht", "shtml"]);

function mediaType(contentType: string | null): string {
  return contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
}

function declaredCharset(bytes: Uint8Array, contentType: string | null, extension: string): string | null {
  const header = /charset\s*=\s*["']?([\w.:-]+)/i.exec(contentType ?? "")?.[1];
  if (header !== undefined) return header;
  const head = Buffer.from(bytes.subarray(0, 512)).toString("latin1");
  if (HTML_EXTENSIONS.has(extension) || /^[^<]{0,3}\s*<(?![?%])/.test(head)) return htmlCharset(bytes);
  const xml = xmlCharset(bytes);
  if (xml !== null) return xml;
  // What Java reads where the file is no sound UTF-8.
  if (extension === "properties") return "iso-8859-1";
  if (codeLanguage(`x.${extension}`) === null) return null;
  return /^[^\n]*\n?[^\n]*?(?:coding|fileencoding)[:=]\s*([\w.-]+)/.exec(head)?.[1] ?? null;
}
