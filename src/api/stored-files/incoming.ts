import { isDiskFull } from "../../platform/disk-trust.ts";
import { BlobsAwayError, type BlobWriter } from "../../storage/blobs.ts";
import { diskFull, storageAway, type Reservation } from "./space.ts";

/** Bytes on their way into a blob, with room taken for them. Must be discarded in the end, also after `commit`. */
export class Incoming implements BlobWriter {
  readonly #writer: BlobWriter;
  readonly #room: Reservation;

  constructor(writer: BlobWriter, room: Reservation) {
    this.#writer = writer;
    this.#room = room;
  }

  get bytes(): number {
    return this.#writer.bytes;
  }

  get path(): string {
    return this.#writer.path;
  }

  /** Aborted, with what the client is told, when these bytes are not wanted any more. */
  get signal(): AbortSignal {
    return this.#room.signal;
  }

  /** @throws AppError `storage_limit_reached`, `insufficient_storage` */
  async write(chunk: Uint8Array): Promise<void> {
    await this.#room.grow(this.bytes + chunk.byteLength);
    await storing(this.#writer.write(chunk));
    this.#room.wrote(this.bytes);
  }

  async commit(id: string): Promise<{ bytes: number; sha256: string; md5: string }> {
    return await storing(this.#writer.commit(id));
  }

  async discard(): Promise<void> {
    try {
      await this.#writer.discard();
    } finally {
      this.#room.release();
    }
  }
}

/** A full disk, and a place for blobs that does not answer, are answers of their own, not unexpected failures. */
export async function storing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof BlobsAwayError) throw storageAway(cause);
    throw isDiskFull(cause) ? diskFull(cause) : cause;
  }
}
