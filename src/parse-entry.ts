/** Thread of the parse lane: bytes -> text -> chunks -> keyword terms. Pure JavaScript; may be terminated at any time. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { encodeTerms, upgradeTerms } from "./index/analyzer.ts";
import { chunkDocument, type Chunk } from "./chunk/chunk.ts";
import { decodeDocument, encodeDocument } from "./parse/codec.ts";
import type { ParsedDocument, ParseResult } from "./parse/document.ts";
import { readTsv } from "./parse/ocr.ts";
import { pageOfScan, PARSER_VERSION, parseDocument } from "./parse/parse.ts";
import { lowerPriority } from "./platform/priority.ts";
import { openSealed, seal } from "./platform/sealed.ts";
import type { ParseInit, ParseMethods, ParseSource, TextPart, WorkerChunk } from "./workers/protocol.ts";
import { serveCalls } from "./platform/worker-serve.ts";

serveCalls<ParseMethods, ParseInit>((init) => {
  lowerPriority(init.nice);
  let chunks: Chunk[] = [];
  let title = "";
  let filename = "";

  const load = async (source: ParseSource): Promise<ParseResult & { fromCache: boolean }> => {
    const { path, cachePath, filename, contentType, recognized } = source;
    const cached = recognized === undefined ? readCache(cachePath) : null;
    if (cached !== null) return { ok: true, document: cached, fromCache: true };
    const bytes = new Uint8Array(readFileSync(path));
    const parsed = await parseDocument({ bytes, filename, contentType, recognized }, init.limits);
    if (parsed.ok) writeCache(cachePath, parsed.document);
    return { ...parsed, fromCache: false };
  };

  const slice = (from: number, count: number): WorkerChunk[] => {
    const some = chunks.slice(from, from + count).map(({ index, heading, ...chunk }) => ({
      ...chunk,
      idx: index,
      heading: [...heading],
      terms: encodeTerms({ text: chunk.text, heading, title, filename }),
    }));
    // The last slice lets the document go.
    if (from + count >= chunks.length) chunks = [];
    return some;
  };

  return {
    handlers: {
      async warm() {
        const bytes = new TextEncoder().encode("# Warm\n\nA first sentence. And a second one.");
        const parsed = await parseDocument({ bytes, filename: "warm.md", contentType: null }, init.limits);
        if (parsed.ok) {
          for (const chunk of chunkDocument(parsed.document, { maxTokens: 100, overlapTokens: 0 }))
            encodeTerms({ text: chunk.text, heading: chunk.heading, title: "" });
        }
        return { result: null };
      },
      async parse({ source, maxTokens, overlapTokens, count }) {
        chunks = [];
        const loaded = await load(source);
        if (!loaded.ok) return { result: { ok: false, error: loaded.error, scanned: loaded.scanned } };
        const { document, fromCache } = loaded;
        chunks = chunkDocument(document, { maxTokens, overlapTokens });
        title = document.title ?? "";
        filename = source.filename;
        const { warnings, scanned } = document;
        const total = chunks.length;
        // Where pages are still to be read there will be others.
        const first = scanned.length > 0 ? [] : slice(0, count);
        return { result: { ok: true, chunks: total, first, warnings, fromCache, scanned } };
      },
      chunks: ({ from, count }) => ({ result: slice(from, count) }),
      upgradeTerms: ({ chunks: before }) => ({
        result: before.map(({ terms, ...chunk }) => upgradeTerms(terms, { ...chunk, title: "" })),
      }),
      async text({ source }) {
        const loaded = await load(source);
        if (!loaded.ok) return { result: { ok: false, error: loaded.error, scanned: loaded.scanned } };
        return { result: { ok: true, parts: textParts(loaded.document), scanned: loaded.document.scanned } };
      },
      async picture({ source, page }) {
        const picture = await pageOfScan(new Uint8Array(readFileSync(source.path)), page, init.limits);
        // Decoded images are large and come one after the other.
        Bun.gc(true);
        return picture === null
          ? { result: null }
          : { result: picture, transfer: [picture.bytes.buffer as ArrayBuffer] };
      },
      readTsv: ({ tsv }) => ({ result: readTsv(tsv) }),
    },
  };
});

/** One part per page where there are pages, so that a reader finds them again; otherwise the whole text. */
function textParts({ text, pages }: ParsedDocument): TextPart[] {
  if (pages === null || pages.length === 0) return [{ page: null, text }];
  return pages
    .map(({ number, start }, i) => {
      const end = pages[i + 1]?.start ?? text.length;
      // What stands before the first page belongs to it.
      return { page: number, text: text.slice(i === 0 ? 0 : start, end) };
    })
    .filter((part) => part.text !== "");
}

function readCache(path: string): ParsedDocument | null {
  let sealed: Uint8Array;
  try {
    sealed = readFileSync(path);
  } catch {
    return null;
  }
  const content = openSealed(sealed, PARSER_VERSION);
  return content === null ? null : decodeDocument(Bun.zstdDecompressSync(content));
}

/** A cache entry that cannot be written costs a parse later and nothing else. */
function writeCache(path: string, document: ParsedDocument): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, seal(Bun.zstdCompressSync(encodeDocument(document), { level: 3 }), PARSER_VERSION));
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
  }
}
