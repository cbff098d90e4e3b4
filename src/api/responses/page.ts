import { AppError } from "../../errors.ts";
import type { Cursor } from "../../http/openai.ts";
import { shown } from "../../platform/words.ts";

/** A page of a list that is short enough to be at hand; `all` in the order of creation. */
export function pageOf<T extends { id: string }>(all: readonly T[], cursor: Cursor): { data: T[]; hasMore: boolean } {
  const { limit, order, after, before } = cursor;
  const ordered = order === "asc" ? [...all] : all.toReversed();
  const from = after === null ? 0 : placeOf(ordered, after, "after") + 1;
  const to = before === null ? ordered.length : placeOf(ordered, before, "before");
  const between = ordered.slice(from, Math.max(from, to));
  // With only `before`, the page is the one nearest to it.
  const data = before !== null && after === null ? between.slice(-limit) : between.slice(0, limit);
  return { data, hasMore: between.length > data.length };
}

function placeOf(items: readonly { id: string }[], id: string, param: "after" | "before"): number {
  const at = items.findIndex((item) => item.id === id);
  if (at >= 0) return at;
  throw new AppError("invalid_value", `Invalid '${param}': no item found with id '${shown(id)}'.`, { param });
}
