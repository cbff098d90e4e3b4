import { rm } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { TextAsker } from "../../index/text-analysis.ts";
import type { Incoming } from "./incoming.ts";

/** The text of a page, or of a whole document that has none. */
export interface PageText {
  page: number | null;
  text: string;
}

/** What a document of this tenant holds, or why nothing could be read of it; null where reading was interrupted. */
export type ReadPages = (
  source: { tenantId: string; path: string; filename: string; contentType: string | null; cachePath: string },
  signal: AbortSignal,
) => Promise<{ ok: true; pages: PageText[] } | { ok: false; message: string } | null>;

export interface SentDocument {
  /** Its bytes, all written. */
  incoming: Incoming;
  filename: string;
  contentType: string | null;
}

/**
 * The text of a document that is sent to be read and not to be kept: nothing of it is on the disk afterwards, once its
 * `incoming` is discarded too. Blank pages are left out.
 * @throws AppError `unsupported_file` where there is no text, `overloaded` where its reader ended.
 */
export async function readSent(
  readPages: ReadPages,
  { incoming, filename, contentType }: SentDocument,
  { tenant, signal }: TextAsker,
): Promise<PageText[]> {
  const { path } = incoming;
  const cachePath = `${path}.parsed`;
  try {
    const read = await readPages({ tenantId: tenant, path, filename, contentType, cachePath }, signal);
    signal.throwIfAborted();
    if (read === null)
      throw new AppError("overloaded", "Reading the document was interrupted. Send it again.", {
        retryAfterSeconds: 1,
      });
    if (!read.ok) throw new AppError("unsupported_file", read.message);
    const pages = read.pages
      .map(({ page, text }) => ({ page, text: text.toWellFormed().trim() }))
      .filter(({ text }) => text !== "");
    if (pages.length > 0) return pages;
    throw new AppError("unsupported_file", "There is no text in the document.");
  } finally {
    await rm(cachePath, { force: true });
  }
}
