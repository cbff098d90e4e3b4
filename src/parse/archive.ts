import { DocumentBuilder } from "./builder.ts";
import type { ParsedDocument } from "./document.ts";
import { unsupportedFile } from "./document.ts";
import type { ParseLimits } from "./limits.ts";
import type { ParseNested } from "./mail/mail.ts";
import type { ZipArchive } from "./zip.ts";

const NOISE = /(?:^|\/)(?:__MACOSX\/|\.DS_Store$|Thumbs\.db$|\.git\/)/;
const MAX_LISTED = 10;

/** A plain archive: each document in it as a section under its path; archives inside it stay closed. */
export async function parseArchive(zip: ZipArchive, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  const out = new DocumentBuilder(limits.maxTextLength);
  const unread: string[] = [];
  let read = 0;
  for (const entry of [...zip.entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.endsWith("/") || NOISE.test(entry.name) || entry.size === 0) continue;
    const document = await nested(zip.readEntry(entry), entry.name, null);
    if (document === null) {
      unread.push(entry.name);
      continue;
    }
    read++;
    out.heading(1, entry.name);
    out.append(document, 1);
  }
  if (read === 0) throw unsupportedFile();
  if (unread.length > 0) {
    const more = unread.length > MAX_LISTED ? ` and ${unread.length - MAX_LISTED} more` : "";
    out.warnings.push(`Not read from the archive: ${unread.slice(0, MAX_LISTED).join(", ")}${more}.`);
  }
  out.metadata["files"] = read;
  return out.build("zip");
}
