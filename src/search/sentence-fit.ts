/**
 * How well sentences fit a question, by the ranking that searches have: for the few that an answer is chosen from. They
 * are embedded as a search's question is, ahead of files that are being indexed, since somebody waits for them; their
 * terms are made at once, since a way to another thread and back takes longer than they do.
 */
import type { EmbedFailure, EmbedResult } from "../embed/provider.ts";
import { encodeTerms } from "../index/analyzer.ts";
import type { TextAsker } from "../index/text-analysis.ts";
import { embedError } from "../models/failures.ts";
import { scoresAmong } from "./bundled-ranker.ts";

export interface SentenceFitDeps {
  /** From memory where it was searched. */
  embedQuestion: (question: string, asker: TextAsker) => Promise<{ ok: true; vector: Float32Array } | EmbedFailure>;
  embedSentences: (sentences: readonly string[], asker: TextAsker) => Promise<EmbedResult>;
}

/** One in [0, 1] for each sentence, in order. What they cost is bounded by who asks: some thousand characters. */
export async function sentenceFit(
  { embedQuestion, embedSentences }: SentenceFitDeps,
  { question, sentences }: { question: string; sentences: readonly string[] },
  asker: TextAsker,
): Promise<readonly number[]> {
  const [asked, found] = await Promise.all([embedQuestion(question, asker), embedSentences(sentences, asker)]);
  if (!asked.ok) throw embedError(asked);
  if (!found.ok) throw embedError(found);
  const { vector } = asked;
  const documents = sentences.map((text, i) => ({
    terms: encodeTerms({ text, heading: [], title: "", filename: "" }),
    vectors: found.texts[i]?.vectors ?? new Float32Array(vector.length),
  }));
  return [...(await scoresAmong(documents, { query: question, vector, signal: asker.signal }))];
}
