import { copyFileSync, existsSync, renameSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { StartError } from "../platform/data-dir.ts";
import type { Failpoint } from "../platform/failpoint.ts";
import { makeDirectory, syncPath } from "../platform/replace-file.ts";
import type { BlobDirectory } from "../storage/blob-directory.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { MoveSource } from "../storage/move/source.ts";
import { addedFiles } from "./backup.ts";

/** Uploaded bytes by where they are: of each blob that a row names. */
export interface BlobCensus {
  /** In the new place, with as many bytes as they must have. */
  there: number;
  /** In the data directory, and to be copied. */
  here: { id: string; bytes: number; sha256: string | null }[];
  bytes: number;
  /** Nowhere. */
  missing: string[];
}

/** Asks for the size of each. `own`: the data directory that is moved. */
export async function countBlobs(
  source: Pick<MoveSource, "blobs">,
  { own, place, signal }: { own: BlobDirectory; place: Blobs | null; signal: AbortSignal },
): Promise<BlobCensus> {
  const census: BlobCensus = { there: 0, here: [], bytes: 0, missing: [] };
  for (const blob of source.blobs()) {
    signal.throwIfAborted();
    if ((await place?.size(blob.id)) === blob.bytes) census.there++;
    else if ((await own.size(blob.id)) === blob.bytes) {
      census.here.push(blob);
      census.bytes += blob.bytes;
    } else census.missing.push(blob.id);
  }
  return census;
}

/** Copies what is not there yet, and compares what it reads with the hash that was taken when it was uploaded. */
export async function copyBlobs(
  { here }: BlobCensus,
  parts: {
    own: BlobDirectory;
    place: Blobs;
    signal: AbortSignal;
    failpoint: Failpoint;
    onBlob: (done: number) => void;
  },
): Promise<void> {
  const { own, place, signal, failpoint, onBlob } = parts;
  for (const [i, { id, sha256 }] of here.entries()) {
    signal.throwIfAborted();
    const writer = await place.writer();
    try {
      for await (const piece of own.read(id)) await writer.write(piece);
      const written = await writer.commit(id);
      if (sha256 !== null && written.sha256 !== sha256) {
        await place.remove(id);
        throw new StartError(
          `the bytes of ${id} are not as they were uploaded; lectern doctor --full says of which more`,
        );
      }
    } finally {
      await writer.discard();
    }
    failpoint("move:blob");
    onBlob(i + 1);
  }
}

/** Models and languages that were added; each is whole where it has its name. Returns how many there are. */
export function copyAdded(dataDir: string, into: string): number {
  const files = addedFiles(dataDir);
  for (const path of files) {
    const target = join(into, relative(dataDir, path));
    if (existsSync(target)) continue;
    makeDirectory(dirname(target));
    const partial = `${target}.partial`;
    copyFileSync(path, partial);
    syncPath(partial);
    renameSync(partial, target);
    syncPath(dirname(target));
  }
  return files.length;
}
