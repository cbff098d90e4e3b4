import { blocksOf } from "../embed/blocks.ts";
import { type EmbeddedText, type EmbedFailure, embedFailure } from "../embed/provider.ts";
import { concatenated } from "../embed/vectors.ts";
import type { ChunkOwner } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Tx } from "../storage/sql.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import { nextTurn } from "./next-turn.ts";

export interface EmbedChunksDeps {
  storage: Storage;
  embed: EmbedPassages;
  /** Chunks written in one transaction: few enough that none holds the thread for long. */
  slice: number;
}

/** Chunks before and behind one that can overlap it: an overlap is at most half a chunk. */
const NEIGHBOURS = 4;

/**
 * Embeds the chunks of one file that have no vectors in a generation yet. As many calls run beside one another as the
 * model has room for, and each is written down as it is answered: interrupted at any point, another call goes on from
 * there. A chunk that is more than the model takes at once is embedded in the blocks that it shares with its neighbours,
 * each of them once.
 *
 * @param onSlice how many chunks were written; called in the transaction that writes them.
 * @param onTokens what was computed, and perhaps paid, for them; in the transaction that keeps it, if one does.
 * @returns null when all have vectors, or why some have none: `aborted` where the signal said so.
 */
export async function embedChunks(
  { storage, embed, slice: rows }: EmbedChunksDeps,
  generation: GenerationRow,
  owner: ChunkOwner,
  fileId: string,
  signal: AbortSignal,
  onSlice: (chunks: number, tables: Tables, tx: Tx) => void | Promise<void>,
  onTokens?: (tokens: number, tx: Tx | null) => Promise<void>,
): Promise<EmbedFailure | null> {
  const { tenant_id: tenantId, id, model_revision: revision, dimensions } = generation;
  const model = { id: generation.model, revision, dimensions };
  const { texts: most, room, window } = embed.batching(model);
  const running = new Set<Promise<void>>();
  const ended: { failure: EmbedFailure | null; error: Error | null } = { failure: null, error: null };
  const isOver = () => ended.failure !== null || ended.error !== null;

  const blocksOfChunks = async (chunks: readonly Pending[]): Promise<string[][]> => {
    const [first, last] = [chunks[0], chunks.at(-1)];
    if (first === undefined || last === undefined || window === null || chunks.every((one) => one.tokens <= window))
      return chunks.map(({ text }) => [text]);
    const around = await storage.chunks.places(tenantId, owner, first.idx - NEIGHBOURS, last.idx + NEIGHBOURS);
    const places = around.flatMap(({ start, end }) => [start, end]);
    return chunks.map((chunk) => (chunk.tokens <= window ? [chunk.text] : blocksOf(chunk, places)));
  };

  const work = async (chunks: readonly Pending[], giveBack: () => void): Promise<void> => {
    try {
      const blocks = await blocksOfChunks(chunks);
      const texts = [...new Set(blocks.flat())];
      const embedded = await embed.embed(model, texts, signal, { tenantId, fileId, onTokens });
      if (!embedded.ok) {
        ended.failure ??= embedded;
        return;
      }
      const byText = new Map(embedded.texts.map((text, i) => [texts[i], text]));
      const vectors = chunks.map(({ id: chunkId }, i) => ({ chunkId, data: joined(blocks[i] ?? [], byText) }));
      for (let from = 0; from < vectors.length; from += rows) {
        await nextTurn();
        const some = vectors.slice(from, from + rows);
        await storage.transaction(async (tables, tx) => {
          await tables.chunks.addVectors(tenantId, id, some);
          await onSlice(some.length, tables, tx);
        }, "work");
      }
    } catch (error) {
      ended.error ??= error instanceof Error ? error : new Error(String(error));
    } finally {
      giveBack();
    }
  };

  for (let after = -1; !isOver();) {
    const chunks = await storage.chunks.withoutVector(tenantId, owner, id, most, after);
    const last = chunks.at(-1);
    if (last === undefined) {
      // Texts may have been added to the file meanwhile.
      if (running.size === 0) break;
      await Promise.all(running);
      continue;
    }
    after = last.idx;
    const giveBack = await room.take(chunks.length);
    if (signal.aborted) ended.failure ??= embedFailure("aborted", "stopped");
    if (isOver()) giveBack();
    else {
      const call = work(chunks, giveBack).finally(() => running.delete(call));
      running.add(call);
    }
  }
  // What was asked for and paid is still written down.
  await Promise.all(running);
  if (ended.error !== null) throw ended.error;
  return ended.failure;
}

type Pending = Awaited<ReturnType<Storage["chunks"]["withoutVector"]>>[number];

/** A chunk with an empty vector would count as embedded and be found by no search: better to fail loudly. */
function joined(blocks: readonly string[], byText: ReadonlyMap<string | undefined, EmbeddedText>): Float32Array {
  const parts = blocks.map((block) => byText.get(block)?.vectors ?? new Float32Array(0));
  if (parts.length === 0 || parts.some((part) => part.length === 0))
    throw new Error("an embedder gave fewer vectors than texts");
  return concatenated(parts);
}
