import type { EmbeddedText, EmbedResult } from "../embed/provider.ts";
import type { CacheScope } from "../storage/embedding-cache.ts";
import type { StoreModel } from "../workers/models.ts";

/** The file that texts come from; its cached vectors go with it. */
export interface PassageSource {
  tenantId: string;
  fileId: string;
}

export type EmbedPassages = (
  model: StoreModel,
  texts: readonly string[],
  signal: AbortSignal,
  source: PassageSource | null,
) => Promise<EmbedResult>;

export interface CachedPassagesOptions {
  embed: (model: StoreModel, texts: readonly string[], signal: AbortSignal) => Promise<EmbedResult>;
  cache: {
    get(scope: CacheScope, sha256: Uint8Array): Float32Array | null;
    add(scope: CacheScope, entries: readonly { sha256: Uint8Array; vectors: Float32Array }[]): void;
  };
  /** Whether vectors of this model are kept. */
  isCached: (model: StoreModel) => boolean;
  onLookup: (found: number, missing: number) => void;
}

/**
 * Passages through the embedding cache: only texts without kept vectors are embedded, each of them once. Texts whose
 * vectors were kept count no tokens, because nothing was computed or paid for them.
 */
export function cachedPassages({ embed, cache, isCached, onLookup }: CachedPassagesOptions): EmbedPassages {
  return async (model, texts, signal, source) => {
    if (source === null || !isCached(model)) return await embed(model, texts, signal);
    const scope: CacheScope = { ...source, revision: model.revision, dimensions: model.dimensions };
    const results = new Map<string, EmbeddedText>();
    const missing = new Map<string, Uint8Array>();
    for (const text of new Set(texts)) {
      const sha256 = new Bun.CryptoHasher("sha256").update(text).digest();
      const vectors = cache.get(scope, sha256);
      if (vectors === null) missing.set(text, sha256);
      else results.set(text, { vectors, windows: vectors.length / model.dimensions, tokens: 0 });
    }
    onLookup(texts.length - missing.size, missing.size);
    if (missing.size > 0) {
      const wanted = [...missing.keys()];
      const embedded = await embed(model, wanted, signal);
      if (!embedded.ok) return embedded;
      const entries = wanted.flatMap((text, i) => {
        const result = embedded.texts[i];
        if (result === undefined) return [];
        results.set(text, result);
        return [{ sha256: missing.get(text) ?? new Uint8Array(), vectors: result.vectors }];
      });
      cache.add(scope, entries);
    }
    const told = new Set<string>();
    return {
      ok: true,
      texts: texts.flatMap((text) => {
        const result = results.get(text);
        if (result === undefined) return [];
        if (told.has(text)) return [{ ...result, tokens: 0 }];
        told.add(text);
        return [result];
      }),
    };
  };
}
