import { useCallback, useRef } from "preact/hooks";
import { useConsole } from "./console.ts";
import { type Loaded, useLoad } from "./use-load.ts";

interface Page<T> {
  data: T[];
  has_more: boolean;
  last_id: string | null;
}

export interface Rows<T> extends Loaded<{ data: readonly T[]; hasMore: boolean }> {
  /** One page more. */
  loadMore: () => void;
}

/** The first pages of a cursor list, as many as were wanted. `path` has a query. */
export function useRows<T>(path: string): Rows<T> {
  const { api } = useConsole();
  const wanted = useRef({ path, pages: 1 });
  if (wanted.current.path !== path) wanted.current = { path, pages: 1 };
  const loaded = useLoad(path, async (signal) => {
    const data: T[] = [];
    let after = "";
    for (let page = 0; page < wanted.current.pages; page++) {
      const { has_more: hasMore, last_id: last, ...more } = await api.get<Page<T>>(path + after, signal);
      data.push(...more.data);
      if (!hasMore || last === null) return { data, hasMore: false };
      after = `&after=${encodeURIComponent(last)}`;
    }
    return { data, hasMore: true };
  });
  const { reload } = loaded;
  const loadMore = useCallback(() => {
    wanted.current.pages += 1;
    reload();
  }, [reload]);
  return { ...loaded, loadMore };
}
