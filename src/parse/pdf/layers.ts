import type { PDFDocumentProxy, PDFPageProxy } from "./pdfjs.ts";
import type { TextItem } from "./painted.ts";

/**
 * What a page shows of its text: without the layers that are switched off when the file is opened, and with the text
 * that a stretch of glyphs stands for (ActualText) where the file names it.
 */

/** A mark in the stream of text items. */
export interface MarkedContent {
  type: "beginMarkedContent" | "beginMarkedContentProps" | "endMarkedContent";
  /** By which the page's structure names it. */
  id?: string | null;
  actualText?: string | null;
  optionalContent?: unknown;
}

/** Whether what belongs to a layer, or to a condition on layers, is seen. */
export type IsVisible = (layer: unknown) => boolean;

export async function visibility(doc: PDFDocumentProxy): Promise<IsVisible> {
  try {
    const config = await doc.getOptionalContentConfig();
    return (layer) => {
      if (layer === null || layer === undefined) return true;
      try {
        return config.isVisible(layer as never);
      } catch {
        return true;
      }
    };
  } catch {
    return () => true;
  }
}

interface StructureNode {
  actualText?: string;
  children?: StructureNode[];
  /** Of marked content. */
  type?: string;
  id?: string;
}

const MAX_DEPTH = 100;

/** Texts that a tagged page's structure gives to marked content, by its id: all of a text goes to the first of its parts. */
export async function structureTexts(page: PDFPageProxy): Promise<ReadonlyMap<string, string>> {
  const out = new Map<string, string>();
  const visit = (node: StructureNode, text: { rest: string } | null, depth: number): void => {
    const own = text ?? (typeof node.actualText === "string" ? { rest: node.actualText } : null);
    if (node.type === "content" && node.id !== undefined && own !== null) {
      out.set(node.id, own.rest);
      own.rest = "";
    }
    if (depth < MAX_DEPTH) for (const child of node.children ?? []) visit(child, own, depth + 1);
  };
  try {
    const tree = (await page.getStructTree()) as StructureNode | null;
    if (tree !== null) visit(tree, null, 0);
  } catch {
    // A damaged structure says nothing; the page's text is there without it.
  }
  return out;
}

interface Replacement {
  text: string;
  glyphs: TextItem[];
}

interface Open {
  isHidden: boolean;
  replacement: Replacement | null;
}

export function shownItems(
  stream: readonly (TextItem | MarkedContent)[],
  isVisible: IsVisible,
  texts: ReadonlyMap<string, string> = new Map(),
): TextItem[] {
  const out: TextItem[] = [];
  const open: Open[] = [];
  let hidden = 0;
  let replacement: Replacement | null = null;
  const close = (last: Open): void => {
    if (last.isHidden) hidden -= 1;
    if (last.replacement === null) return;
    out.push(...replaced(last.replacement));
    replacement = null;
  };
  for (const item of stream) {
    if (!("type" in item)) {
      if (hidden > 0) continue;
      if (replacement === null) out.push(item);
      else replacement.glyphs.push(item);
    } else if (item.type === "endMarkedContent") {
      const last = open.pop();
      if (last !== undefined) close(last);
    } else {
      const isHidden = !isVisible(item.optionalContent);
      if (isHidden) hidden += 1;
      // The outermost text stands for all that is in it.
      let own: Replacement | null = null;
      const text = item.actualText ?? texts.get(item.id ?? "");
      if (replacement === null && text !== undefined) own = { text, glyphs: [] };
      replacement ??= own;
      open.push({ isHidden, replacement: own });
    }
  }
  // A stream may end within marked content.
  while (open.length > 0) close(open.pop()!);
  return out;
}

/** One item in place of all; glyphs that are not seen stand for nothing. */
function replaced({ text, glyphs }: Replacement): TextItem[] {
  const first = glyphs.find((item) => item.str.trim() !== "");
  if (first === undefined) return glyphs;
  const str = text.replace(/[\u0000-\u001f\u007f\s]+/g, " ");
  const [a = 1, b = 0, , , e = 0, f = 0] = first.transform;
  const scale = Math.hypot(a, b) || 1;
  let width = first.width;
  for (const item of glyphs) {
    const along = ((item.transform[4] ?? e) - e) * (a / scale) + ((item.transform[5] ?? f) - f) * (b / scale);
    const across = ((item.transform[5] ?? f) - f) * (a / scale) - ((item.transform[4] ?? e) - e) * (b / scale);
    if (Math.abs(across) < first.height / 2) width = Math.max(width, along + item.width);
  }
  const { glyphs: _, edges: __, spaced: ___, ...kept } = first;
  return [{ ...kept, str, width, hasEOL: glyphs.at(-1)?.hasEOL ?? false }];
}
