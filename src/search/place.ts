import type { Neighbour } from "./search.ts";

/** Where in its file a passage stands, by the names that clients know; of several chunks in a row, from first to last. */
export interface Place {
  /** Code points into the file's text. */
  start_offset: number;
  end_offset: number;
  page: number | null;
  page_end: number | null;
  line: number | null;
  line_end: number | null;
}

type Bounds = Omit<Neighbour, "idx" | "text">;

export function placeOf(first: Bounds, last: Bounds = first): Place {
  return {
    start_offset: first.start_cp,
    end_offset: last.end_cp,
    page: first.page,
    page_end: last.page_end ?? last.page,
    line: first.line,
    line_end: last.line_end,
  };
}
