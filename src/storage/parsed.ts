import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { TenantId } from "./ids.ts";

/**
 * Where the parsed form of some bytes is kept, so that they are never parsed twice and re-embedding needs no parse.
 * A cache: written by the parse lane, checked when read, made again when missing. The same bytes under another
 * extension, or of another tenant, are another entry: what one tenant has must not be felt by another.
 */
export interface ParsedCache {
  path(file: ParsedSubject): string;
  /** Whether anything of it is on the disk: the form itself, or the part that a parse had written when it was killed. */
  has(file: ParsedSubject): Promise<boolean>;
  remove(file: ParsedSubject): Promise<void>;
  /** Whether there is nothing in it. */
  isEmpty(): Promise<boolean>;
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
    has: async (file) => (await writtenAt(path(file))).length > 0,
    async remove(file) {
      for (const written of await writtenAt(path(file))) await rm(written, { force: true });
    },
    isEmpty: async () => (await readdir(join(dataDir, "parsed")).catch(() => [])).length === 0,
  };
}

/** A file under this name, and those whose name is this one and a dot and more: they were to become it. */
async function writtenAt(path: string): Promise<string[]> {
  const [directory, name] = [dirname(path), basename(path)];
  try {
    const names = await readdir(directory);
    return names.filter((one) => one === name || one.startsWith(`${name}.`)).map((one) => join(directory, one));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw error;
  }
}
