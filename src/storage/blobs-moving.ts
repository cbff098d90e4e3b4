import { createDiskTrust, type DiskTrust } from "../platform/disk-trust.ts";
import type { BlobDirectory } from "./blob-directory.ts";
import type { Blobs, BlobWriter, LocalCopy } from "./blobs.ts";

/**
 * Blobs that are moving from a data directory to another place: new ones are made there, old ones are read where they
 * are. An old one is removed here only after it is whole there, so that each is in one place at least at any instant.
 */
export class MovingBlobs implements Blobs {
  readonly #old: BlobDirectory;
  readonly #place: Blobs;
  readonly #left: Set<string>;
  readonly #trust: DiskTrust;
  /** How many read an old blob as a file. */
  readonly #held = new Map<string, number>();
  /** The one on its way, and whether it was removed meanwhile. */
  #moving: { readonly id: string; isRemoved: boolean } | null = null;

  /** `trust`: the data directory's, where the rows are. */
  constructor(old: BlobDirectory, place: Blobs, trust: DiskTrust = createDiskTrust()) {
    this.#trust = trust;
    this.#old = old;
    this.#place = place;
    this.#left = new Set(old.list());
  }

  get isShared(): boolean {
    return this.#place.isShared;
  }

  /** Old blobs that have not moved yet. */
  get left(): number {
    return this.#left.size;
  }

  /** Rejects where the place is not to be had. */
  async check(): Promise<void> {
    await this.#place.check();
  }

  /** Moves what is left, one after another. Rejects with what the place says; what has moved by then has. */
  async move(signal: AbortSignal): Promise<void> {
    for (const id of [...this.#left]) {
      if (signal.aborted) return;
      await this.#moveOne(id);
    }
  }

  async #moveOne(id: string): Promise<void> {
    if (!this.#left.has(id)) return; // removed before its turn
    const moving = { id, isRemoved: false };
    this.#moving = moving;
    const writer = await this.#place.writer();
    try {
      for await (const piece of this.#old.read(id)) await writer.write(piece);
      await writer.commit(id);
    } catch (error) {
      // What was removed cannot be read to its end.
      if (!moving.isRemoved) throw error;
    } finally {
      await writer.discard();
      this.#moving = null;
    }
    this.#left.delete(id);
    if (moving.isRemoved) await this.#place.remove(id);
    if (!this.#held.has(id)) await this.#old.remove(id);
  }

  async writer(): Promise<BlobWriter> {
    this.#trust.check();
    return await this.#place.writer();
  }

  async localCopy(id: string, signal?: AbortSignal): Promise<LocalCopy> {
    if (!this.#left.has(id)) return await this.#place.localCopy(id, signal);
    // A parser may open the file later: until it lets go of it, it stays where it is.
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    const copy = await this.#old.localCopy(id, signal).catch(async (error: unknown) => {
      await this.#release(id);
      throw error;
    });
    return { path: copy.path, [Symbol.asyncDispose]: () => this.#release(id) };
  }

  async #release(id: string): Promise<void> {
    const holders = (this.#held.get(id) ?? 1) - 1;
    if (holders > 0) {
      this.#held.set(id, holders);
      return;
    }
    this.#held.delete(id);
    if (!this.#left.has(id)) await this.#old.remove(id);
  }

  read(id: string, start?: number, end?: number): ReadableStream<Uint8Array> {
    if (!this.#left.has(id)) return this.#place.read(id, start, end);
    const pieces = this.#readHereOrThere(id, start, end);
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return();
      },
    });
  }

  /** A file is opened when its first piece is wanted; it may have moved by then. */
  async *#readHereOrThere(id: string, start?: number, end?: number): AsyncGenerator<Uint8Array, void> {
    let isBegun = false;
    try {
      for await (const piece of this.#old.read(id, start, end)) {
        isBegun = true;
        yield piece;
      }
      return;
    } catch (error) {
      if (isBegun || this.#left.has(id)) throw error;
    }
    yield* this.#place.read(id, start, end);
  }

  async size(id: string): Promise<number | null> {
    const here = this.#left.has(id) ? await this.#old.size(id) : null;
    return here === null && !this.#left.has(id) ? await this.#place.size(id) : here;
  }

  async remove(id: string): Promise<void> {
    // As in a directory: which rows there are is not known before the next start.
    if (this.#trust.lost !== null) return;
    if (!this.#left.has(id)) {
      await this.#place.remove(id);
      return;
    }
    if (this.#moving?.id === id) this.#moving.isRemoved = true;
    else this.#left.delete(id);
    await this.#old.remove(id);
  }

  holdRemovals(): (() => Promise<void>) | null {
    const there = this.#place.holdRemovals();
    // What is here is held by nobody else.
    const here = there === null ? null : this.#old.holdRemovals();
    if (here === null || there === null) return null;
    return async () => {
      await here();
      await there();
    };
  }

  async *settled(): AsyncGenerator<string> {
    yield* this.#old.settled();
    yield* this.#place.settled();
  }
}
