import { asError } from "../errors.ts";
import { type EmbeddedText, type EmbedFailure, embedFailure } from "../embed/provider.ts";
import { combineWindows, concatenated } from "../embed/vectors.ts";
import type { PassageBatching, StoreModel } from "../models/store-model.ts";
import type { UnembeddedChunk } from "../storage/chunk-reads.ts";
import type { ChunkOwner, NewVectors } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Tx } from "../storage/sql.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import { type CutChunk, cutChunks } from "./cut-chunks.ts";
import { nextTurn } from "../platform/next-turn.ts";

export interface EmbedChunksDeps {
  storage: Storage;
  embed: EmbedPassages;
  /** Chunks written in one transaction: few enough that none holds the thread for long. */
  slice: number;
}

/** The chunks of one file. */
export interface ChunksToEmbed {
  generation: GenerationRow;
  owner: ChunkOwner;
  fileId: string;
  /** How many chunks were written; called in the transaction that writes them. */
  onSlice(chunks: number, tables: Tables, tx: Tx): void | Promise<void>;
  /** What was computed, and perhaps paid, for them; in the transaction that keeps it, if one does. */
  onTokens?: ((tokens: number, tx: Tx | null) => Promise<void>) | undefined;
}

/**
 * Embeds the chunks of one file that have no vectors in a generation yet. As many calls run beside one another as the
 * model has room for, and each is written down as it is answered: interrupted at any point, another call goes on from
 * there. What chunks share is embedded once.
 *
 * @returns null when all have vectors, or why some have none: `aborted` where the signal said so.
 */
export async function embedChunks(
  deps: EmbedChunksDeps,
  work: ChunksToEmbed,
  signal: AbortSignal,
): Promise<EmbedFailure | null> {
  return await new ChunkEmbedding(deps, work, signal).run();
}

class ChunkEmbedding {
  readonly #deps: EmbedChunksDeps;
  readonly #work: ChunksToEmbed;
  readonly #signal: AbortSignal;
  readonly #model: StoreModel;
  readonly #batching: PassageBatching;
  readonly #running = new Set<Promise<void>>();
  #failure: EmbedFailure | null = null;
  #error: Error | null = null;

  constructor(deps: EmbedChunksDeps, work: ChunksToEmbed, signal: AbortSignal) {
    const { model: id, model_revision: revision, dimensions } = work.generation;
    this.#deps = deps;
    this.#work = work;
    this.#signal = signal;
    this.#model = { id, revision, dimensions };
    this.#batching = deps.embed.batching(this.#model);
  }

  async run(): Promise<EmbedFailure | null> {
    const { storage } = this.#deps;
    const { generation, owner } = this.#work;
    const { texts: most, room } = this.#batching;
    for (let after = -1; !this.#isOver();) {
      const chunks = await storage.chunks.withoutVector(generation.tenant_id, owner, generation.id, most, after);
      const last = chunks.at(-1);
      if (last === undefined) {
        // Texts may have been added to the file meanwhile.
        if (this.#running.size === 0) break;
        await Promise.all(this.#running);
        continue;
      }
      after = last.idx;
      const giveBack = await room.take(chunks.length);
      if (this.#signal.aborted) this.#failure ??= embedFailure("aborted", "stopped");
      if (this.#isOver()) giveBack();
      else {
        const call = this.#embed(chunks, giveBack).finally(() => this.#running.delete(call));
        this.#running.add(call);
      }
      // These were the last, unless more come: one look more, when they are done, tells.
      if (chunks.length < most) await Promise.all(this.#running);
    }
    // What was asked for and paid is still written down.
    await Promise.all(this.#running);
    if (this.#error !== null) throw this.#error;
    return this.#failure;
  }

  #isOver(): boolean {
    return this.#failure !== null || this.#error !== null;
  }

  async #embed(chunks: readonly UnembeddedChunk[], giveBack: () => void): Promise<void> {
    const { generation, owner, fileId, onTokens } = this.#work;
    try {
      const { storage } = this.#deps;
      const cut = await cutChunks({ storage, generation, owner, batching: this.#batching }, chunks);
      // Of like length next to one another: in a batch every row is as long as the longest.
      const texts = [...new Set(cut.flatMap((one) => one.texts))].sort((a, b) => a.length - b.length);
      const source = { tenantId: generation.tenant_id, fileId, onTokens };
      const embedded = await this.#deps.embed.embed(this.#model, texts, { signal: this.#signal, source });
      if (!embedded.ok) {
        this.#failure ??= embedded;
        return;
      }
      const byText = new Map(embedded.texts.map((text, i) => [texts[i], text]));
      const vectors = chunks.map(({ id: chunkId }, i) => {
        const own = cut[i] ?? { texts: [], shared: 0 };
        return { chunkId, data: this.#joined(own, byText), shared: own.shared };
      });
      await this.#write(vectors);
    } catch (error) {
      this.#error ??= asError(error);
    } finally {
      giveBack();
    }
  }

  async #write(vectors: readonly NewVectors[]): Promise<void> {
    const { storage, slice } = this.#deps;
    const { generation, onSlice } = this.#work;
    for (let from = 0; from < vectors.length; from += slice) {
      await nextTurn();
      const some = vectors.slice(from, from + slice);
      await storage.transaction(async (tables, tx) => {
        await tables.chunks.addVectors(generation.tenant_id, generation.id, some);
        await onSlice(some.length, tables, tx);
      }, "work");
    }
  }

  /** A chunk without a vector would count as embedded and be found by no search: better to fail loudly. */
  #joined({ texts, shared }: CutChunk, byText: ReadonlyMap<string | undefined, EmbeddedText>): Float32Array {
    const { window_tokens: windowTokens, dimensions } = this.#work.generation;
    const parts = texts.map((one) => {
      const text = byText.get(one);
      if (text === undefined || text.vectors.length === 0) throw new Error("an embedder gave fewer vectors than texts");
      // Chunks count on one vector of each window, whatever the model made of it.
      return windowTokens === null ? text.vectors : combineWindows(text, dimensions);
    });
    if (parts.length === 0 && shared === 0) throw new Error("a chunk is without a text");
    return concatenated(parts);
  }
}
