/** One term that is looked for; its weight is count * max(0, idf + add) * multiply. */
export type QueryTerm = {
  readonly hash: number;
  readonly count: number;
  readonly multiply: number;
  readonly add: number;
  /** Hash of the term that marks the chunks among which rarity is judged; 0: all chunks. */
  readonly among: number;
  /**
   * It stands in for the term with this hash, and is not missed where no chunk has it. Its weight counts by this share
   * where some chunk has that term, and by `alone` where none has.
   */
  readonly instead?: { readonly of: number; readonly share: number; readonly alone: number } | undefined;
  /** An English word that is asked for often: it tells less that no chunk has it, or only one. */
  readonly isOrdinary?: boolean | undefined;
  /** What of the question a chunk has that has this term: see coverage.ts. */
  readonly proves?: readonly { readonly unit: number; readonly part: number }[] | undefined;
};
