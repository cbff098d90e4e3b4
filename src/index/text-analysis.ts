/**
 * What is counted and indexed of texts that come with a request, made outside the serving thread in turns with other
 * tenants (workers/text-lane.ts). The same code as an ingest's.
 */
export interface TextAnalysis {
  /** cl100k_base tokens of each text, in order. Throws an AppError where the tenant's share of the lane is full. */
  count(texts: readonly string[], asker: TextAsker): Promise<number[]>;
  /** The same, and the keyword terms of each as a chunk of a file of this name. */
  analyse(chunks: TextsToAnalyse, asker: TextAsker): Promise<TextFacts[]>;
}

export interface TextAsker {
  tenant: string;
  signal: AbortSignal;
}

export interface TextsToAnalyse {
  texts: readonly string[];
  /** Empty where nobody gave one. */
  filename: string;
}

export interface TextFacts {
  /** cl100k_base */
  tokens: number;
  codePoints: number;
  /** From `encodeTerms`. */
  terms: Uint8Array;
}
