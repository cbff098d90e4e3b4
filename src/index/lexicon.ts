/**
 * Learned weights of English words in questions: how often a word that is asked for comes back in the answer. The table
 * and how it was trained are under models/lexicon; it stands in for a list of stop words.
 */
import english from "../../models/lexicon/english.json" with { type: "json" };

/** A stem's inverse document frequency counts as max(0, idf + add) * multiply. */
export type Lexicon = ReadonlyMap<string, { readonly multiply: number; readonly add: number }>;

let loaded: Lexicon | undefined;

export function englishLexicon(): Lexicon {
  loaded ??= new Map(
    Object.entries(english as Record<string, number[]>).map(([stem, [multiply = 1, add = 0]]) => [
      stem,
      { multiply, add },
    ]),
  );
  return loaded;
}
