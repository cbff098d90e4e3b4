import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";
import { decodeProperties, decodeQuoted, decodeUnicodeEscapes, decodeYaml, decodeEntities } from "./escapes.ts";

/** Text formats with a structure of their own: notebooks, reStructuredText, subtitles, configuration, logs. */

interface NotebookCell {
  cell_type?: unknown;
  source?: unknown;
  /** What `source` was called up to version 3. */
  input?: unknown;
  level?: unknown;
  outputs?: unknown;
}

interface NotebookOutput {
  text?: unknown;
  data?: Record<string, unknown>;
  ename?: unknown;
  evalue?: unknown;
}

/** Jupyter notebooks: Markdown and code cells in order, then text that the code printed. Not a notebook: false. */
export function parseNotebook(text: string, out: DocumentBuilder, write: (markdown: string) => void): boolean {
  let notebook: unknown;
  try {
    notebook = JSON.parse(text);
  } catch {
    return false;
  }
  const worksheets = fieldOf(notebook, "worksheets");
  const sheets: unknown[] = Array.isArray(worksheets) ? worksheets : [];
  const cells =
    fieldOf(notebook, "cells") ?? (sheets.length > 0 ? sheets.flatMap((sheet) => fieldOf(sheet, "cells") ?? []) : null);
  if (!Array.isArray(cells)) return false;
  const language = fieldOf(fieldOf(fieldOf(notebook, "metadata"), "language_info"), "name");
  out.metadata["language"] = typeof language === "string" ? language : "code";
  for (const cell of cells as NotebookCell[]) {
    const source = joined(cell?.source ?? cell?.input).trim();
    if (cell?.cell_type === "markdown") {
      if (source !== "") write(source);
    } else if (cell?.cell_type === "heading") {
      write(`${"#".repeat(Math.min(6, Number(cell.level) || 1))} ${source}`);
    } else if (source !== "") {
      out.raw(source, BREAK.unit);
    }
    for (const output of Array.isArray(cell?.outputs) ? (cell.outputs as NotebookOutput[]) : []) {
      const printed = outputText(output).replace(ANSI_COLOR, "").trim();
      if (printed !== "" && !OBJECT_NAME.test(printed)) out.block(printed.slice(0, 20_000));
    }
  }
  return true;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

const ANSI_COLOR = /\x1b\[[\d;]*m/g;
/** What stands for a picture where it cannot be shown. */
const OBJECT_NAME = /^<[\w. ]*(?:Figure|Image|HTML|Audio|Video)\b[^>\n]*>$/;

function outputText(output: NotebookOutput): string {
  if (typeof output?.ename === "string") return `${output.ename}: ${joined(output.evalue)}`;
  return joined(output?.text ?? output?.data?.["text/markdown"] ?? output?.data?.["text/plain"]);
}

function joined(value: unknown): string {
  if (Array.isArray(value)) return value.filter((part) => typeof part === "string").join("");
  return typeof value === "string" ? value : "";
}

const RST_RULE = /^([=\-~^"'`#*+.:_])\1{2,}\s*$/;

/** reStructuredText: titles are lines underlined by a run of one mark; levels come in order of appearance. */
export function parseRst(text: string, out: DocumentBuilder): void {
  const start = out.raw(text);
  const levels: string[] = [];
  const lines = text.split("\n");
  let at = 0;
  lines.forEach((line, i) => {
    const rule = lines[i + 1] ?? "";
    const mark = RST_RULE.exec(rule)?.[1];
    if (
      mark !== undefined &&
      line.trim() !== "" &&
      !RST_RULE.test(line) &&
      rule.trimEnd().length >= line.trimEnd().length &&
      !/^\s/.test(line)
    ) {
      const over = RST_RULE.test(lines[i - 1] ?? "");
      const style = over ? `${mark}${mark}` : mark;
      if (!levels.includes(style)) levels.push(style);
      const offset = start + at - (over ? lines[i - 1]!.length + 1 : 0);
      out.breakAt(offset, BREAK.section);
      out.headingAt(levels.indexOf(style) + 1, line, offset);
    }
    at += line.length + 1;
  });
}

const CUE_TIME = /^(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->\s*(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}/;

/** Subtitles: what is said, a line a cue with its start; numbers and styles are left out. */
export function parseSubtitles(text: string, out: DocumentBuilder): void {
  out.beginRegion(null);
  for (const block of text.split(/\n[ \t]*\n+/)) {
    const lines = block.split("\n").map((line) => line.trim());
    const at = lines.findIndex((line) => CUE_TIME.test(line));
    if (at < 0) continue;
    const marked = withoutStyles(lines.slice(at + 1).join(" "));
    const said = decodeEntities(marked)
      .replace(/[\u200e\u200f]/g, "")
      .trim();
    const time = /^[\d:]+/.exec(lines[at]!)?.[0] ?? "";
    if (said !== "") out.line(`[${time}] ${said}`, BREAK.row);
  }
  out.endRegion();
}

/** Without tags ("<i>") and codes ("{\\an8}"). One without an end is looked for once. */
function withoutStyles(text: string): string {
  let out = "";
  let done = 0;
  const unclosed = new Set<string>();
  for (const { 0: mark, index } of text.matchAll(/<|\{\\/g)) {
    if (index < done || unclosed.has(mark)) continue;
    const end = text.indexOf(mark === "<" ? ">" : "}", index);
    if (end < 0) {
      unclosed.add(mark);
      continue;
    }
    out += text.slice(done, index);
    done = end + 1;
  }
  return out + text.slice(done);
}

export function looksLikeSubtitles(text: string): boolean {
  return /^(?:WEBVTT\b|\s*\d+\s*\n(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->)/.test(text.slice(0, 500));
}

const CONFIG_ESCAPES: Record<string, (text: string) => string> = {
  yaml: decodeYaml,
  yml: decodeYaml,
  toml: decodeQuoted,
  env: decodeQuoted,
  properties: decodeProperties,
};

/** YAML, TOML, INI and properties: sections and top-level keys begin units; escapes are decoded as each format has them. */
export function parseConfig(source: string, extension: string, out: DocumentBuilder): void {
  const text = (CONFIG_ESCAPES[extension] ?? decodeUnicodeEscapes)(source);
  const start = out.raw(text);
  for (const match of text.matchAll(
    /^(?:\[{1,2}([^\]\n]{1,200})\]{1,2}[ \t]*(?:[#;].*)?|---[ \t]*|([A-Za-z_][\w.\- ]{0,100}):[ \t]*)$/gm,
  )) {
    out.breakAt(start + match.index, BREAK.unit);
    const name = match[1] ?? match[2];
    if (name !== undefined) out.headingAt(1, name, start + match.index);
  }
}

const LOG_START =
  /^(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ]|\[?\d{1,2}[-/ ](?:\d\d|[A-Z][a-z]{2})[-/ ]\d{2,4}|[A-Z][a-z]{2} +\d+ \d\d:|\[?\d\d:\d\d:\d\d|<\d+>|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b)/;

/** Logs: an entry is the line that bears a time or level, with the lines that follow it. */
export function parseLog(source: string, out: DocumentBuilder): void {
  // Entries often end with their data as JSON.
  const text = decodeUnicodeEscapes(source);
  const start = out.raw(text);
  for (let at = 0; at < text.length;) {
    if (LOG_START.test(text.slice(at, at + 40))) out.breakAt(start + at, BREAK.row);
    const end = text.indexOf("\n", at);
    at = end < 0 ? text.length : end + 1;
  }
  out.regionAt(start, start + text.length, null);
}

export function looksLikeLog(text: string): boolean {
  const lines = text
    .slice(0, 8000)
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.trim() !== "");
  return lines.length >= 4 && lines.filter((line) => LOG_START.test(line)).length > lines.length * 0.5;
}
