/**
 * What ranking and scores know of an embedding model: where its cosines begin, how much of a say they have beside keywords,
 * and what a score means. There are two kinds: the bundled table of words, and models that read.
 */
import { FEW_CHUNKS } from "../index/share-found.ts";
import { isMostlyLatin, languageOf } from "../index/language.ts";

/** Of the table of words; measured on the development sets. */
export const TABLE = {
  /** Share of vectors in the combination; keywords have the rest. */
  vectorWeight: 0.4,
  /**
   * The same for a question in another language. In another script the table knows the names and numbers only, which
   * helps; in Latin letters it takes foreign words for English ones.
   */
  foreignVectorWeight: { latin: 0, other: 0.05 },
  /**
   * The same for a passage put as a question: its vector is vague, while many of its words are in what is about the same.
   * In between, the share falls with the number of words.
   */
  passageVectorWeight: 0.2,
  questionWords: 100,
  passageWords: 200,
} as const;

export interface Scale {
  /** Cosines of unrelated texts, see ModelInfo. */
  unrelatedCosine: number;
  /**
   * Share of vectors in the combination where nobody chose one; keywords have the rest.
   * @param found how much of what was asked the best result has: its keyword score as a share of what all words could give
   */
  vectorWeight(found: number): number;
  calibration: Calibration;
}

/** Log odds of relevance: factors of the combination, of the share of the question that was found, of the best cosine. */
export interface Factors {
  fused: number;
  found: number;
  cosine: number;
  constant: number;
  /** Where hardly a word of the question was found, as in another language: see {@link LITTLE_FOUND}. */
  foreign: number;
}

/** From this share of the question that was found down to none, a question is more and more one of another language. */
export const LITTLE_FOUND = 0.15;

/** Chunks of a store: with fewer than `from` the odds are corrected, with `whole` and fewer by the whole correction. */
export const SMALL = { from: FEW_CHUNKS, whole: 10 } as const;

/**
 * What is added to the log odds in a store of few chunks: factors of the share of the question that was found by rarities as
 * in a larger store, and of the share of the vectors, which is larger there than it would be, since less seems to be found.
 */
export interface SmallFactors {
  found: number;
  share: number;
  constant: number;
}

export interface Calibration {
  /** With vectors at this share or more; at a share in between, so are the factors between these and keywords alone. */
  hybrid: Factors & { share: number };
  /** Where no chunk has a word of the question. */
  vector: Pick<Factors, "cosine" | "constant">;
  /** Null: a small store's odds are those of any. */
  small: SmallFactors | null;
}

const TABLE_CALIBRATION: Calibration = {
  hybrid: { fused: 8.1, found: 1.3, cosine: 1.5, constant: -8.2, foreign: 0, share: TABLE.vectorWeight },
  vector: { cosine: 8.1, constant: -4.5 },
  small: null,
};

/** Of a search without vectors. */
export const KEYWORD_FACTORS: Factors = { fused: 7, found: 3.5, cosine: 0, constant: -8.5, foreign: 0 };

/** The table's, for a question that says nothing of its own: see {@link tableScale}. */
export const TABLE_SCALE: Scale = {
  unrelatedCosine: 0,
  vectorWeight: () => TABLE.vectorWeight,
  calibration: TABLE_CALIBRATION,
};

/** Characters of a question that tell its language, and that it is a passage. */
const SAMPLE = 4_000;

/** The bundled table of words: it knows English, and less of a whole passage than its words say. */
export function tableScale(query: string): Scale {
  return { ...TABLE_SCALE, vectorWeight: () => tableWeight(query) };
}

function tableWeight(query: string): number {
  const { foreignVectorWeight: foreign, vectorWeight, passageVectorWeight, questionWords, passageWords } = TABLE;
  const start = query.slice(0, SAMPLE);
  const isLatin = isMostlyLatin(start);
  if (!isLatin || !languageOf(start).isEnglish) return isLatin ? foreign.latin : foreign.other;
  const length = Math.min(1, Math.max(0, (wordsOf(start) - questionWords) / (passageWords - questionWords)));
  return vectorWeight + (passageVectorWeight - vectorWeight) * length;
}

function wordsOf(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/**
 * A model that reads: its share follows the length of the question and what was found. Log odds, learned on the development
 * sets and on questions in one language put to documents in another, each set left out in turn.
 */
const READER = { constant: 4, words: -0.6, found: -3.5, fewestWords: 4, mostWords: 100 } as const;

/**
 * `small` was learned on sets cut to 5, 20 and 100 documents, on files of forty documents, alone and by threes, and on
 * questions to files of docs/, alone, by threes and by tens, each set left out in turn; the model's card has the figures.
 */
const READER_CALIBRATION: Calibration = {
  hybrid: { fused: 21.7, found: 1.5, cosine: -9.8, constant: -7.6, foreign: 3.2, share: 0.4 },
  vector: { cosine: 16.4, constant: -6.4 },
  small: { found: 10.1, share: 24.6, constant: -23.2 },
};

/** Any model but the table. */
export function readerScale(query: string, unrelatedCosine: number): Scale {
  const { fewestWords, mostWords } = READER;
  const words = Math.log(Math.min(mostWords, Math.max(fewestWords, wordsOf(query.slice(0, SAMPLE)))));
  return {
    unrelatedCosine,
    vectorWeight: (found) => 1 / (1 + Math.exp(-(READER.constant + READER.words * words + READER.found * found))),
    calibration: READER_CALIBRATION,
  };
}
