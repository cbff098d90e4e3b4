import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { extname, join } from "node:path";
import type { TenantId } from "./ids.ts";

/**
 * Where the parsed form of some bytes is kept, so that they are never parsed twice and re-embedding needs no parse.
 * A cache: written by the parse lane, checked when read, made again when missing. The same bytes under another
 * extension, or of another tenant, are another entry: what one tenant has must not be felt by another.
 */
export interface ParsedCache {
  path(file: ParsedSubject): string;
  remove(file: ParsedSubject): Promise<void>;
}

export interface ParsedSubject {
  tenantId: TenantId;
  /** hex, of the bytes */
  sha256: string;
  filename: string;
}

export function createParsedCache(dataDir: string): ParsedCache {
  const path = ({ tenantId, sha256, filename }: ParsedSubject) => {
    const key = createHash("sha256")
      .update(`${tenantId}\0${sha256}\0${extname(filename).toLowerCase()}`)
      .digest("hex");
    return join(dataDir, "parsed", key.slice(0, 2), key);
  };
  return {
    path,
    async remove(file) {
      await rm(path(file), { force: true });
    },
  };
}
