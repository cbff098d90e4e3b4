import type { Filter } from "../index/filter.ts";
import type { Fusion, SearchMode } from "./ranking.ts";

/** What is to be searched for, and how: a search as it runs, whoever asks. */
export interface SearchRequest {
  /** What was asked. */
  asked: string[];
  /** What is searched: the same, or rewritten. */
  searched: string[];
  mode: SearchMode;
  filter: Filter | null;
  maxResults: number;
  scoreThreshold: number;
  fusion: Fusion;
  queryVector: Float32Array | null;
  contextWindow: number;
  maxChunksPerFile: number | null;
  /**
   * Whether the second stage runs: keyword scores by window, and copies that make room for what says something else.
   * Not on cosines as they are: by them nearly everything is half as good as the best.
   */
  isRescored: boolean;
  explain: boolean;
}
