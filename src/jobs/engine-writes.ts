/** How the tables of a generation that is searched in the database are brought to what is committed of its store. */
import { normsAt } from "../index/bm25.ts";
import { composed } from "../index/filter.ts";
import { unpackTerms } from "../index/term-blob.ts";
import { unitVectors } from "../index/vector-input.ts";
import { type ChunkOwner, floatsOf, type IndexedChunk } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { EngineChunk, EngineTables, EngineWindow, EngineWriter } from "../storage/postgres/engine-tables.ts";
import { tellAll } from "../storage/store-changes.ts";
import type { StoreRow } from "../storage/stores.ts";
import { filesOf, isMore, type Kinds } from "./fresh-index.ts";

/** Chunks a statement; chunks of files in one transaction of a load, about. */
const SLICE = 500;
const CHUNKS_AT_ONCE = 2000;
/** Files of one transaction of a load, and changes of one that catches up, at most. */
const FILES_AT_ONCE = 100;
const CHANGES_AT_ONCE = 200;
/** Windows before a chunk of which some may be its too. */
const MOST_SHARED = 1024;

/** `outdated`: what happened is known no more, so the tables have to be made anew. `busy`: another writes to them, or they are gone. */
export type Brought = "current" | "more" | "outdated" | "busy" | "gone";

/** One step towards what is committed by now: it can be cut off, and done again. `waits`: for another who does it. */
export async function bringOnce(tables: EngineTables, id: number, waits: boolean): Promise<Brought> {
  const brought = await tables.write(id, waits, async (writer): Promise<Brought> => {
    const { row, tables: rows } = writer;
    const store = await rows.stores.get(row.tenant_id, row.store_id);
    const generation = await rows.generations.get(row.tenant_id, row.id);
    if (store === null || store.lifecycle === "deleting" || generation === null) return "gone";
    // The database was put back.
    if (store.version < row.version) return "outdated";
    if (store.version === row.version) return "current";
    const to = Math.min(store.version, row.version + CHANGES_AT_ONCE);
    const range = { from: row.version, to, limit: CHANGES_AT_ONCE + 1 };
    const changes = await rows.storeChanges.since(generation, range);
    if (!tellAll(changes, row.version, to)) return "outdated";
    const files = filesOf(changes, [], generation.id);
    const found = await rows.storeFiles.bySeqs(row.tenant_id, [...files.keys()]);
    const bySeq = new Map(found.map((file) => [file.seq, file]));
    for (const [seq, kinds] of files) {
      const file = bySeq.get(seq) ?? null;
      if (file?.status === "completed") await bringFile(writer, { store, generation, file, kinds });
      else await writer.removeFile(seq);
    }
    writer.reaches(to);
    return to === store.version ? "current" : "more";
  });
  return brought ?? "busy";
}

/** Puts some of the files in that are not there; false when none is left. */
export async function loadSome(tables: EngineTables, id: number): Promise<boolean> {
  const put = await tables.write(id, false, async (writer) => {
    const { row, tables: rows, tx } = writer;
    const generation = await rows.generations.get(row.tenant_id, row.id);
    if (row.state !== "loading" || generation === null) return 0;
    const seqs = await tables.missing({ tx, row }, FILES_AT_ONCE);
    const files = await rows.storeFiles.bySeqs(row.tenant_id, seqs);
    let chunks = 0;
    for (const file of files.filter(({ status }) => status === "completed")) {
      chunks += await replace(writer, generation, file);
      if (chunks >= CHUNKS_AT_ONCE) break;
    }
    return seqs.length;
  });
  return (put ?? 0) > 0;
}

interface FileChange {
  store: StoreRow;
  generation: GenerationRow;
  /** A completed one. */
  file: StoreFileRow;
  kinds: Kinds;
}

async function bringFile(writer: EngineWriter, { store, generation, file, kinds }: FileChange): Promise<void> {
  const isLive = store.live_generation === generation.id;
  // What another generation lacks of a file enters it later, and tells when all of it is there.
  if (!isLive && !kinds.has("entered")) {
    if (kinds.has("completed") || kinds.has("removed")) return await writer.removeFile(file.seq);
    return await writer.setAttributes(file.seq, file.attributes ?? {});
  }
  const known = isMore(kinds) ? await writer.chunksOf(file.seq) : null;
  if (known === null || known.revision !== file.revision) return void (await replace(writer, generation, file));
  if (isLive && kinds.has("grown")) {
    // Its further windows may be shared with those before.
    if (generation.window_tokens !== null) return void (await replace(writer, generation, file));
    await append(writer, generation, { file, from: known.chunks });
  }
  await writer.setAttributes(file.seq, file.attributes ?? {});
}

/** How many chunks it has. */
async function replace(writer: EngineWriter, generation: GenerationRow, file: StoreFileRow): Promise<number> {
  await writer.removeFile(file.seq);
  await writer.addFile({
    storeFile: file.seq,
    revision: file.revision,
    fileId: file.file_id,
    filename: composed(file.filename),
    attributes: file.attributes ?? {},
  });
  return await append(writer, generation, { file, from: 0 });
}

async function append(
  writer: EngineWriter,
  generation: GenerationRow,
  { file, from }: { file: StoreFileRow; from: number },
): Promise<number> {
  const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  let before: EngineWindow[] = [];
  for (let at = from; ; at += SLICE) {
    const { chunks: reads } = writer.tables;
    const slice = await reads.forIndex(generation.tenant_id, owner, generation.id, at, SLICE);
    const entering = engineChunks(slice, { before, dimensions: generation.dimensions, average: writer.averageLength });
    await writer.addChunks(file.seq, entering.chunks);
    before = entering.before;
    if (slice.length < SLICE) return at + slice.length - from;
    await writer.tx.nextTurn();
  }
}

interface Entering {
  /** The last windows of the file so far. */
  before: EngineWindow[];
  dimensions: number;
  /** Mean length of the chunks that are there, in terms; 0 where there are none. */
  average: number;
}

function engineChunks(
  slice: readonly IndexedChunk[],
  { before, dimensions, average }: Entering,
): { chunks: EngineChunk[]; before: EngineWindow[] } {
  let windows = before;
  const chunks = slice.map((chunk): EngineChunk => {
    const { length, hashes, frequencies } = unpackTerms(chunk.terms);
    const { fixed, perLength } = normsAt(average > 0 ? average : Math.max(1, length));
    const norm = fixed + perLength * length;
    const own = windowsOf(chunk, dimensions);
    const shared = chunk.shared === 0 ? [] : windows.slice(-chunk.shared);
    windows = [...windows.slice(own.length - MOST_SHARED), ...own];
    return {
      chunkId: chunk.chunk_id,
      length,
      hashes,
      weights: Float32Array.from(frequencies, (frequency) => frequency / (frequency + norm)),
      own: chunk.attributes,
      windows: [...shared, ...own],
    };
  });
  return { chunks, before: windows };
}

/** Those that the chunk brought itself. */
function windowsOf({ chunk_id: source, data }: IndexedChunk, dimensions: number): EngineWindow[] {
  const unit = unitVectors(floatsOf(data), dimensions);
  return Array.from({ length: unit.length / dimensions }, (_, place) => ({
    source,
    place,
    vector: unit.subarray(place * dimensions, (place + 1) * dimensions),
  }));
}
