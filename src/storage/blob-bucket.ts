import { mkdirSync } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { newId, pathPart } from "../platform/ids.ts";
import { FileBlobWriter, writeWhole } from "./blob-directory.ts";
import { HeldRemovals } from "./held-removals.ts";
import { BlobGoneError, BlobsAwayError, type Blobs, type LocalCopy } from "./blobs.ts";

export interface BucketOptions {
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly bucket: string;
  /** Before every key: empty, or ending in a slash. */
  readonly prefix: string;
  /** Null: what the environment says in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
  readonly accessKey: string | null;
  readonly secretKey: string | null;
  /** Of this machine, for bytes on their way in and for copies that parsers read. */
  readonly tmp: string;
  /** Without an answer, or without a byte of one, for so long the bucket is away (default 30 s). */
  readonly timeoutMs?: number;
  /** An object that old has its row, or is an orphan (default one hour). */
  readonly settledMs?: number;
}

/** What servers of one's own expect that have no regions. */
const DEFAULT_REGION = "us-east-1";
const TIMEOUT_MS = 30_000;
const SETTLED_MS = 3600_000;
/** Removals that failed are tried again after so long. */
const AGAIN_MS = 30_000;
const LISTED_AT_ONCE = 1000;
/** At most so many removals wait for the bucket; what is beyond is found by the sweep of orphans. */
const MOST_PENDING = 100_000;

/**
 * Blobs as objects of a bucket that speaks S3: `<prefix><id>`. Bytes are written to a file first and sent when they are
 * whole; an object is believed only after the bucket was asked for its size.
 */
export class BlobBucket implements Blobs, AsyncDisposable {
  readonly isShared = true;
  readonly #options: BucketOptions;
  readonly #client: Bun.S3Client;
  readonly #pending = new Set<string>();
  readonly #held = new HeldRemovals();
  #timer: Timer | null = null;

