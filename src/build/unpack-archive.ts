/** What is in a release's archive, for what is made of it. */
import { readFileSync } from "node:fs";
import type { Packed } from "./archive.ts";

const BLOCK = 512;

/** The plain files, without the archive's top folder in their names, and the time that all of them have. */
export async function unpackArchive(path: string): Promise<{ files: Packed[]; mtime: number }> {
  const tar = Bun.gunzipSync(readFileSync(path));
  const files: Packed[] = [];
  let mtime = 0;
  for (let at = 0; at + BLOCK <= tar.byteLength;) {
    const field = (from: number, length: number) =>
      Buffer.from(tar.buffer, tar.byteOffset + at + from, length)
        .toString()
        .replace(/\0.*$/s, "");
    if (field(0, 100) === "") break;
    const bytes = Number.parseInt(field(124, 12), 8);
    mtime = Number.parseInt(field(136, 12), 8);
    const full = [field(345, 155), field(0, 100)].filter((part) => part !== "").join("/");
    const name = full.slice(full.indexOf("/") + 1);
    const isFile = field(156, 1) === "0";
    at += BLOCK;
    if (isFile) files.push({ name, content: tar.subarray(at, at + bytes) });
    at += Math.ceil(bytes / BLOCK) * BLOCK;
  }
  return { files, mtime };
}
