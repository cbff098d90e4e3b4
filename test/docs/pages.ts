import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../helpers/server.ts";

/** The documents for people: the README and everything in docs/. Paths from the top of the checkout. */
export function pages(): string[] {
  const inDocs = readdirSync(join(ROOT, "docs"), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((path) => path.endsWith(".md") && !path.startsWith("docs/examples/handbook/"))
    .toSorted();
  return ["README.md", ...inDocs];
}

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export interface Block {
  /** Line of the opening fence, from 1. */
  line: number;
  /** First word after the fence; `setup` for a comment that prepares what follows. */
  language: string;
  /** The words after it. */
  marks: readonly string[];
  text: string;
  /** Why it is not run: the comment `<!-- no-run: reason -->` on the line before. */
  noRun: string | null;
}

/** Fenced blocks and `<!-- setup … -->` comments of a document, in order. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = lines[i] ?? "";
    const fence = /^(`{3,})(.*)$/.exec(opening);
    if (fence === null && opening !== "<!-- setup") continue;
    const end = fence?.[1] ?? "-->";
    const close = lines.indexOf(end, i + 1);
    if (close < 0) throw new Error(`line ${i + 1}: nothing closes this block`);
    const [language = "", ...marks] = fence === null ? ["setup"] : (fence[2] ?? "").trim().split(/\s+/);
    const before = lines.slice(0, i).findLast((line) => line !== "") ?? "";
    const noRun = /^<!-- no-run: (.+) -->$/.exec(before)?.[1] ?? null;
    blocks.push({ line: i + 1, language, marks, text: lines.slice(i + 1, close).join("\n"), noRun });
    i = close;
  }
  return blocks;
}

/** Headings outside fenced blocks, as forges name their anchors. */
export function anchorsOf(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, words = ""] of withoutBlocks(markdown).matchAll(/^#{1,6} +(.+)$/gm)) {
    const slug = words
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    anchors.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return anchors;
}

export function withoutBlocks(markdown: string): string {
  return markdown.replace(/^(`{3,})[^]*?^\1$/gm, "");
}