  constructor(options: BucketOptions) {
    this.#options = options;
    const { endpoint, region, bucket, accessKey, secretKey } = options;
    this.#client = new Bun.S3Client({
      bucket,
      ...(endpoint === null ? {} : { endpoint }),
      region: region ?? DEFAULT_REGION,
      ...(accessKey === null ? {} : { accessKeyId: accessKey }),
      ...(secretKey === null ? {} : { secretAccessKey: secretKey }),
    });
    mkdirSync(options.tmp, { recursive: true });
  }

  /** Rejects with {@link BlobsAwayError} where the bucket is not there, or not for these keys. */
  async check(): Promise<void> {
    await this.#ask(this.#client.list({ prefix: this.#options.prefix, maxKeys: 1 }));
  }

  async writer(): Promise<FileBlobWriter> {
    return await FileBlobWriter.open(this.#temporary(), async (handle, temporary, id) => {
      try {
        await handle.close();
        await this.#send(temporary, id);
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async #send(path: string, id: string): Promise<void> {
    const { size: bytes } = await stat(path);
    const key = this.#keyOf(id);
    // A whole file may take long: what bounds it is that nothing comes back for long after it was sent.
    const sent = bytes === 0 ? this.#client.write(key, "") : this.#client.write(key, Bun.file(path));
    await this.#ask(sent, this.#timeoutMs + bytes / 1000);
    const there = await this.size(id);
    if (there !== bytes) throw new BlobsAwayError(`the bucket has ${there ?? "no"} bytes of ${bytes} that were sent`);
  }

  async localCopy(id: string, signal?: AbortSignal): Promise<LocalCopy> {
    const expected = await this.size(id);
    if (expected === null) throw new BlobGoneError();
    signal?.throwIfAborted();
    const path = this.#temporary();
    const remove = () => rm(path, { force: true });
    try {
      const bytes = await writeTo(path, this.read(id), signal);
      if (bytes !== expected) throw new BlobsAwayError(`the bucket sent ${bytes} bytes of ${expected}`);
    } catch (error) {
      await remove();
      throw error;
    }
    return { path, [Symbol.asyncDispose]: remove };
  }

  read(id: string, start = 0, end?: number): ReadableStream<Uint8Array> {
    const key = this.#keyOf(id);
    const file = start === 0 && end === undefined ? this.#client.file(key) : this.#client.file(key).slice(start, end);
    let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        reader ??= file.stream().getReader() as ReadableStreamDefaultReader<Uint8Array>;
        const { done, value } = await this.#ask(reader.read());
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async (reason) => {
        await reader?.cancel(reason);
      },
    });
  }

  async size(id: string): Promise<number | null> {
    try {
      return (await this.#ask(this.#client.stat(this.#keyOf(id)))).size;
    } catch (error) {
      if (error instanceof BlobGoneError) return null;
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    if (this.#held.takes(id)) return;
    try {
      await this.#ask(this.#client.delete(this.#keyOf(id)));
      this.#pending.delete(id);
    } catch (error) {
      if (error instanceof BlobGoneError) return;
      if (!(error instanceof BlobsAwayError)) throw error;
      if (this.#pending.size < MOST_PENDING) this.#pending.add(id);
      this.#timer ??= setTimeout(() => void this.removeAgain(), AGAIN_MS).unref();
    }
  }

  /** Tries the removals again that the bucket did not take. */
  async removeAgain(): Promise<void> {
    this.#timer = null;
    for (const id of [...this.#pending]) {
      await this.remove(id);
      if (this.#pending.has(id)) return; // still away: `remove` has set the timer
    }
  }

  holdRemovals(): (() => Promise<void>) | null {
    return this.#held.hold((id) => this.remove(id));
  }

  async *settled(): AsyncGenerator<string> {
    const { prefix, settledMs = SETTLED_MS } = this.#options;
    const newest = Date.now() - settledMs;
    let startAfter: string | undefined;
    do {
      const page: Bun.S3ListObjectsResponse = await this.#ask(
        this.#client.list({ prefix, maxKeys: LISTED_AT_ONCE, ...(startAfter === undefined ? {} : { startAfter }) }),
      );
      const objects = page.contents ?? [];
      for (const { key, lastModified } of objects) {
        if (lastModified !== undefined && Date.parse(lastModified) < newest) yield key.slice(prefix.length);
      }
      startAfter = page.isTruncated === true ? objects.at(-1)?.key : undefined;
    } while (startAfter !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.resolve();
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? TIMEOUT_MS;
  }

  #keyOf(id: string): string {
    return `${this.#options.prefix}${pathPart(id)}`;
  }

  #temporary(): string {
    return join(this.#options.tmp, newId("file-"));
  }

  /** What the bucket answers; its failures in this project's words. The client itself waits for ever. */
  async #ask<T>(answer: Promise<T>, withinMs = this.#timeoutMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new BlobsAwayError(`no answer within ${withinMs} ms`)), withinMs);
    try {
      return await Promise.race([answer, late.promise]);
    } catch (error) {
      if (error instanceof BlobsAwayError) throw error;
      const code = String((error as { code?: unknown }).code ?? "");
      if (code === "NoSuchKey") throw new BlobGoneError(error);
      throw new BlobsAwayError(`${code}: ${messageOf(error)}`.slice(0, 300), { cause: error });
    } finally {
      clearTimeout(timer);
      answer.catch(() => {}); // a failure after the time is nobody's
    }
  }
}

/** Answers how many bytes came. */
async function writeTo(path: string, source: ReadableStream<Uint8Array>, signal?: AbortSignal): Promise<number> {
  const file = await open(path, "wx", 0o600);
  let bytes = 0;
  try {
    for await (const piece of source) {
      signal?.throwIfAborted();
      await writeWhole(file, piece);
      bytes += piece.byteLength;
    }
  } finally {
    await file.close();
  }
  return bytes;
}
