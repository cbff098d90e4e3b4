/**
 * One immutable file of a graph on disk: sealed after it was written, verified before it is read.
 *
 * hnswlib writes without looking at errors and reads without looking at what it reads, so a part is read back and
 * checked number by number while it is sealed (structure, labels, links, every vector), and only its checksum is
 * compared later.
 */
import { closeSync, fsyncSync, openSync, statSync } from "node:fs";
import type { VerifiedFile } from "./hnsw.ts";

export type FileSeal = { readonly bytes: number; readonly sha256: string };

/** A file that is not what it should be. */
export class DamagedFileError extends Error {
  override name = "DamagedFileError";
}

/**
 * Makes a just written graph file durable and proves that it holds exactly the given vectors under the labels
 * 0 … n-1. `fingerprints` are `fingerprintOf` of the vectors in label order. Throws DamagedFileError.
 */
export function sealGraphFile(path: string, dimensions: number, fingerprints: Int32Array): FileSeal {
  flush(path);
  if (statSync(path).size < HEADER_BYTES) throw new DamagedFileError("the written index is shorter than its header");
  const bytes = Bun.mmap(path);
  checkGraph(bytes, dimensions, fingerprints);
  return { bytes: bytes.byteLength, sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") };
}

/** Makes a file durable. Throws what the disk says. */
export function flush(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Reads a file through, giving the thread back in between. Throws DamagedFileError unless it is the sealed one. */
export async function verifyFile(path: string, seal: FileSeal): Promise<VerifiedFile> {
  const file = Bun.file(path);
  if (!(await file.exists())) throw new DamagedFileError("a file is missing");
  if (file.size !== seal.bytes) throw new DamagedFileError(`a file has ${file.size} bytes instead of ${seal.bytes}`);
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const piece of file.stream()) hasher.update(piece);
  if (hasher.digest("hex") !== seal.sha256) throw new DamagedFileError("a file's checksum is wrong");
  // The one place that makes one.
  return { path } as VerifiedFile;
}

/** 32 bits of a vector's bytes (FNV-1a over its 32-bit words). */
export function fingerprintOf(words: Int32Array, offset: number, dimensions: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = offset; i < offset + dimensions; i++) {
    hash = Math.imul(hash ^ words[i]!, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash | 0;
}

/** hnswlib 0.8's header: eight-byte sizes, except for two four-byte numbers at 48 and 52. */
const HEADER_BYTES = 96;

/** Throws DamagedFileError unless the file is complete and every number in it is possible. */
function checkGraph(bytes: Uint8Array, dimensions: number, fingerprints: Int32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = (at: number): number => Number(view.getBigUint64(at, true));
  const count = size(16);
  const rowBytes = size(24);
  const labelAt = size(32);
  const vectorAt = size(40);
  const [maxLinks, maxLinks0] = [size(56), size(64)];
  const fits =
    count === fingerprints.length &&
    vectorAt === 4 + maxLinks0 * 4 &&
    labelAt === vectorAt + dimensions * 4 &&
    rowBytes === labelAt + 8 &&
    (count === 0 || view.getUint32(52, true) < count);
  if (!fits) throw new DamagedFileError("the written index has a wrong header");
  if (bytes.byteLength < HEADER_BYTES + count * rowBytes) throw new DamagedFileError("the written index is cut off");
  const checkLinks = (at: number, most: number): void => {
    const links = view.getUint16(at, true);
    if (links > most) throw new DamagedFileError("an element of the written index has too many links");
    for (let i = 1; i <= links; i++) {
      if (view.getUint32(at + i * 4, true) >= count)
        throw new DamagedFileError("a link leads out of the written index");
    }
  };
  const seen = new Uint8Array(count);
  const vector = new Int32Array(dimensions);
  for (let row = 0; row < count; row++) {
    const at = HEADER_BYTES + row * rowBytes;
    checkLinks(at, maxLinks0);
    const label = size(at + labelAt);
    if (label >= count || seen[label] === 1) throw new DamagedFileError("a label of the written index is wrong");
    seen[label] = 1;
    for (let i = 0; i < dimensions; i++) vector[i] = view.getInt32(at + vectorAt + i * 4, true);
    if (fingerprintOf(vector, 0, dimensions) !== fingerprints[label]) {
      throw new DamagedFileError("a vector of the written index is not the one that was added");
    }
  }
  let at = HEADER_BYTES + count * rowBytes;
  const levelBytes = 4 + maxLinks * 4;
  for (let row = 0; row < count; row++) {
    if (at + 4 > bytes.byteLength) throw new DamagedFileError("the written index is cut off");
    const linkBytes = view.getUint32(at, true);
    at += 4;
    if (linkBytes % levelBytes !== 0 || at + linkBytes > bytes.byteLength) {
      throw new DamagedFileError("the written index is cut off");
    }
    for (const end = at + linkBytes; at < end; at += levelBytes) checkLinks(at, maxLinks);
  }
  if (at !== bytes.byteLength) throw new DamagedFileError("the written index is longer than it should be");
}
