/**
 * Text to vectors, whoever computes them. A failure is a value that the caller must look at;
 * only a bug throws. Callers: api (queries, /v1/embeddings) and jobs (passages).
 */

/** One text's vectors: more than one where the text is longer than the model's window. */
export interface EmbeddedText {
  /**
   * `windows` x `dimensions`, row-major; every row has unit length, or is all zero where the model knows nothing of that
   * window (only unknown tokens) but something of another. No text is all zero. May be a view into a buffer that it shares
   * with the other texts of the same call: copy it to keep it for long.
   */
  vectors: Float32Array;
  windows: number;
  /** Model tokens computed, special tokens and prompts included, padding not. At least `windows`; 0 where the vectors were known. */
  tokens: number;
}

/** Models may treat what is searched for and what is found differently (prompts, `input_type`). */
export type EmbedKind = "query" | "passage";

/**
 * `overloaded`: try later, the queue is full or the provider limits the rate. `too_long`: the provider
 * refuses a text of this length. `unavailable`: the provider or the worker is away or not configured;
 * trying later can help. `rejected`: the request or the answer is wrong; trying again does not help.
 */
export type EmbedFailureReason = "overloaded" | "too_long" | "unavailable" | "rejected" | "aborted";

export interface EmbedFailure {
  ok: false;
  reason: EmbedFailureReason;
  detail: string;
  retryAfterMs?: number | undefined;
  /** The model is here, but in another revision than asked for. */
  isOutdated?: boolean | undefined;
  /** Waiting does not help: somebody has to change a key, an address or a setting. */
  isLasting?: boolean | undefined;
  /** What a client is told, where the operator has to do something; without anything secret. */
  advice?: string | undefined;
}

export type EmbedResult = { ok: true; texts: EmbeddedText[] } | EmbedFailure;

export interface ModelInfo {
  id: string;
  /** Changes whenever the vectors could: a hash of the files of a local model, of the settings of a remote one. */
  revision: string;
  /** Values of the vectors that `embed` gives. */
  dimensions: number;
  /** Size that a client gets who names none; smaller than `dimensions` only where a provider's own default is. */
  defaultDimensions: number;
  /** Sizes that the model was trained to be shortened to, rising; null where it must not be shortened. */
  matryoshka: number[] | null;
  /** Whether only the sizes of `matryoshka` are given, and none between them. */
  matryoshkaExact: boolean;
  /** Tokens of one window, special tokens included. */
  maxTokens: number;
  /**
   * About how many tokens of a file are best embedded together, for a model in which a word's part in the vector depends
   * on the words around it. Null for one that reads words alone (a table): it is given chunks.
   */
  windowTokens: number | null;
  location: "bundled" | "local" | "remote";
  /**
   * Cosine of a question and a passage that have nothing to do with each other, on average: where its scale begins. 0
   * where that has not been measured.
   */
  unrelatedCosine: number;
  /** Put in front of every text of that kind; already part of the revision. */
  queryPrefix: string;
  passagePrefix: string;
}

export interface EmbeddingProvider {
  readonly model: ModelInfo;
  /** One result per text, in order. Never more than the provider's own limits at once: it cuts into batches itself. */
  embed(texts: readonly string[], kind: EmbedKind, signal: AbortSignal): Promise<EmbedResult>;
}

export function embedFailure(reason: EmbedFailureReason, detail: string, retryAfterMs?: number): EmbedFailure {
  return retryAfterMs === undefined ? { ok: false, reason, detail } : { ok: false, reason, detail, retryAfterMs };
}
