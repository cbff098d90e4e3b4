import { gunzipSync } from "node:zlib";

import { invalidFile, ParseError } from "./document.ts";
import type { ParseLimits } from "./limits.ts";

export const CLOSED_ARCHIVE =
  "The file is packed with gzip, and what it holds is no plain text. Unpack it and upload what is inside, or a ZIP archive of it.";

/** A single file packed with gzip: its bytes, and its name without what gzip adds. Bounded as a member of an archive is. */
export function unpackGzip(
  packed: Uint8Array,
  filename: string,
  limits: ParseLimits,
): { bytes: Uint8Array; filename: string } {
  const most = Math.min(limits.maxInflatedBytes, Math.max(FREE_BYTES, packed.length * limits.maxInflateRatio));
  try {
    const bytes = gunzipSync(packed, { maxOutputLength: Math.max(1, most) });
    if (bytes.length === 0) throw invalidFile("The file is packed with gzip and holds nothing.");
    return { bytes, filename: nameWithin(filename) };
  } catch (cause) {
    if (cause instanceof ParseError) throw cause;
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE")
      throw invalidFile("The file unpacks to more data than this server accepts.");
    throw invalidFile("The file is packed with gzip and is damaged or cut off. Upload it unpacked.");
  }
}

/** The ratio says nothing about what is smaller. */
const FREE_BYTES = 1 << 20;

function nameWithin(filename: string): string {
  return filename.replace(/\.tgz$/i, ".tar").replace(/\.gz$/i, "");
}
