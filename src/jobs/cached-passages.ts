import type { EmbeddedText, EmbedResult } from "../embed/provider.ts";
import type { CacheScope } from "../storage/embedding-cache.ts";
import type { PassageBatching, StoreModel } from "../models/store-model.ts";
import type { Tx } from "../storage/sql.ts";
import { nextTurn } from "../platform/next-turn.ts";

/** The file that texts come from; its cached vectors go with it. */
export interface PassageSource {
  tenantId: string;
  fileId: string;
  /**
   * Told what was computed, and perhaps paid, for the texts: in the transaction that keeps their vectors, where they are
   * kept, so that an interrupted job neither loses nor repeats a count.
   */
  onTokens?: ((tokens: number, tx: Tx | null) => Promise<void>) | undefined;
}

export interface EmbedPassagesOptions {
  signal: AbortSignal;
  source: PassageSource | null;
}

/** Vectors of passages for jobs. */
export interface EmbedPassages {
  embed(model: StoreModel, texts: readonly string[], options: EmbedPassagesOptions): Promise<EmbedResult>;
  /** How many texts of this model to ask for at once, and how many all jobs together. */
  batching(model: StoreModel): PassageBatching;
}

export interface CachedPassagesOptions extends Pick<EmbedPassages, "batching"> {
  /** Takes the tenant's turn. */
  embed: (
    model: StoreModel,
    texts: readonly string[],
    asker: { tenant: string; signal: AbortSignal },
  ) => Promise<EmbedResult>;
  cache: {
    get(scope: CacheScope, sha256: Uint8Array): Promise<Float32Array | null>;
    /** `alongside` runs in the transaction that adds them. */
    add(
      scope: CacheScope,
      entries: readonly { sha256: Uint8Array; vectors: Float32Array }[],
      alongside: (tx: Tx) => Promise<void>,
    ): Promise<void>;
  };
  /** Whether vectors of this model are kept. */
  isCached: (model: StoreModel) => boolean;
  onLookup: (found: number, missing: number) => void;
}

/** Takes turns with the tenants: what is asked for no file, to see whether a model answers. */
const SERVER = "";
/** Entries of one transaction: a millisecond or two. */
const WRITTEN_AT_ONCE = 16;

/**
 * Passages through the embedding cache: only texts without kept vectors are embedded, each of them once. Texts whose
 * vectors were kept count no tokens, because nothing was computed or paid for them.
 */
export function cachedPassages(options: CachedPassagesOptions): EmbedPassages {
  return new CachedPassages(options);
}

class CachedPassages implements EmbedPassages {
  readonly #options: CachedPassagesOptions;

  constructor(options: CachedPassagesOptions) {
    this.#options = options;
  }

  batching(model: StoreModel): PassageBatching {
    return this.#options.batching(model);
  }

  async embed(
    model: StoreModel,
    texts: readonly string[],
    { signal, source }: EmbedPassagesOptions,
  ): Promise<EmbedResult> {
    if (source !== null && this.#options.isCached(model)) return await this.#cached({ model, source, signal }, texts);
    const embedded = await this.#options.embed(model, texts, { tenant: source?.tenantId ?? SERVER, signal });
    if (embedded.ok) await source?.onTokens?.(tokensOf(embedded.texts), null);
    return embedded;
  }

  async #cached(asked: Asked, texts: readonly string[]): Promise<EmbedResult> {
    const { model, source } = asked;
    const scope = scopeOf(asked);
    const results = new Map<string, EmbeddedText>();
    const missing = new Map<string, Uint8Array>();
    for (const text of new Set(texts)) {
      const sha256 = new Bun.CryptoHasher("sha256").update(text).digest();
      const vectors = await this.#options.cache.get(scope, sha256);
      // Earlier versions kept zeros for texts that their model knew nothing of.
      if (vectors === null || vectors.every((x) => x === 0)) missing.set(text, sha256);
      else results.set(text, { vectors, windows: vectors.length / model.dimensions, tokens: 0 });
    }
    this.#options.onLookup(texts.length - missing.size, missing.size);
    if (missing.size > 0) {
      const { tenantId: tenant } = source;
      const embedded = await this.#options.embed(model, [...missing.keys()], { tenant, signal: asked.signal });
      if (!embedded.ok) return embedded;
      const entries = [...missing].flatMap(([text, sha256], i) => {
        const result = embedded.texts[i];
        if (result === undefined) return [];
        results.set(text, result);
        return [{ sha256, ...result }];
      });
      for (let from = 0; from < entries.length; from += WRITTEN_AT_ONCE) {
        await nextTurn();
        const some = entries.slice(from, from + WRITTEN_AT_ONCE);
        await this.#options.cache.add(scope, some, async (tx) => await source.onTokens?.(tokensOf(some), tx));
      }
    }
    return { ok: true, texts: inOrder(texts, results) };
  }
}

interface Asked {
  model: StoreModel;
  source: PassageSource;
  signal: AbortSignal;
}

function scopeOf({ model: { revision, dimensions }, source: { tenantId, fileId } }: Asked): CacheScope {
  return { tenantId, fileId, revision, dimensions };
}

/** A text that comes again costs nothing again. */
function inOrder(texts: readonly string[], results: ReadonlyMap<string, EmbeddedText>): EmbeddedText[] {
  const told = new Set<string>();
  return texts.flatMap((text) => {
    const result = results.get(text);
    if (result === undefined) return [];
    if (told.has(text)) return [{ ...result, tokens: 0 }];
    told.add(text);
    return [result];
  });
}

function tokensOf(texts: readonly { tokens: number }[]): number {
  return texts.reduce((sum, text) => sum + text.tokens, 0);
}
