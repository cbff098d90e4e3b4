import { useCallback, useRef } from "preact/hooks";
import { firstPages } from "../api.ts";
import { useConsole } from "./console.ts";
import { type Loaded, useLoad } from "./use-load.ts";

export interface Rows<T> extends Loaded<{ data: readonly T[]; hasMore: boolean }> {
  /** One page more. */
  loadMore: () => void;
}

/** The first pages of a cursor list, as many as were wanted. `path` has a query. */
export function useRows<T>(path: string): Rows<T> {
  const { api } = useConsole();
  const wanted = useRef({ path, pages: 1 });
  if (wanted.current.path !== path) wanted.current = { path, pages: 1 };
  const loaded = useLoad(path, (signal) => firstPages<T>(api, path, { pages: wanted.current.pages, signal }));
  const { reload } = loaded;
  const loadMore = useCallback(() => {
    wanted.current.pages += 1;
    reload();
  }, [reload]);
  return { ...loaded, loadMore };
}
