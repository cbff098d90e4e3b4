/** Archives whose bytes depend on what is in them alone: sorted names, one time, one owner, no name or time in gzip. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TAR_END, tarHeader, tarPadding } from "../platform/tar.ts";
import type { TarHeader } from "../platform/tar.ts";

/** A file, a folder (`content` absent, name ends with a slash) or a symbolic link (`target`). */
export interface Packed {
  name: string;
  content?: Uint8Array | string;
  target?: string;
  /** 0644 for files and 0755 for folders unless given. */
  mode?: number;
  owner?: number;
}

/** @param mtime Unix seconds, the same for all. */
export function packTar(entries: readonly Packed[], mtime: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const content = typeof entry.content === "string" ? new TextEncoder().encode(entry.content) : entry.content;
    const bytes = content?.byteLength ?? 0;
    parts.push(tarHeader(headerOf(entry, bytes), mtime));
    if (content) parts.push(content, tarPadding(bytes));
  }
  return Buffer.concat([...parts, TAR_END]);
}

function headerOf({ name, target, mode, owner = 0 }: Packed, bytes: number): TarHeader {
  if (target !== undefined) return { name, bytes, type: "link", target, mode: 0o777, owner };
  if (name.endsWith("/")) return { name, bytes, type: "folder", mode: mode ?? 0o755, owner };
  return { name, bytes, type: "file", mode: mode ?? 0o644, owner };
}

export function gzip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // Never shared memory: what `Buffer.concat` made and what was read from files.
  return Bun.gzipSync(bytes as Uint8Array<ArrayBuffer>, { library: "libdeflate", level: 6 });
}

export function sha256(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Every folder above the entries that is not among them. */
export function withFolders(entries: readonly Packed[]): Packed[] {
  const names = new Set(entries.map(({ name }) => name));
  const folders = new Set<string>();
  for (const { name } of entries)
    for (let at = name.indexOf("/"); at > 0 && at < name.length - 1; at = name.indexOf("/", at + 1))
      if (!names.has(name.slice(0, at + 1))) folders.add(name.slice(0, at + 1));
  return [...entries, ...[...folders].map((name) => ({ name }))];
}

/** The plain files below a folder, named below `as`. */
export function filesBelow(directory: string, as: string): Packed[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { name: `${as}${path.slice(directory.length)}`, content: readFileSync(path) };
    });
}
