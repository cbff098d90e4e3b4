import { type ChunkReads, chunkReads } from "./chunk-reads.ts";
import { type ChunkRemovals, chunkRemovals } from "./chunk-removals.ts";
import { type ChunkSamples, chunkSamples } from "./chunk-samples.ts";
import { type ChunkWrites, chunkWrites } from "./chunk-writes.ts";
import type { Sql } from "./sql.ts";

/**
 * Chunks, their keyword terms and their vectors.
 * A chunk counts only while its (store_file, revision) is the file's current one; everything else is garbage
 * that the janitor removes. Written in slices, so that no transaction holds the thread for long.
 */
export interface ChunksTable extends ChunkWrites, ChunkReads, ChunkSamples, ChunkRemovals {}

export function chunksTable(sql: Sql): ChunksTable {
  return { ...chunkWrites(sql), ...chunkReads(sql), ...chunkSamples(sql), ...chunkRemovals(sql) };
}
