import type { Asking } from "./asking.ts";
import type { Attributes } from "./attaching/schema.ts";

/**
 * A search as `POST …/search` makes it, for features that only give what it finds another shape: they are handed the
 * service of that operation, with its rights, limits, statistics and query log.
 */
export interface PassageSearch {
  search(asking: Asking, wanted: PassageQuery, signal: AbortSignal): Promise<{ page: { data: Passage[] } }>;
}

export interface PassageQuery {
  query: string;
  max_num_results?: number;
  ranking_options?: { score_threshold?: number };
  /** As clients write filters. */
  filters?: Record<string, unknown>;
}

export interface Passage {
  file_id: string;
  filename: string;
  score: number;
  attributes: Attributes | null;
  content: { type: "text"; text: string }[];
  chunk_id?: string;
  page?: number | null;
  heading?: string[];
}

/** Results of one search at most. */
export const MOST_PASSAGES = 50;

export function textOf({ content }: Passage): string {
  return content.map(({ text }) => text).join("\n");
}
