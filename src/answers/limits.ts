/** What an answer is measured by. Scores are those of a search: the estimated probability that a passage answers. */
export const ANSWER = {
  /** From which score on a passage answers. */
  minScore: 0.2,
  /** From which score on the nearest passage is shown, as such. */
  weakScore: 0.12,
  /** Passages quoted at most. */
  passages: 3,
  /** Passages looked at for something that those before do not say. */
  candidates: 6,
  /** One quotation at most. */
  sentences: 4,
  characters: 600,
  /** Sentences of a passage whose meaning is compared, those first that share most words with the question: a model reads each. */
  comparedSentences: 4,
  /** A neighbour belongs to a quotation if it fits the question at least this much of what the best sentence does. */
  neighbourShare: 0.6,
} as const;

/** The name by which extractive answers are asked for, and by which they call their model. */
export const EXTRACTIVE_MODEL = "lectern-extractive";

export const LEAD = "No language model is set up on this server. These passages fit the question best:";
export const WEAK = "No passage answers this clearly. The nearest one is:";
export const NOTHING = "Nothing in the searched documents fits this question.";
