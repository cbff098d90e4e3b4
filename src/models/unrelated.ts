/**
 * Where the cosines of a model begin. Models differ in this: questions and passages that have nothing to do with each
 * other are at about 0 in one space and above 0.7 in another, so that a cosine of 0.8 means much here and nothing there.
 */
import type { EmbeddedText, EmbedKind } from "../embed/provider.ts";

/** Of subjects that have nothing in common with those of the passages. */
const QUESTIONS = [
  "How long does a refund of a train ticket take?",
  "what is the boiling point of ethanol",
  "Which key do I press to save a document?",
  "who composed the opera about the barber",
  "symptoms of a vitamin deficiency in children",
  "how to remove rust from a bicycle chain",
] as const;
const PASSAGES = [
  "The parliament was dissolved in March, and elections were held seven weeks later.",
  "Sea otters wrap themselves in kelp while they sleep, so that the current does not carry them away.",
  "Beat the eggs with the sugar until pale, then fold in the sifted flour and bake for half an hour.",
  "The striker signed a contract for three seasons after passing the medical examination on Monday.",
  "A mortgage with a fixed rate protects the borrower against higher interest for the agreed term.",
  "The bridge was built of granite in 1874 and has five arches, the widest of which spans twenty metres.",
] as const;

/** A model whose unrelated texts are nearer than this has no use for the rest of its range. */
export const MOST_UNRELATED = 0.95;

/**
 * The mean cosine of each question with each passage, in [0, MOST_UNRELATED]; texts of several windows count with their first.
 * @param dimensions values of a vector; every vector is of unit length
 */
export function unrelatedCosine(
  questions: readonly EmbeddedText[],
  passages: readonly EmbeddedText[],
  dimensions: number,
): number {
  let sum = 0;
  for (const { vectors: question } of questions) {
    for (const { vectors: passage } of passages) {
      for (let d = 0; d < dimensions; d++) sum += (question[d] ?? 0) * (passage[d] ?? 0);
    }
  }
  const pairs = questions.length * passages.length;
  return pairs === 0 ? 0 : Math.min(MOST_UNRELATED, Math.max(0, sum / pairs));
}

/**
 * Embeds twelve short texts, some 200 tokens.
 * @param embed null where the model fails
 * @returns null where it did
 */
export async function measureUnrelated(
  embed: (texts: readonly string[], kind: EmbedKind) => Promise<readonly EmbeddedText[] | null>,
  dimensions: number,
): Promise<number | null> {
  const questions = await embed(QUESTIONS, "query");
  const passages = questions === null ? null : await embed(PASSAGES, "passage");
  return questions === null || passages === null ? null : unrelatedCosine(questions, passages, dimensions);
}
