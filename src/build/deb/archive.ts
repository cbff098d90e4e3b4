/**
 * The two archives that a Debian package is made of: an `ar` with a gzipped tar of control files and one of the files to
 * install. Written here and not by dpkg-deb, so that a package can be made on every machine, and so that the same input
 * gives the same bytes.
 */
import { createWriteStream } from "node:fs";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { TAR_END, tarHeader, tarPadding } from "../../platform/tar.ts";

/** A file of the package, with its bytes or where they are. */
export interface PackedFile {
  /** Below the root, without a slash in front. */
  path: string;
  mode: number;
  content: Uint8Array | { file: string };
}

/** A gzipped tar at `target`, of the files in their order, with the folders that they need before them. */
export async function writeTarball(target: string, files: readonly PackedFile[], mtime: number): Promise<void> {
  await pipeline(Readable.from(tarPieces(files, mtime)), createGzip({ level: 6 }), createWriteStream(target));
}

function* tarPieces(files: readonly PackedFile[], mtime: number): Generator<Uint8Array> {
  const made = new Set<string>();
  const folder = (name: string) => tarHeader({ name, bytes: 0, mode: 0o755, type: "folder" }, mtime);
  yield folder("./");
  for (const { path, mode, content } of files) {
    for (const name of foldersOf(path)) {
      if (!made.has(name)) yield folder(`./${name}/`);
      made.add(name);
    }
    const bytes = content instanceof Uint8Array ? content : readFileSync(content.file);
    yield tarHeader({ name: `./${path}`, bytes: bytes.byteLength, mode }, mtime);
    yield bytes;
    yield tarPadding(bytes.byteLength);
  }
  yield TAR_END;
}

/** `a/b/c` -> `a`, `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** An `ar` archive of files, under these names. */
export function writeAr(target: string, members: readonly { name: string; content: PackedFile["content"] }[]): void {
  writeFileSync(target, "!<arch>\n");
  for (const { name, content } of members) {
    const size = content instanceof Uint8Array ? content.byteLength : statSync(content.file).size;
    const fields = [name.padEnd(16), "0".padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8)];
    appendFileSync(target, `${fields.join("")}${String(size).padEnd(10)}\`\n`);
    appendFileSync(target, content instanceof Uint8Array ? content : readFileSync(content.file));
    if (size % 2 === 1) appendFileSync(target, "\n");
  }
}
