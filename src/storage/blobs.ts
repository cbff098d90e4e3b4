/** Uploaded bytes: what they are kept in (a directory, blob-directory.ts, or a bucket, blob-bucket.ts) looks like this. */

/** Uploaded bytes by id, wherever they are kept. An id, never a client's file name, is what they are called there. */
export interface Blobs {
  /** Begins a blob; nothing is visible until `commit`. */
  writer(): Promise<BlobWriter>;
  /**
   * The whole blob as a file of this machine, until it is let go of: for parsers, which read files. Rejects with
   * {@link BlobsAwayError}, with the signal's reason, or, at the latest when the file is opened, because it is gone.
   */
  localCopy(id: string, signal?: AbortSignal): Promise<LocalCopy>;
  /** The bytes from `start` to before `end` (default: to the last one) as they come; errors with {@link BlobGoneError} or {@link BlobsAwayError}. */
  read(id: string, start?: number, end?: number): ReadableStream<Uint8Array>;
  /** Null where there is no such blob. Rejects with {@link BlobsAwayError}. */
  size(id: string): Promise<number | null>;
  /** Resolves also where the place is away: then it is done as soon as it is back. */
  remove(id: string): Promise<void>;
  /**
   * Keeps bytes that are removed from now on until the returned function is called; null while somebody else does.
   */
  holdRemovals(): (() => Promise<void>) | null;
  /** Every id whose row must be there by now, for the sweep of orphans: what comes after the call is not among them. */
  settled(): AsyncIterable<string>;
  /** Rejects with {@link BlobsAwayError} where the place is not to be had. */
  check(): Promise<void>;
  /** Whether others than this process put blobs there, so that orphans appear at any time. */
  readonly isShared: boolean;
}

export interface LocalCopy extends AsyncDisposable {
  /** Absolute; to be read only. */
  readonly path: string;
}

/** There is no blob of this id. */
export class BlobGoneError extends Error {
  constructor(cause?: unknown) {
    super("the bytes of this file are not there", { cause });
  }
}

/** The place where blobs are kept does not answer, or refuses. The message is for the log alone. */
export class BlobsAwayError extends Error {}

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
