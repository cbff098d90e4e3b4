import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { useConsole } from "./console.ts";
import { type Loaded, useLoad } from "./use-load.ts";

interface Page<T> {
  data: T[];
  has_more: boolean;
  last_id: string | null;
}

export interface Rows<T> {
  rows: T[];
  hasMore: boolean;
}

const PAGE = 100;

/** A cursor list, a page more each time that it is asked for. */
export function usePages<T>(path: string): { list: Loaded<Rows<T>>; more: () => void } {
  const { api } = useConsole();
  const [pages, setPages] = useState(1);
  const list = useLoad<Rows<T>>(`${path} ${pages}`, (signal) => firstPages<T>(api, path, { pages, signal }));
  return { list, more: () => setPages(pages + 1) };
}

async function firstPages<T>(
  api: Api,
  path: string,
  { pages, signal }: { pages: number; signal: AbortSignal },
): Promise<Rows<T>> {
  const rows: T[] = [];
  let after = "";
  for (let page = 0; page < pages; page++) {
    const { data, has_more: hasMore, last_id: last } = await api.get<Page<T>>(`${path}?limit=${PAGE}${after}`, signal);
    rows.push(...data);
    if (!hasMore || last === null) return { rows, hasMore: false };
    after = `&after=${encodeURIComponent(last)}`;
  }
  return { rows, hasMore: true };
}
