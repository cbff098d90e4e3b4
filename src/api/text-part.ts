import { unitsOf } from "../platform/code-points.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { ChunkOwner } from "../storage/chunks.ts";
import type { Tables } from "../storage/storage.ts";
import { joinChunks, type Piece } from "./file-text.ts";

/** Chunks read at a time. */
const SLICE = 200;

type Chunks = Pick<Tables["chunks"], "places" | "pieces" | "last">;

/** Whose chunks they are. */
export interface TextOwner extends ChunkOwner {
  tenantId: string;
}

/** A stretch of a file's text, in code points of the whole. */
export interface TextPart {
  text: string;
  from: number;
  /** Exclusive. */
  to: number;
  total: number;
  /** The place of the first chunk that reaches into it. */
  chunk: number;
}

/**
 * A stretch of the text that a file's chunks were cut from, found through the places of its chunks: what it costs goes by
 * the stretch, not by the file. `from` is told how long the whole is. Null where the file has no text.
 */
export async function textPart(
  chunks: Chunks,
  owner: TextOwner,
  { from, characters }: { from: (total: number) => number; characters: number },
): Promise<TextPart | null> {
  const { tenantId } = owner;
  const last = await chunks.last(tenantId, owner);
  if (last === null) return null;
  const total = last.end_cp;
  const begin = Math.min(from(total), total);
  const end = Math.min(begin + characters, total);
  const first = await firstReaching(chunks, owner, { beyond: begin, last: last.idx });
  const pieces: Piece[] = [];
  for (let idx = first; idx <= last.idx; idx += SLICE) {
    const slice = await chunks.pieces(tenantId, owner, idx, Math.min(last.idx, idx + SLICE - 1));
    pieces.push(...slice.filter((piece) => piece.start_cp < end));
    if ((slice.at(-1)?.start_cp ?? end) >= end) break;
    await nextTurn();
  }
  const joined = joinChunks(pieces, begin);
  const text = joined.slice(0, unitsOf(joined, end - begin));
  return { text, from: begin, to: end, total, chunk: first };
}

/** Where the chunk in this place begins; null where there is none. */
export async function startOfChunk(chunks: Chunks, owner: TextOwner, idx: number): Promise<number | null> {
  const [place] = await chunks.places(owner.tenantId, owner, idx, idx);
  return place?.start ?? null;
}

/** The first chunk that ends beyond a code point: chunks stand in the order of their ends. */
async function firstReaching(
  chunks: Chunks,
  owner: TextOwner,
  { beyond, last }: { beyond: number; last: number },
): Promise<number> {
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [place] = await chunks.places(owner.tenantId, owner, middle, middle);
    if ((place?.end ?? 0) > beyond) high = middle;
    else low = middle + 1;
  }
  return low;
}
