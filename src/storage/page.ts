/** Cursor paging over `seq`: stable while rows are added and removed, because a row's place never changes. */
export interface PageQuery {
  limit: number;
  order: "asc" | "desc";
  /** `seq` of the row after which (in list order) or before which the page begins; exclusive. */
  after?: number | undefined;
  before?: number | undefined;
}

/** A place in a list that is ordered by something else than time: what the row at it had there, and its `seq`. */
export interface SortPlace {
  value: string | number;
  seq: number;
}

/** As {@link PageQuery}, for such a list. Rows with the same value are in the order of their `seq`. */
export interface SortedQuery {
  limit: number;
  order: "asc" | "desc";
  after?: SortPlace | undefined;
  before?: SortPlace | undefined;
}

export interface Page<T> {
  rows: T[];
  hasMore: boolean;
}

export interface PageBounds {
  /** Exclusive bounds on the cursor column. */
  above: number;
  below: number;
  direction: "ASC" | "DESC";
  /** One row more than asked for, to know whether there is more. */
  limit: number;
}

const ANY_ABOVE = -1;
const ANY_BELOW = Number.MAX_SAFE_INTEGER;

/** With only `before`, the page is the `limit` rows nearest to the cursor; `toPage` restores list order. */
export function pageBounds(page: PageQuery): PageBounds {
  const ascending = page.order === "asc";
  const [above, below] = ascending ? [page.after, page.before] : [page.before, page.after];
  return {
    above: above ?? ANY_ABOVE,
    below: below ?? ANY_BELOW,
    direction: ascending !== isBackwards(page) ? "ASC" : "DESC",
    limit: page.limit + 1,
  };
}

export function toPage<T>(rows: T[], page: PageQuery | SortedQuery): Page<T> {
  const hasMore = rows.length > page.limit;
  const kept = hasMore ? rows.slice(0, page.limit) : rows;
  return { rows: isBackwards(page) ? kept.reverse() : kept, hasMore };
}

export function isBackwards(page: PageQuery | SortedQuery): boolean {
  return page.before !== undefined && page.after === undefined;
}
