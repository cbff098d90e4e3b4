import { createHash } from "node:crypto";
import type { AttributeIndex } from "./attributes.ts";
import { Bitset } from "./bitset.ts";
import type { ExactIndex } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { Filter } from "./filter.ts";
import type { OwnAttributes } from "./own-attributes.ts";

/** Filters remembered per store; agents repeat a handful. */
const REMEMBERED = 32;
/** Bytes of what they keep, per store. */
const REMEMBERED_BYTES = 16 * 1024 * 1024;
/** Characters of a filter's JSON up to which it is remembered: nobody repeats long ones, and to tell them apart is work. */
const LONGEST_REMEMBERED = 4096;
/** Up to so many it is called by its JSON, else by a hash, which is shorter and takes longer to make. */
const LONGEST_NAME = 256;

/** What a filter keeps of a store at one version of it. */
export type Matching = {
  readonly fileCount: number;
  readonly chunkCount: number;
  /** Chunk ordinals. */
  readonly chunks: Bitset;
  /** Vector slots of those chunks, ascending. Made when first asked for. */
  readonly slots: () => Int32Array;
};

type Counted = Pick<Matching, "fileCount" | "chunkCount" | "chunks">;

interface Remembered extends Matching {
  readonly byteLength: number;
}

/**
 * Evaluates filters into chunks and slots, and remembers the results until the store changes: by what they say, and for
 * as long as somebody holds it, by the very filter (the queries of one search share theirs).
 */
export class FilterCache {
  readonly #attributes: AttributeIndex;
  readonly #files: FileTable;
  readonly #vectors: ExactIndex;
  readonly #own: OwnAttributes;
  /** By what `keyOf` calls the filter; in order of use, the least recent first. */
  readonly #known = new Map<string, Remembered>();
  #held = new WeakMap<Filter, Remembered>();
  #version = -1;

  constructor(attributes: AttributeIndex, own: OwnAttributes, [files, vectors]: readonly [FileTable, ExactIndex]) {
    this.#attributes = attributes;
    this.#own = own;
    this.#files = files;
    this.#vectors = vectors;
  }

  get byteLength(): number {
    return this.#bytes();
  }

  /** `version` must be another one after every write to the store. */
  match(filter: Filter, version: number): Matching {
    if (version !== this.#version) {
      this.#known.clear();
      this.#held = new WeakMap();
    }
    this.#version = version;
    const held = this.#held.get(filter);
    if (held !== undefined) return held;
    const key = keyOf(filter);
    const matching = (key === null ? undefined : this.#known.get(key)) ?? this.#evaluate(filter);
    this.#held.set(filter, matching);
    if (key !== null) this.#remember(key, matching);
    return matching;
  }

  #remember(key: string, matching: Remembered): void {
    this.#known.delete(key); // put back as the most recent
    this.#known.set(key, matching);
    let bytes = this.#bytes();
    for (const [oldest, { byteLength }] of this.#known) {
      if (this.#known.size <= REMEMBERED && bytes <= REMEMBERED_BYTES) break;
      this.#known.delete(oldest);
      bytes -= byteLength;
    }
  }

  #bytes(): number {
    let bytes = 0;
    for (const { byteLength } of this.#known.values()) bytes += byteLength;
    return bytes;
  }

  #evaluate(filter: Filter): Remembered {
    const { fileCount, chunks, chunkCount } = this.#own.concerns(filter)
      ? this.#keptWithOwn(filter)
      : this.#kept(filter);
    let slots: Int32Array | null = null;
    return {
      fileCount,
      chunkCount,
      chunks,
      slots: () => (slots ??= this.#slotsOf(chunks)),
      get byteLength() {
        return chunks.byteLength + (slots?.byteLength ?? 0);
      },
    };
  }

  /** Where chunks have what their files have, of what is asked. */
  #kept(filter: Filter): Counted {
    const { files, count } = this.#attributes.evaluate(filter);
    const chunks = new Bitset();
    let chunkCount = 0;
    files.forEach((file) => {
      chunkCount += this.#files.chunksOf(file);
      this.#files.forEachChunk(file, (chunk) => chunks.add(chunk));
    });
    return { fileCount: count, chunks, chunkCount };
  }

  /** Where some chunks have some of it of their own: a file counts where one of its chunks is kept. */
  #keptWithOwn(filter: Filter): Counted {
    const { files } = this.#attributes.evaluate(filter);
    const chunks = this.#own.evaluate(filter);
    const kept = new Bitset();
    chunks.forEach((chunk) => kept.add(this.#files.fileOf(chunk)));
    files.forEach((file) => {
      let left = this.#files.chunksOf(file);
      if (left === 0) kept.add(file);
      this.#files.forEachChunk(file, (chunk) => {
        if (this.#own.has(chunk)) left--;
        else chunks.add(chunk);
      });
      if (left > 0) kept.add(file);
    });
    return { fileCount: kept.count(), chunks, chunkCount: chunks.count() };
  }

  /** Through a bitmap of slots, because a scan in ascending order is several times faster than one in any other. */
  #slotsOf(chunks: Bitset): Int32Array {
    const slots = new Bitset();
    chunks.forEach((chunk) => this.#vectors.forEachSlotOf(chunk, (slot) => slots.add(slot)));
    return slots.toArray();
  }
}

/** What no other filter is called; null for one that is too long to be remembered: of such a one little is written. */
function keyOf(filter: Filter): string | null {
  const text = isLong(filter, { left: LONGEST_REMEMBERED }) ? null : JSON.stringify(filter);
  if (text === null || text.length > LONGEST_REMEMBERED) return null;
  // No hash begins as JSON does.
  return text.length <= LONGEST_NAME ? text : createHash("sha256").update(text).digest("base64");
}

/** Whether the filter has more characters than are left, as far as its lists and texts say. */
function isLong(filter: Filter, room: { left: number }): boolean {
  if ("filters" in filter) return filter.filters.some((part) => isLong(part, room));
  room.left -= filter.key.length + 1;
  if (typeof filter.value === "string") room.left -= filter.value.length;
  else if (typeof filter.value === "object") {
    room.left -= filter.value.length;
    for (const value of filter.value) if (room.left >= 0 && typeof value === "string") room.left -= value.length;
  }
  return room.left < 0;
}
