import { embedFailure, type EmbedFailure, type EmbedResult } from "../../embed/provider.ts";
import { seededRandom } from "../../../test/helpers/random.ts";
import type { PassageBatching, StoreModel } from "../../models/store-model.ts";
import { Semaphore } from "../../platform/semaphore.ts";

/** Whose turn it would be. */
interface Asker {
  tenant: string;
  signal: AbortSignal;
}

/**
 * A model that needs no model: every word has a direction that its hash decides, and a text's vector is the sum of its
 * words', so that texts with the same words are near one another. Another model, or revision, has other directions.
 */
export class HashModel {
  readonly asked: { model: StoreModel; texts: readonly string[] }[] = [];
  /** Asked before every call: a failure is its answer. May throw, and may change the world meanwhile. */
  before: (model: StoreModel, texts: readonly string[]) => EmbedFailure | null | Promise<EmbedFailure | null> = () =>
    null;
  /** Texts of one call. */
  batch = 8;
  window: number | null = null;
  /** Of the generations that a migration makes. */
  windowTokens: number | null;
  readonly #room = new Semaphore(64);

  constructor(windowTokens: number | null = null) {
    this.windowTokens = windowTokens;
  }

  async embed(model: StoreModel, texts: readonly string[], { signal }: Asker): Promise<EmbedResult> {
    if (signal.aborted) return embedFailure("aborted", "stopped");
    this.asked.push({ model, texts });
    const failure = await this.before(model, texts);
    if (failure !== null) return failure;
    const embedded = texts.map((text) => ({
      vectors: vectorOf(model, text),
      windows: 1,
      tokens: Math.max(1, wordsOf(text).length),
    }));
    return { ok: true, texts: embedded };
  }

  batching(): PassageBatching {
    return { texts: this.batch, room: this.#room, window: this.window, windowTokens: this.windowTokens };
  }

  async embedQuery(
    model: StoreModel,
    text: string,
    asker: Asker,
  ): Promise<{ ok: true; vector: Float32Array } | EmbedFailure> {
    const embedded = await this.embed(model, [text], asker);
    return embedded.ok ? { ok: true, vector: vectorOf(model, text) } : embedded;
  }
}

export function vectorOf({ id, revision, dimensions }: StoreModel, text: string): Float32Array {
  const sum = new Float32Array(dimensions);
  for (const word of wordsOf(text)) {
    const random = seededRandom(Number(BigInt.asUintN(32, BigInt(Bun.hash(`${id}/${revision}/${word}`)))));
    for (let i = 0; i < dimensions; i++) sum[i] = (sum[i] ?? 0) + random.gauss();
  }
  const length = Math.hypot(...sum);
  return length === 0 ? sum : sum.map((value) => value / length);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}
