/**
 * Scores of documents by the ranking that searches have without a reranker: vectors of the bundled model and BM25, the
 * documents being all there is to the store. Index, fusion and the scale of the scores are those of a search.
 */
import { combineWindows } from "../embed/vectors.ts";
import { encodeTerms, queryTerms } from "../index/analyzer.ts";
import type { IndexedFile } from "../index/store-index.ts";
import { StoreIndex } from "../index/store-index.ts";
import type { Embed } from "../models/failures.ts";
import { embedError } from "../models/failures.ts";
import { forEnglishModel, rank, RANKING } from "./ranking.ts";

/** Characters analysed between two turns of the event loop: a few milliseconds of work. */
const SLICE_CHARACTERS = 32 * 1024;

export interface BundledRanking {
  embed: Embed;
  /** The bundled embedding model. */
  model: string;
}

/** One score in [0, 1] for each document, in order; 0 where neither a word nor the vectors have anything in common. */
export async function bundledScores(
  { embed, model }: BundledRanking,
  query: string,
  documents: readonly string[],
  signal: AbortSignal,
): Promise<Float64Array> {
  const [asked, found] = await Promise.all([
    embed(model, [query], "query", signal),
    embed(model, documents, "passage", signal),
  ]);
  if (!asked.ok) throw embedError(asked);
  if (!found.ok) throw embedError(found);
  const [text] = asked.texts;
  const dimensions = text === undefined || text.windows === 0 ? 0 : text.vectors.length / text.windows;
  const vector = text === undefined ? new Float32Array(dimensions) : combineWindows(text, dimensions);

  const index = new StoreIndex({
    dimensions,
    fetchVectors: (ids) => ids.map((id) => found.texts[id]?.vectors ?? null),
  });
  try {
    let characters = 0;
    for (const [i, document] of documents.entries()) {
      characters += document.length;
      if (characters > SLICE_CHARACTERS) {
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        characters = 0;
      }
      index.addFile(fileOf(i, document, found.texts[i]?.vectors ?? new Float32Array(dimensions)));
    }
    const answer = index.search({
      // The model knows no word of the query: then nothing is near, and only keywords can answer.
      vector: vector.every((value) => value === 0) ? null : vector,
      terms: queryTerms(query),
      filter: null,
      depth: documents.length,
    });
    const fusion = forEnglishModel({ type: "convex", vectorWeight: RANKING.vectorWeight }, query);
    const scores = new Float64Array(documents.length);
    for (const one of rank(answer, "hybrid", fusion)) scores[one.chunkId] = one.score;
    return scores;
  } finally {
    index.close();
  }
}

function fileOf(i: number, text: string, vectors: Float32Array): IndexedFile {
  const terms = encodeTerms({ text, heading: [], title: "" });
  const chunks = [{ chunkId: i, terms, vectors }];
  return { fileKey: i, fileId: String(i), filename: "", attributes: {}, chunks };
}
