import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { createDiskTrust, type DiskTrust } from "../platform/disk-trust.ts";
import { newId, pathPart } from "../platform/ids.ts";
import { makeDirectory, syncPath } from "../platform/replace-file.ts";
import { HeldRemovals } from "./held-removals.ts";
import { BlobsAwayError, type Blobs, type BlobWriter, type LocalCopy } from "./blobs.ts";

/** What a process that died left half-written in a shared directory is removed after so long. */
const ABANDONED_MS = 24 * 3600_000;
/** In a shared directory, the bytes that another server has put there are looked for in rows after so long at the earliest. */
const SETTLED_MS = 3600_000;

export interface BlobDirectoryOptions {
  /** Holds the shards; made if missing. */
  root: string;
  /** Where blobs are written before they have their name; on the same file system. Made if missing. */
  tmp: string;
  /** Whether other servers write here too (default: no, and then `tmp` is emptied by whoever opens the data directory). */
  shared?: boolean;
  /** Lost when a sync fails; then nothing is written or removed any more. */
  trust?: DiskTrust;
}

/** The bytes of a data directory that keeps them itself. */
export function createBlobs(dataDir: string, trust: DiskTrust = createDiskTrust()): BlobDirectory {
  return new BlobDirectory({ root: join(dataDir, "blobs"), tmp: join(dataDir, "tmp"), trust });
}

/**
 * Blobs as files: `<root>/<2 hex of a hash>/<id>`. Written to `tmp`, fsync, rename, fsync of the directory: a blob that
 * exists is whole.
 */
export class BlobDirectory implements Blobs {
  readonly isShared: boolean;
  readonly #root: string;
  readonly #tmp: string;
  readonly #trust: DiskTrust;
  readonly #held = new HeldRemovals();

  constructor({ root, tmp, shared = false, trust = createDiskTrust() }: BlobDirectoryOptions) {
    this.#root = root;
    this.#tmp = tmp;
    this.isShared = shared;
    this.#trust = trust;
    makeDirectory(root);
    makeDirectory(tmp);
    // What a killed process made in it last.
    syncPath(root);
  }

  /** Absolute. Throws for what is no identifier. */
  path(id: string): string {
    return join(this.#root, shardOf(id), pathPart(id));
  }

  async check(): Promise<void> {
    try {
      await readdir(this.#tmp);
    } catch (cause) {
      throw new BlobsAwayError(messageOf(cause), { cause });
    }
  }

  async writer(): Promise<FileBlobWriter> {
    this.#trust.check();
    return await FileBlobWriter.open(join(this.#tmp, newId("file-")), (handle, temporary, id) =>
      putInPlace(this.#trust, handle, { from: temporary, to: this.path(id) }),
    );
  }

  async localCopy(id: string, signal?: AbortSignal): Promise<LocalCopy> {
    signal?.throwIfAborted();
    return { path: this.path(id), [Symbol.asyncDispose]: async () => {} };
  }

  read(id: string, start = 0, end?: number): ReadableStream<Uint8Array> {
    return Bun.file(this.path(id)).slice(start, end).stream();
  }

  async size(id: string): Promise<number | null> {
    try {
      return (await stat(this.path(id))).size;
    } catch {
      return null;
    }
  }

  async remove(id: string): Promise<void> {
    // Whether the row is gone, or was never there, is not known before the next start: its sweep takes what has none.
    if (this.#trust.lost !== null) return;
    if (!this.#held.takes(id)) await rm(this.path(id), { force: true });
  }

  holdRemovals(): (() => Promise<void>) | null {
    return this.#held.hold((id) => rm(this.path(id), { force: true }));
  }

  /** Every id that is there. */
  list(): string[] {
    return readdirSync(this.#root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => readdirSync(join(this.#root, entry.name)));
  }

  settled(): AsyncIterable<string> {
    // Read at the call: what comes later may be ahead of its row.
    return this.isShared ? this.#settledShared() : asyncOf(this.list());
  }

  async *#settledShared(): AsyncGenerator<string> {
    const now = Date.now();
    for (const name of await readdir(this.#tmp)) {
      const path = join(this.#tmp, name);
      if ((await ageOf(path, now)) > ABANDONED_MS) await rm(path, { force: true });
    }
    for (const shard of await readdir(this.#root, { withFileTypes: true })) {
      if (!shard.isDirectory()) continue;
      for (const id of await readdir(join(this.#root, shard.name))) {
        if ((await ageOf(join(this.#root, shard.name, id), now)) > SETTLED_MS) yield id;
      }
    }
  }
}

/** Makes a finished file durable in its place, and closes it. Where that fails nothing is left of it. */
type Keep = (handle: FileHandle, temporary: string, id: string) => Promise<void>;

/** Bytes on their way into a file, hashed as they come; `keep` gives the finished file its place. */
export class FileBlobWriter implements BlobWriter {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #keep: Keep;
  readonly #sha256 = createHash("sha256");
  readonly #md5 = createHash("md5");
  #bytes = 0;
  #ended = false;

  private constructor(path: string, handle: FileHandle, keep: Keep) {
    this.path = path;
    this.#handle = handle;
    this.#keep = keep;
  }

  static async open(path: string, keep: Keep): Promise<FileBlobWriter> {
    return new FileBlobWriter(path, await open(path, "wx", 0o600), keep);
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
    await writeWhole(this.#handle, chunk);
    this.#bytes += chunk.byteLength;
  }

  async commit(id: string): Promise<{ bytes: number; sha256: string; md5: string }> {
    this.#ended = true;
    await this.#keep(this.#handle, this.path, id);
    return { bytes: this.#bytes, sha256: this.#sha256.digest("hex"), md5: this.#md5.digest("hex") };
  }

  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#handle.close();
    await rm(this.path, { force: true });
  }
}

/** All of it: the system may take less than it is given. */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) done += (await handle.write(bytes, done)).bytesWritten;
}

async function* asyncOf(ids: readonly string[]): AsyncGenerator<string> {
  yield* ids;
}

/** In milliseconds; what is gone meanwhile is of no age. */
async function ageOf(path: string, now: number): Promise<number> {
  try {
    return now - (await stat(path)).mtimeMs;
  } catch {
    return 0;
  }
}

/** Where the bytes of a blob lie below a data directory that keeps them itself. */
export function blobName(id: string): string {
  return `blobs/${shardOf(id)}/${pathPart(id)}`;
}

function shardOf(id: string): string {
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
    mkdirSync(path, { recursive: true });
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
