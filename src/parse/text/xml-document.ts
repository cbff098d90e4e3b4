import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";
import { FormulaReader } from "../formula.ts";
import { readXmlText } from "../xml.ts";
import { decodeUnicodeEscapes, decodeEntities } from "./escapes.ts";

/**
 * Text of elements and of telling attributes, a line each; children of the root are units. Elements amid text ("H<sub>2</sub>O") belong to its line. No schema says which they are, so a first pass learns it from the document: an element
 * that holds text beside elements somewhere holds its children in line everywhere.
 */
export function parseXmlDocument(text: string, out: DocumentBuilder): void {
  const shape = learnShape(text);
  const inLine: boolean[] = [];
  const names: string[] = [];
  let current = "";
  /** Texts of an Android program. */
  const isResource = /<resources[\s>]/.test(text.slice(0, 4000));
  let formula: FormulaReader | null = null;
  /** Attributes of elements amid the text that is being collected. */
  let aside: string[] = [];
  const flush = (): void => {
    const clean = current
      .replace(/[ \t\r\n]+/g, " ")
      .replace(/ ?\u2028 ?/g, "\n")
      .trim();
    const rank = names.length <= 2 ? BREAK.row : BREAK.line;
    current = "";
    if (clean !== "") out.line(clean, rank);
    for (const line of aside) out.line(line, rank);
    aside = [];
  };
  readXmlText(text, {
    open(name, attributes) {
      if (formula !== null || name === "math") {
        formula ??= new FormulaReader();
        formula.open(name, attributes);
        return;
      }
      const isInLine =
        shape.mixed.has(names.at(-1) ?? "") && !shape.blocks.has(name) && !ALWAYS_BLOCKS.has(name.toLowerCase());
      if (!isInLine) flush();
      names.push(name);
      inLine.push(isInLine);
      for (const key in attributes) {
        const value = attributes[key]!;
        if (!TELLING.test(key) || !/\p{L}{2}/u.test(value)) continue;
        if (isInLine) aside.push(value);
        else out.line(value, names.length <= 2 ? BREAK.row : BREAK.line);
      }
      // TEI says so where a word goes on in the next line.
      if (LINE_BREAKS.has(name) && attributes["break"] !== "no") current += isInLine ? "\u2028" : "";
      if (names.length === 2) out.gap();
    },
    text(part) {
      // Names of HTML stand in documents whose type declared them elsewhere.
      if (formula === null) current += isResource ? resourceText(decodeEntities(part)) : decodeEntities(part);
      else formula.text(part);
    },
    close() {
      if (formula !== null) {
        const line = formula.close();
        if (line === null) return;
        formula = null;
        current += (/[\p{L}\p{N}]$/u.test(current.slice(-2)) ? " " : "") + line;
        return;
      }
      if (inLine.pop() !== true) flush();
      names.pop();
    },
  });
  flush();
}

function resourceText(text: string): string {
  return decodeUnicodeEscapes(text).replace(/\\(['"@?nt])/g, (_, sign: string) => (/[nt]/.test(sign) ? " " : sign));
}

const TELLING = /^(?:\w+:)?(?:name|title|label|alt|caption|summary|description|value|text|content)$/i;
/** Whoever writes these means a line of its own, also amid text. */
const ALWAYS_BLOCKS = new Set(
  (
    "p para simpara div section sect1 sect2 chapter article title subtitle item listitem li list ul ol table row tr td th cell entry " +
    "h1 h2 h3 h4 h5 h6 head abstract note warning blockquote programlisting screen pre figure caption record"
  ).split(" "),
);
const LINE_BREAKS = new Set(["br", "lb", "break", "linebreak", "newline", "tab", "pb", "cb"]);

interface Shape {
  /** Elements that hold text beside elements. */
  mixed: Set<string>;
  /** Elements that only ever hold several elements, or one of these: lists and tables, also amid text. */
  blocks: Set<string>;
}

function learnShape(text: string): Shape {
  const open: { name: string; hasText: boolean; children: number; hasBlock: boolean }[] = [];
  const mixed = new Set<string>();
  const blocks = new Set<string>();
  const withText = new Set<string>();
  readXmlText(text, {
    open(name) {
      const parent = open.at(-1);
      if (parent !== undefined) parent.children++;
      open.push({ name, hasText: false, children: 0, hasBlock: false });
    },
    text(part) {
      const parent = open.at(-1);
      if (parent !== undefined && !parent.hasText) parent.hasText = /\S/.test(part);
    },
    close() {
      const one = open.pop();
      if (one === undefined) return;
      if (one.hasText) withText.add(one.name);
      if (one.hasText && one.children > 0) mixed.add(one.name);
      if (!one.hasText && (one.children > 1 || one.hasBlock)) blocks.add(one.name);
      const parent = open.at(-1);
      if (parent !== undefined && blocks.has(one.name) && !withText.has(one.name)) parent.hasBlock = true;
    },
  });
  for (const name of withText) blocks.delete(name);
  return { mixed, blocks };
}
