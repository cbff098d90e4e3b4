/** What an answer is measured by. Scores are those of a search: the estimated probability that a passage answers. */
export const ANSWER = {
  /**
   * From which score on a passage answers, and the nearest one is shown as such: learned for the table of words, and for
   * models that read, on questions put to their own documents and to others.
   */
  tableBounds: { minScore: 0.2, weakScore: 0.12 },
  readerBounds: { minScore: 0.45, weakScore: 0.36 },
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
/** Where there is a language model, but quotations were asked for. */
export const QUOTED_LEAD = "Quoted from the documents, without a language model:";
/** Where the language model failed. */
export const FALLBACK_LEAD = "The language model could not be reached. These passages fit the question best:";

/** What a language model is given, and how often. */
export const CHAT = {
  /** Searches that follow one another at most; then it has to answer. */
  searchRounds: 4,
  /** Queries of one search at most. */
  queries: 5,
  /** Tokens of passages at most. */
  passageTokens: 16_000,
  /** Where prompts are bounded to fewer tokens, a model is not offered to search: what it would cost goes to passages. */
  searchTokens: 2_048,
  /** Tokens kept for the answer where its length is not given; never more than a quarter of all. */
  answerTokens: 1_024,
  /** Share of its tokens that is planned with: its server counts otherwise. */
  share: 0.9,
  /** Tokens of a message beside its text, and of a picture. */
  messageTokens: 6,
  imageTokens: 1_000,
  /** All that an answer may take. */
  longestMs: 600_000,
} as const;
