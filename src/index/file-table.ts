/**
 * The files and chunks of one store by dense ordinals: which chunk belongs to which file, and what both are called
 * outside (SQLite row ids). A file's chunks are a linked list in the order they were added.
 */
export class FileTable {
  readonly #fileOrdinals = new Map<number, number>();
  #fileKeys = new Float64Array(16);
  #firstChunk = new Int32Array(16); // by file; chunk + 1, 0 = none
  #lastChunk = new Int32Array(16);
  #chunkCounts = new Int32Array(16);
  readonly #freeFiles: number[] = [];
  #fileLimit = 0;
  #chunkIds = new Float64Array(16);
  #fileOf = new Int32Array(16); // by chunk; file + 1, 0 = no such chunk
  #nextChunk = new Int32Array(16); // by chunk; chunk + 1, 0 = last
  readonly #freeChunks: number[] = [];
  #chunkLimit = 0;
  #chunks = 0;

  get fileCount(): number {
    return this.#fileOrdinals.size;
  }

  get chunkCount(): number {
    return this.#chunks;
  }

  /** Chunk ordinals are below this. */
  get chunkLimit(): number {
    return this.#chunkLimit;
  }

  get byteLength(): number {
    return this.#fileOrdinals.size * 48 + this.#fileKeys.length * 20 + this.#chunkIds.length * 16;
  }

  /** The ordinal of a file, or -1. */
  find(fileKey: number): number {
    return this.#fileOrdinals.get(fileKey) ?? -1;
  }

  fileKey(file: number): number {
    return this.#fileKeys[file]!;
  }

  chunksOf(file: number): number {
    return this.#chunkCounts[file]!;
  }

  chunkId(chunk: number): number {
    return this.#chunkIds[chunk]!;
  }

  /** The chunk that was added to a file last, or -1. */
  lastChunkOf(file: number): number {
    return this.#lastChunk[file]! - 1;
  }

  /** The file of a chunk, or -1 where there is no such chunk (any more). */
  fileOf(chunk: number): number {
    return chunk < this.#chunkLimit ? this.#fileOf[chunk]! - 1 : -1;
  }

  addFile(fileKey: number): number {
    const file = this.#freeFiles.pop() ?? this.#fileLimit++;
    if (file >= this.#fileKeys.length) {
      this.#fileKeys = grownFloats(this.#fileKeys, file + 1);
      this.#firstChunk = grownInts(this.#firstChunk, file + 1);
      this.#lastChunk = grownInts(this.#lastChunk, file + 1);
      this.#chunkCounts = grownInts(this.#chunkCounts, file + 1);
    }
    this.#fileOrdinals.set(fileKey, file);
    this.#fileKeys[file] = fileKey;
    this.#firstChunk[file] = 0;
    this.#lastChunk[file] = 0;
    this.#chunkCounts[file] = 0;
    return file;
  }

  addChunk(file: number, chunkId: number): number {
    const chunk = this.#freeChunks.pop() ?? this.#chunkLimit++;
    if (chunk >= this.#chunkIds.length) {
      this.#chunkIds = grownFloats(this.#chunkIds, chunk + 1);
      this.#fileOf = grownInts(this.#fileOf, chunk + 1);
      this.#nextChunk = grownInts(this.#nextChunk, chunk + 1);
    }
    this.#chunkIds[chunk] = chunkId;
    this.#fileOf[chunk] = file + 1;
    this.#nextChunk[chunk] = 0;
    const last = this.#lastChunk[file]!;
    if (last === 0) this.#firstChunk[file] = chunk + 1;
    else this.#nextChunk[last - 1] = chunk + 1;
    this.#lastChunk[file] = chunk + 1;
    this.#chunkCounts[file]!++;
    this.#chunks++;
    return chunk;
  }

  /** Forgets a file and its chunks. Its chunk ordinals stay taken until `freeChunks`. */
  removeFile(file: number): void {
    this.forEachChunk(file, (chunk) => {
      this.#fileOf[chunk] = 0;
      this.#chunks--;
    });
    this.#fileOrdinals.delete(this.#fileKeys[file]!);
    this.#firstChunk[file] = 0;
    this.#freeFiles.push(file);
  }

  freeChunks(chunks: readonly number[]): void {
    for (const chunk of chunks) this.#freeChunks.push(chunk);
  }

  forEachChunk(file: number, visit: (chunk: number) => void): void {
    for (let at = this.#firstChunk[file]!; at !== 0;) {
      // Read on before the visitor may unlink this one.
      const next = this.#nextChunk[at - 1]!;
      visit(at - 1);
      at = next;
    }
  }

  /** Visits every chunk there is, in ascending order of ordinals. */
  forEachLiveChunk(visit: (chunk: number) => void): void {
    for (let chunk = 0; chunk < this.#chunkLimit; chunk++) if (this.#fileOf[chunk] !== 0) visit(chunk);
  }
}

function grownInts(from: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(size, from.length * 2));
  to.set(from);
  return to;
}

function grownFloats(from: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(Math.max(size, from.length * 2));
  to.set(from);
  return to;
}
