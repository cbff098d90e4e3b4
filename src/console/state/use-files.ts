import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import type { FileCounts } from "../../api/store-schema.ts";
import type { Api } from "../api.ts";
import { announce } from "./live.ts";
import { followStore, type StoreNews } from "./store-events.ts";
import { WORDS } from "../words.ts";

interface Page {
  data: VectorStoreFile[];
  has_more: boolean;
  last_id: string | null;
}

export interface Files {
  rows: VectorStoreFile[];
  counts: FileCounts;
  error: Error | null;
  isLoading: boolean;
  /** Why news of the store do not come; null while they do. */
  away: Error | null;
  loadMore: () => void;
  reload: () => void;
}

const PAGE = 100;
/** Files that ended are asked for at most so often, and so many at once. */
const REST_MS = 700;
const MOST_ASKED = 50;

interface State {
  rows: VectorStoreFile[];
  hasMore: boolean;
  error: Error | null;
  isLoading: boolean;
}

const NONE: State = { rows: [], hasMore: false, error: null, isLoading: true };

/** The files of a store, page by page as they are wanted, kept up to date by its events. `query` chooses and orders them. */
export function useFiles(api: Api, store: string, query: string, known: FileCounts): Files {
  const path = `vector_stores/${encodeURIComponent(store)}/files`;
  const [state, setState] = useState<State>(NONE);
  const [counts, setCounts] = useState(known);
  const [away, setAway] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const now = useRef({ state, isBusy: false });
  now.current.state = state;

  const page = useCallback(
    (after: string | null, signal?: AbortSignal) => {
      const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
      return api.get<Page>(`${path}?limit=${PAGE}${query}${from}`, signal);
    },
    [api, path, query],
  );
  useEffect(() => {
    const over = new AbortController();
    setState((before) => ({ ...before, isLoading: true }));
    page(null, over.signal)
      .then(({ data, has_more: hasMore }) => setState({ rows: data, hasMore, error: null, isLoading: false }))
      .catch((error: unknown) => {
        if (!over.signal.aborted) setState((before) => ({ ...before, error: asError(error), isLoading: false }));
      });
    return () => over.abort();
  }, [page, turn]);

  const loadMore = useCallback(() => {
    const { rows, hasMore } = now.current.state;
    const last = rows.at(-1);
    if (!hasMore || last === undefined || now.current.isBusy) return;
    now.current.isBusy = true;
    page(last.id)
      .then(({ data, has_more }) =>
        setState((before) => ({ ...before, rows: merged(before.rows, data, "end"), hasMore: has_more })),
      )
      .catch(() => {})
      .finally(() => (now.current.isBusy = false));
  }, [page]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);

  // Another choice of files is no reason to follow anew.
  const latest = useRef(page);
  latest.current = page;
  useEffect(() => {
    const refresh = refresher(async (ids) => {
      const top = await latest.current(null);
      const inTop = new Set(top.data.map(({ id }) => id));
      const shown = new Set(now.current.state.rows.map(({ id }) => id));
      const others = [...ids].filter((id) => shown.has(id) && !inTop.has(id)).slice(0, MOST_ASKED);
      const asked = await Promise.all(others.map((id) => api.get<VectorStoreFile>(`${path}/${id}`).catch(() => null)));
      setState((before) => ({
        ...before,
        hasMore: before.hasMore || (before.rows.length === 0 && top.has_more),
        rows: merged(before.rows, [...top.data, ...asked.filter((file) => file !== null)], "start"),
      }));
    });
    const onNews = (news: StoreNews) => {
      setCounts(news.file_counts);
      setState((before) => ({ ...before, rows: before.rows.map((row) => withNews(row, news)) }));
      const shown = new Set(now.current.state.rows.map(({ id }) => id));
      const wanted = news.files.filter(({ id, status }) => status !== "in_progress" || !shown.has(id));
      if (wanted.length > 0) refresh.want(wanted.map(({ id }) => id));
      const { completed, total, failed } = news.file_counts;
      if (news.files.length > 0) announce(WORDS.uploads.announce(completed, total, failed));
    };
    const leave = followStore(api, store, { onNews, onAway: setAway });
    return () => {
      leave();
      refresh.stop();
    };
  }, [api, store]);
  return { ...state, counts, away, loadMore, reload };
}

/** Gathers ids for a moment, then asks for all of them at once. */
function refresher(ask: (ids: ReadonlySet<string>) => Promise<void>) {
  let waiting = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    want(ids: readonly string[]) {
      for (const id of ids) waiting.add(id);
      timer ??= setTimeout(() => {
        const taken = waiting;
        waiting = new Set();
        timer = undefined;
        void ask(taken).catch(() => {});
      }, REST_MS);
    },
    stop: () => clearTimeout(timer),
  };
}

function withNews(row: VectorStoreFile, { files }: StoreNews): VectorStoreFile {
  const news = files.find(({ id }) => id === row.id);
  if (news === undefined) return row;
  return { ...row, status: news.status, ...(news.progress === null ? {} : { progress: news.progress }) };
}

/** The rows with newer ones in their places; those that were not there come at the start or the end. */
function merged(rows: readonly VectorStoreFile[], newer: readonly VectorStoreFile[], where: "start" | "end") {
  const fresh = new Map(newer.map((row) => [row.id, row]));
  // Of a long list each page costs one look, and no set of it all.
  const kept = rows.map((row) => {
    const found = fresh.get(row.id);
    if (found === undefined) return row;
    fresh.delete(row.id);
    return found;
  });
  return where === "start" ? [...fresh.values(), ...kept] : [...kept, ...fresh.values()];
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
