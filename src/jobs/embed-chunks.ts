import type { EmbedFailure } from "../embed/provider.ts";
import type { ChunkOwner } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";

export interface EmbedChunksDeps {
  storage: Storage;
  embed: EmbedPassages;
  /** Chunks embedded and written in one step: small enough that no transaction holds the thread for long. */
  slice: number;
}

/**
 * Embeds the chunks of one file that have no vectors in a generation yet, slice by slice in their order, and writes each
 * slice down before the next: interrupted at any point, another call goes on from there.
 *
 * @param onSlice how many chunks were written, and the tokens computed for them.
 * @returns null when all have vectors, or why the next slice has none: `aborted` where the signal said so.
 */
export async function embedChunks(
  { storage, embed, slice: most }: EmbedChunksDeps,
  generation: GenerationRow,
  owner: ChunkOwner,
  fileId: string,
  signal: AbortSignal,
  onSlice: (chunks: number, tokens: number) => void,
): Promise<EmbedFailure | null> {
  const { tenant_id: tenantId, model, model_revision: revision, dimensions } = generation;
  for (;;) {
    if (signal.aborted) return { ok: false, reason: "aborted", detail: "stopped" };
    const slice = storage.chunks.withoutVector(tenantId, owner, generation.id, most);
    if (slice.length === 0) return null;
    const texts = slice.map((chunk) => chunk.text);
    const embedded = await embed({ id: model, revision, dimensions }, texts, signal, { tenantId, fileId });
    if (!embedded.ok) return embedded;
    storage.chunks.addVectors(tenantId, generation.id, withVectors(slice, embedded.texts));
    onSlice(
      slice.length,
      embedded.texts.reduce((sum, text) => sum + text.tokens, 0),
    );
  }
}

/** A chunk with an empty vector would count as embedded and be found by no search: better to fail loudly. */
function withVectors(slice: readonly { id: number }[], texts: readonly { vectors: Float32Array }[]) {
  return slice.map(({ id }, i) => {
    const data = texts[i]?.vectors;
    if (data === undefined || data.length === 0) throw new Error("an embedder gave fewer vectors than texts");
    return { chunkId: id, data };
  });
}
