import { doubled, grown, memoryOf, type SectionReader, type SectionWriter, withRoom } from "./image-sections.ts";

/**
 * The files and chunks of one store by dense ordinals: which chunk belongs to which file, and what both are called
 * outside (SQLite row ids). A file's chunks are a linked list in the order they were added.
 */
export class FileTable {
  #places = new Int32Array(32); // by hash of the key; file + 1, 0 = empty
  #files = 0;
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
    return this.#files;
  }

  get chunkCount(): number {
    return this.#chunks;
  }

  /** Chunk ordinals are below this. */
  get chunkLimit(): number {
    return this.#chunkLimit;
  }

  get byteLength(): number {
    const byFile = memoryOf(this.#places, this.#fileKeys, this.#firstChunk, this.#lastChunk, this.#chunkCounts);
    return byFile + memoryOf(this.#chunkIds, this.#fileOf, this.#nextChunk);
  }

  /** The ordinal of a file, or -1. */
  find(fileKey: number): number {
    const mask = this.#places.length - 1;
    for (let at = home(fileKey) & mask; this.#places[at] !== 0; at = (at + 1) & mask) {
      const file = this.#places[at]! - 1;
      if (this.#fileKeys[file] === fileKey) return file;
    }
    return -1;
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
      this.#fileKeys = grown(this.#fileKeys, doubled(this.#fileKeys.length, file + 1));
      this.#firstChunk = grown(this.#firstChunk, doubled(this.#firstChunk.length, file + 1));
      this.#lastChunk = grown(this.#lastChunk, doubled(this.#lastChunk.length, file + 1));
      this.#chunkCounts = grown(this.#chunkCounts, doubled(this.#chunkCounts.length, file + 1));
    }
    this.#fileKeys[file] = fileKey;
    this.#place(file);
    this.#firstChunk[file] = 0;
    this.#lastChunk[file] = 0;
    this.#chunkCounts[file] = 0;
    return file;
  }

  addChunk(file: number, chunkId: number): number {
    const chunk = this.#freeChunks.pop() ?? this.#chunkLimit++;
    if (chunk >= this.#chunkIds.length) {
      this.#chunkIds = grown(this.#chunkIds, doubled(this.#chunkIds.length, chunk + 1));
      this.#fileOf = grown(this.#fileOf, doubled(this.#fileOf.length, chunk + 1));
      this.#nextChunk = grown(this.#nextChunk, doubled(this.#nextChunk.length, chunk + 1));
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
    this.#forget(file);
    this.#firstChunk[file] = 0;
    this.#freeFiles.push(file);
  }

  /** The lowest is used again first: then posting lists get them in ascending order. */
  freeChunks(chunks: readonly number[]): void {
    for (const chunk of Int32Array.from(chunks).sort().reverse()) this.#freeChunks.push(chunk);
  }

  forEachChunk(file: number, visit: (chunk: number) => void): void {
    for (let at = this.#firstChunk[file]!; at !== 0;) {
      // Read on before the visitor may unlink this one.
      const next = this.#nextChunk[at - 1]!;
      visit(at - 1);
      at = next;
    }
  }

  /** Only of a table that nothing was ever removed from. */
  writeTo(image: SectionWriter): void {
    image.value("files", this.#files);
    image.value("fileLimit", this.#fileLimit);
    image.value("chunks", this.#chunks);
    image.value("chunkLimit", this.#chunkLimit);
    image.array("places", this.#places);
    const [files, chunks] = [withRoom(this.#fileLimit), withRoom(this.#chunkLimit)];
    image.array("fileKeys", this.#fileKeys.subarray(0, this.#fileLimit), files);
    image.array("firstChunk", this.#firstChunk.subarray(0, this.#fileLimit), files);
    image.array("lastChunk", this.#lastChunk.subarray(0, this.#fileLimit), files);
    image.array("chunkCounts", this.#chunkCounts.subarray(0, this.#fileLimit), files);
    image.array("chunkIds", this.#chunkIds.subarray(0, this.#chunkLimit), chunks);
    image.array("fileOf", this.#fileOf.subarray(0, this.#chunkLimit), chunks);
    image.array("nextChunk", this.#nextChunk.subarray(0, this.#chunkLimit), chunks);
  }

  static from(image: SectionReader): FileTable {
    const table = new FileTable();
    table.#files = image.number("files");
    table.#fileLimit = image.number("fileLimit");
    table.#chunks = image.number("chunks");
    table.#chunkLimit = image.number("chunkLimit");
    table.#places = image.array("places", "i32");
    table.#fileKeys = image.array("fileKeys", "f64");
    table.#firstChunk = image.array("firstChunk", "i32");
    table.#lastChunk = image.array("lastChunk", "i32");
    table.#chunkCounts = image.array("chunkCounts", "i32");
    table.#chunkIds = image.array("chunkIds", "f64");
    table.#fileOf = image.array("fileOf", "i32");
    table.#nextChunk = image.array("nextChunk", "i32");
    return table;
  }

  #place(file: number): void {
    if (++this.#files * 2 > this.#places.length) {
      const before = this.#places;
      this.#places = new Int32Array(before.length * 2);
      for (const place of before) if (place !== 0) this.#put(place - 1);
    }
    this.#put(file);
  }

  #put(file: number): void {
    const mask = this.#places.length - 1;
    let at = home(this.#fileKeys[file]!) & mask;
    while (this.#places[at] !== 0) at = (at + 1) & mask;
    this.#places[at] = file + 1;
  }

  /** Moves later ones of its run back, so that no search stops at a hole. */
  #forget(file: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let hole = home(this.#fileKeys[file]!) & mask;
    while (places[hole] !== file + 1) {
      if (places[hole] === 0) return; // only where the file that it lies on lost its pages
      hole = (hole + 1) & mask;
    }
    for (let at = (hole + 1) & mask; places[at] !== 0; at = (at + 1) & mask) {
      const wish = home(this.#fileKeys[places[at]! - 1]!) & mask;
      if (((at - wish) & mask) < ((at - hole) & mask)) continue;
      places[hole] = places[at]!;
      hole = at;
    }
    places[hole] = 0;
    this.#files--;
  }

  /** Visits every chunk there is, in ascending order of ordinals. */
  forEachLiveChunk(visit: (chunk: number) => void): void {
    for (let chunk = 0; chunk < this.#chunkLimit; chunk++) if (this.#fileOf[chunk] !== 0) visit(chunk);
  }
}

/** Row ids: whole numbers that follow one another. */
function home(fileKey: number): number {
  return Math.imul(fileKey | 0, 0x9e3779b1) >>> 4;
}
