import type { AttributeIndex } from "./attributes.ts";
import { Bitset } from "./bitset.ts";
import type { ExactIndex } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { Filter } from "./filter.ts";

/** Filters remembered per store; agents repeat a handful. */
const REMEMBERED = 32;

/** What a filter keeps of a store at one version of it. */
export type Matching = {
  readonly fileCount: number;
  readonly chunkCount: number;
  /** Chunk ordinals. */
  readonly chunks: Bitset;
  /** Vector slots of those chunks, ascending. Made when first asked for. */
  readonly slots: () => Int32Array;
};

/** Evaluates filters into chunks and slots, and remembers the results until the store changes. */
export class FilterCache {
  readonly #attributes: AttributeIndex;
  readonly #files: FileTable;
  readonly #vectors: ExactIndex;
  readonly #known = new Map<string, Matching>();
  #version = -1;

  constructor(attributes: AttributeIndex, files: FileTable, vectors: ExactIndex) {
    this.#attributes = attributes;
    this.#files = files;
    this.#vectors = vectors;
  }

  /** `version` must be another one after every write to the store. */
  match(filter: Filter, version: number): Matching {
    if (version !== this.#version) this.#known.clear();
    this.#version = version;
    const key = JSON.stringify(filter);
    let matching = this.#known.get(key);
    if (matching === undefined) matching = this.#evaluate(filter);
    else this.#known.delete(key); // put back below, as the most recent
    this.#known.set(key, matching);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
    return matching;
  }

  #evaluate(filter: Filter): Matching {
    const { files, count } = this.#attributes.evaluate(filter);
    const chunks = new Bitset();
    let chunkCount = 0;
    files.forEach((file) => {
      chunkCount += this.#files.chunksOf(file);
      this.#files.forEachChunk(file, (chunk) => chunks.add(chunk));
    });
    let slots: Int32Array | null = null;
    return {
      fileCount: count,
      chunkCount,
      chunks,
      slots: () => (slots ??= this.#slotsOf(chunks)),
    };
  }

  /** Through a bitmap of slots, because a scan in ascending order is several times faster than one in any other. */
  #slotsOf(chunks: Bitset): Int32Array {
    const slots = new Bitset();
    chunks.forEach((chunk) => this.#vectors.forEachSlotOf(chunk, (slot) => slots.add(slot)));
    return slots.toArray();
  }
}
