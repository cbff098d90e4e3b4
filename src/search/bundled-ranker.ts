/**
 * Scores of documents by the ranking that searches have without a reranker: vectors of the bundled model and BM25, the
 * documents being all there is to the store. Index, fusion and the scale of the scores are those of a search.
 */
import { combineWindows } from "../embed/vectors.ts";
import { queryTerms } from "../index/analyzer.ts";
import type { IndexedFile } from "../index/store-index.ts";
import { StoreIndex } from "../index/store-index.ts";
import type { TextAnalysis } from "../index/text-analysis.ts";
import type { Embed } from "../models/failures.ts";
import { embedError } from "../models/failures.ts";
import type { RerankAsk } from "../models/rerankers.ts";
import { DEFAULT_FUSION, rank } from "./ranking.ts";
import { tableScale } from "./scale.ts";
import { nextTurn } from "../platform/next-turn.ts";

/** Documents put into the index between two turns of the event loop: a millisecond or two. */
const SLICE = 32;

export interface BundledRanking {
  embed: Embed;
  texts: TextAnalysis;
  /** The bundled embedding model. */
  model: string;
}

export interface BundledScores {
  /** One in [0, 1] for each document, in order; 0 where neither a word nor the vectors have anything in common. */
  scores: Float64Array;
  /** cl100k_base tokens of the documents. */
  tokens: number;
}

export async function bundledScores(
  { embed, texts, model }: BundledRanking,
  { tenant, query, documents, signal }: RerankAsk,
): Promise<BundledScores> {
  const asker = { tenant, signal };
  const [asked, found, facts] = await Promise.all([
    embed(model, [query], { ...asker, kind: "query" }),
    embed(model, documents, { ...asker, kind: "passage" }),
    texts.analyse({ texts: documents, filename: "" }, asker),
  ]);
  if (!asked.ok) throw embedError(asked);
  if (!found.ok) throw embedError(found);
  const [text] = asked.texts;
  const dimensions = text === undefined || text.windows === 0 ? 0 : text.vectors.length / text.windows;
  const vector = text === undefined ? new Float32Array(dimensions) : combineWindows(text, dimensions);
  const read = facts.map(({ terms }, i) => ({
    terms,
    vectors: found.texts[i]?.vectors ?? new Float32Array(dimensions),
  }));
  const scores = await scoresAmong(read, { query, vector, signal });
  return { scores, tokens: facts.reduce((sum, one) => sum + one.tokens, 0) };
}

/** A document's terms, from `encodeTerms`, and vectors. */
export interface ReadDocument {
  terms: Uint8Array;
  vectors: Float32Array;
}

/** Scores as above, of documents that were read. */
export async function scoresAmong(
  documents: readonly ReadDocument[],
  { query, vector, signal }: { query: string; vector: Float32Array; signal: AbortSignal },
): Promise<Float64Array> {
  const index = new StoreIndex({
    dimensions: vector.length,
    fetchVectors: (ids) => ids.map((id) => documents[id]?.vectors ?? null),
  });
  try {
    for (const [i, one] of documents.entries()) {
      if (i > 0 && i % SLICE === 0) {
        await nextTurn();
        signal.throwIfAborted();
      }
      index.addFile(fileOf(i, one));
    }
    const answer = index.search({
      // The model knows no word of the query: then nothing is near, and only keywords can answer.
      vector: vector.every((value) => value === 0) ? null : vector,
      terms: queryTerms(query),
      filter: null,
      depth: documents.length,
    });
    const scores = new Float64Array(documents.length);
    for (const one of rank(answer, "hybrid", DEFAULT_FUSION, tableScale(query))) scores[one.chunkId] = one.score;
    return scores;
  } finally {
    index.close();
  }
}

function fileOf(i: number, { terms, vectors }: ReadDocument): IndexedFile {
  const chunks = [{ chunkId: i, terms, vectors }];
  return { fileKey: i, fileId: String(i), filename: "", attributes: {}, chunks };
}
