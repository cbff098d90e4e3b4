import { blocksOf } from "../embed/blocks.ts";
import { windowsOf } from "../embed/file-windows.ts";
import type { PassageBatching } from "../models/store-model.ts";
import type { UnembeddedChunk } from "../storage/chunk-reads.ts";
import type { ChunkOwner, ChunkPlace } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";

/** The texts whose vectors a chunk brings into a generation. */
export interface CutChunk {
  texts: string[];
  /** How many of the vectors before theirs are the chunk's too. */
  shared: number;
}

/** Whose chunks they are, and what they are cut for. */
export interface Cutting {
  storage: Pick<Storage, "chunks">;
  generation: GenerationRow;
  owner: ChunkOwner;
  batching: PassageBatching;
}

/** Chunks before and behind one that can overlap it, nearly always: an overlap is at most half a chunk. */
const NEIGHBOURS = 4;

/**
 * What is to be embedded of chunks that follow one another. Where a generation's vectors are those of windows, only what
 * no chunk before contains. Else a chunk that is more than the model takes at once is cut into the blocks that it shares
 * with its neighbours, which are embedded once and kept by each of them.
 */
export async function cutChunks(cutting: Cutting, chunks: readonly UnembeddedChunk[]): Promise<CutChunk[]> {
  const { generation, batching } = cutting;
  const { window_tokens: windowTokens } = generation;
  if (windowTokens !== null) {
    const places = await placesAround(cutting, chunks);
    return chunks.map((chunk) => {
      const { own: texts, shared } = windowsOf(chunk, places, windowTokens);
      return { texts, shared };
    });
  }
  const { window } = batching;
  if (window === null || chunks.every((one) => one.tokens <= window))
    return chunks.map(({ text }) => ({ texts: [text], shared: 0 }));
  const ends = (await placesNear(cutting, chunks, NEIGHBOURS)).flatMap(({ start, end }) => [start, end]);
  return chunks.map((chunk) => ({
    texts: chunk.tokens <= window ? [chunk.text] : blocksOf(chunk, ends),
    shared: 0,
  }));
}

/** Of all chunks that reach into these: that many small ones do is rare, and found out. */
async function placesAround(cutting: Cutting, chunks: readonly UnembeddedChunk[]): Promise<ChunkPlace[]> {
  const [first, last] = [chunks[0], chunks.at(-1)];
  if (first === undefined || last === undefined) return [];
  for (let more = NEIGHBOURS; ; more *= 2) {
    const places = await placesNear(cutting, chunks, more);
    const [lowest, highest] = [places[0], places.at(-1)];
    if (lowest === undefined || highest === undefined) return places;
    const isBegun = lowest.idx > first.idx - more || lowest.end <= first.start;
    const isEnded = highest.idx < last.idx + more || highest.start >= last.end;
    if (isBegun && isEnded) return places;
  }
}

async function placesNear(
  { storage, generation, owner }: Cutting,
  chunks: readonly UnembeddedChunk[],
  more: number,
): Promise<ChunkPlace[]> {
  const [from, to] = [(chunks[0]?.idx ?? 0) - more, (chunks.at(-1)?.idx ?? 0) + more];
  return await storage.chunks.places(generation.tenant_id, owner, from, to);
}
