import type { KeyId } from "./ids.ts";

/** What clients see of a search besides its query. */
export interface LoggedSearch {
  search_mode: string;
  /** As given; null for none. Of a long one the beginning of its JSON, as text. */
  filters: unknown;
  /** Of a long one: what all of its JSON is. */
  filters_cut?: { bytes: number; sha256: string | null };
  max_num_results: number;
  results: { file_id: string; chunk_id: string; score: number }[];
  latency_ms: { total: number; embed: number; vector: number; keyword: number; fetch: number };
  key_id: KeyId;
  model: string;
  /** Its number within the store. */
  generation: number;
  /** What it was made for: itself, or an answer or a run of this id. */
  source: "search" | "response" | "run";
  source_id: string | null;
}

/** Of searches that earlier versions logged. */
export const OF_ITSELF = { source: "search", source_id: null } as const;

/**
 * Searches that earlier versions logged with filters of any length: they are shown by both ends of what is kept, which
 * are read without the middle.
 */

/** Bytes of a search, without its query, up to which it is read as it is: none that is logged now has so many. */
export const LONGEST_BODY = 64 * 1024;
/** Characters of a longer one that are read from its beginning. */
export const HEAD = 4096;
/** Characters of a long filter that are shown. */
const SHOWN_FILTER = 2048;

const FILTERS = '"filters":';
/** What follows the filters. */
const REST = ',"max_num_results":';

export function cutSearch({ bytes, head, tail }: { bytes: number; head: string; tail: string }): LoggedSearch {
  const from = head.indexOf(FILTERS) + FILTERS.length;
  // What the filters themselves say stands before it.
  const rest = tail.lastIndexOf(REST);
  const { filters: _, ...others } = restOf(rest < 0 ? "" : tail.slice(rest + 1));
  const mode = /^\{"search_mode":"([a-z]{1,16})"/.exec(head)?.[1] ?? "";
  const around = Buffer.byteLength(head.slice(0, from)) + (rest < 0 ? 0 : Buffer.byteLength(tail.slice(rest)));
  return {
    ...others,
    search_mode: mode,
    filters: head.slice(from, from + SHOWN_FILTER).toWellFormed(),
    filters_cut: { bytes: bytes - around, sha256: null },
  };
}

function restOf(text: string): LoggedSearch {
  const nothing: LoggedSearch = {
    search_mode: "",
    filters: null,
    max_num_results: 0,
    results: [],
    latency_ms: { total: 0, embed: 0, vector: 0, keyword: 0, fetch: 0 },
    key_id: "",
    model: "",
    generation: 0,
    ...OF_ITSELF,
  };
  try {
    return { ...nothing, ...(JSON.parse(`{${text}`) as Partial<LoggedSearch>) };
  } catch {
    return nothing;
  }
}
