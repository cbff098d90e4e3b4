import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { newId, pathPart } from "../platform/ids.ts";
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
}

/** The bytes of a data directory that keeps them itself. */
export function createBlobs(dataDir: string): BlobDirectory {
  return new BlobDirectory({ root: join(dataDir, "blobs"), tmp: join(dataDir, "tmp") });
}

/**
 * Blobs as files: `<root>/<2 hex of a hash>/<id>`. Written to `tmp`, fsync, rename, fsync of the directory: a blob that
 * exists is whole.
 */
export class BlobDirectory implements Blobs {
  readonly isShared: boolean;
  readonly #root: string;
  readonly #tmp: string;
  #held: Set<string> | null = null;

  constructor({ root, tmp, shared = false }: BlobDirectoryOptions) {
    this.#root = root;
    this.#tmp = tmp;
    this.isShared = shared;
    mkdirSync(root, { recursive: true });
    mkdirSync(tmp, { recursive: true });
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
    return await FileBlobWriter.open(join(this.#tmp, newId("file-")), async (temporary, id) => {
      const target = this.path(id);
      const directory = dirname(target);
      const isNew = !existsSync(directory);
      mkdirSync(directory, { recursive: true });
      await rename(temporary, target);
      await syncDirectory(directory);
      if (isNew) await syncDirectory(this.#root);
    });
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
    if (this.#held === null) await rm(this.path(id), { force: true });
    else this.#held.add(id);
  }

  holdRemovals(): (() => Promise<void>) | null {
    if (this.#held !== null) return null;
    const removed = new Set<string>();
    this.#held = removed;
    return async () => {
      this.#held = null;
      for (const id of removed) await rm(this.path(id), { force: true });
    };
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

/** Gives a finished file its place. */
type Keep = (temporary: string, id: string) => Promise<void>;

/** Bytes on their way into a file, hashed as they come; `keep` gives the finished file its place. */
export class FileBlobWriter implements BlobWriter {
  readonly path: string;
  readonly #handle: Awaited<ReturnType<typeof open>>;
  readonly #keep: Keep;
  readonly #sha256 = createHash("sha256");
  readonly #md5 = createHash("md5");
  #bytes = 0;
  #ended = false;

  private constructor(path: string, handle: Awaited<ReturnType<typeof open>>, keep: Keep) {
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
    for (let done = 0; done < chunk.byteLength;) done += (await this.#handle.write(chunk, done)).bytesWritten;
    this.#bytes += chunk.byteLength;
  }

  async commit(id: string): Promise<{ bytes: number; sha256: string; md5: string }> {
    this.#ended = true;
    try {
      await this.#handle.sync();
    } finally {
      await this.#handle.close();
    }
    await this.#keep(this.path, id);
    return { bytes: this.#bytes, sha256: this.#sha256.digest("hex"), md5: this.#md5.digest("hex") };
  }

  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#handle.close();
    await rm(this.path, { force: true });
  }
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

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
