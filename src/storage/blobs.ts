import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createDiskTrust, type DiskTrust } from "../platform/disk-trust.ts";
import { newId, pathPart } from "../platform/ids.ts";
import { makeDirectory, syncPath } from "../platform/replace-file.ts";

/**
 * Uploaded bytes by id: `<data>/blobs/<2 hex of a hash>/<id>`. An id, never a client's file name, is the path.
 * Written to `<data>/tmp` (same file system), fsync, rename, fsync of the directory: a blob that exists is whole.
 * `<data>/tmp` is emptied at every start.
 */
export interface Blobs {
  /** Begins a blob; nothing is visible until `commit`. */
  writer(): Promise<BlobWriter>;
  /** Absolute path, for streaming it out and for the parse lane. Throws for what is no identifier. */
  path(id: string): string;
  size(id: string): Promise<number | null>;
  remove(id: string): Promise<void>;
  /**
   * Keeps bytes that are removed from now on until the returned function is called; null while somebody else does.
   */
  holdRemovals(): (() => Promise<void>) | null;
  /** Every id on disk, for the sweep of orphans. */
  list(): string[];
}

export interface BlobWriter {
  readonly bytes: number;
  /** Absolute, of what was written so far; gone after `commit` and `discard`. */
  readonly path: string;
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the blob durable under `id`; returns its size and sha256 (hex) and md5 (hex). */
  commit(id: string): Promise<{ bytes: number; sha256: string; md5: string }>;
  /** Throws the bytes away; harmless after `commit`. */
  discard(): Promise<void>;
}

export function createBlobs(dataDir: string, trust: DiskTrust = createDiskTrust()): Blobs {
  const root = join(dataDir, "blobs");
  const tmp = join(dataDir, "tmp");
  makeDirectory(root);
  makeDirectory(tmp);
  // What a killed process made in it last.
  syncPath(root);
  const path = (id: string) => join(root, shard(id), pathPart(id));

  let held: Set<string> | null = null;

  return {
    path,
    holdRemovals() {
      if (held !== null) return null;
      const removed = new Set<string>();
      held = removed;
      return async () => {
        held = null;
        for (const id of removed) await rm(path(id), { force: true });
      };
    },
    async writer() {
      trust.check();
      const temporary = join(tmp, newId("file-"));
      const handle = await open(temporary, "wx", 0o600);
      const sha256 = createHash("sha256");
      const md5 = createHash("md5");
      let bytes = 0;
      let ended = false;
      return {
        get bytes() {
          return bytes;
        },
        path: temporary,
        async write(chunk) {
          sha256.update(chunk);
          md5.update(chunk);
          for (let done = 0; done < chunk.byteLength;) done += (await handle.write(chunk, done)).bytesWritten;
          bytes += chunk.byteLength;
        },
        async commit(id) {
          ended = true;
          await putInPlace(trust, handle, { from: temporary, to: path(id) });
          return { bytes, sha256: sha256.digest("hex"), md5: md5.digest("hex") };
        },
        async discard() {
          if (ended) return;
          ended = true;
          await handle.close();
          await rm(temporary, { force: true });
        },
      };
    },
    async size(id) {
      try {
        return (await stat(path(id))).size;
      } catch {
        return null;
      }
    },
    async remove(id) {
      // Whether the row is gone, or was never there, is not known before the next start: its sweep takes what has none.
      if (trust.lost !== null) return;
      if (held === null) await rm(path(id), { force: true });
      else held.add(id);
    },
    list() {
      return readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .flatMap((entry) => readdirSync(join(root, entry.name)));
    },
  };
}

function shard(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 2);
}

/** Makes written bytes durable under their name. Where that fails nothing is left of them. */
async function putInPlace(
  trust: DiskTrust,
  handle: FileHandle,
  { from, to }: { from: string; to: string },
): Promise<void> {
  let at = from;
  try {
    await synced(trust, handle);
    makeShard(trust, dirname(to));
    await rename(from, to);
    at = to;
    await synced(trust, await open(dirname(to), "r"));
  } catch (error) {
    await rm(at, { force: true }).catch(() => {});
    throw error;
  }
}

/** In one turn: whoever finds it there finds it durable. So what can fail without harm comes before it is made. */
function makeShard(trust: DiskTrust, path: string): void {
  if (existsSync(path)) return;
  const above = openSync(dirname(path), "r");
  try {
    mkdirSync(path);
    try {
      fsyncSync(above);
    } catch (error) {
      trust.lose("the uploaded bytes", error);
      throw error;
    }
  } finally {
    closeSync(above);
  }
}

/** Makes what is open durable, and closes it. */
async function synced(trust: DiskTrust, handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    trust.lose("the uploaded bytes", error);
    throw error;
  } finally {
    await handle.close();
  }
}
