import {
  embedFailure,
  type EmbedFailureReason,
  type EmbedKind,
  type EmbeddingProvider,
  type EmbedResult,
  type ModelInfo,
} from "../../embed/provider.ts";
import { normaliseRow } from "../../embed/vectors.ts";

export const DIMENSIONS = 64;

/** A model for tests: a bag of words, computed in this process. It notes what it is asked, and fails when it is told to. */
export class WordsModel implements EmbeddingProvider {
  readonly model: ModelInfo = {
    id: "words-64",
    revision: "r1",
    dimensions: DIMENSIONS,
    defaultDimensions: DIMENSIONS,
    matryoshka: [16, 32],
    matryoshkaExact: false,
    maxTokens: 512,
    windowTokens: null,
    location: "bundled",
    unrelatedCosine: 0,
    queryPrefix: "",
    passagePrefix: "",
  };
  /** Texts that it gave vectors of, in order. */
  readonly embedded: string[] = [];
  /** What each call was for. */
  readonly kinds: EmbedKind[] = [];
  /** While a reason is set, every call fails with it. */
  readonly failing: { reason: EmbedFailureReason | null } = { reason: null };
  /** Runs before every call is answered. */
  before: (signal: AbortSignal) => unknown = () => {};

  async embed(texts: readonly string[], kind: EmbedKind, signal: AbortSignal): Promise<EmbedResult> {
    if (this.failing.reason !== null) return embedFailure(this.failing.reason, "for a test", 2000);
    this.embedded.push(...texts);
    this.kinds.push(kind);
    await this.before(signal);
    return { ok: true, texts: texts.map((text) => ({ vectors: vectorOf(text), windows: 1, tokens: 1 })) };
  }
}

/** Texts that share words are near each other. */
export function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = Number(Bun.hash(word) % BigInt(DIMENSIONS));
    vector[at] = (vector[at] ?? 0) + 1;
  }
  normaliseRow(vector, 0, DIMENSIONS);
  return vector;
}
