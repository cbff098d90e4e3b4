/**
 * Scores of documents for a query, whoever computes them. As with vectors, a failure is a value that the caller must look
 * at. Callers: api (searches with a reranker, /v1/rerank).
 */
import type { EmbedFailure } from "./provider.ts";

export interface RerankerInfo {
  id: string;
  /** Changes whenever the scores could: a hash of the model's files. */
  revision: string;
  /** Tokens of a query, a document and the special tokens around them, read at once. */
  maxTokens: number;
  location: "bundled" | "local";
}

export interface Reranked {
  /** In [0, 1], one for each document in order; higher is more relevant. */
  scores: Float64Array;
  /** Model tokens computed, the query's in every pair, special tokens included, padding not. */
  tokens: number;
}

export type RerankResult = ({ ok: true } & Reranked) | EmbedFailure;
