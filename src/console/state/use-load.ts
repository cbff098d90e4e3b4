import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";

export interface Loaded<T> {
  /** The latest that was loaded; kept while it is loaded again, and while the server is away. */
  data: T | null;
  error: Error | null;
  isLoading: boolean;
  /** The data is older than it should be: the server does not answer. */
  isStale: boolean;
  reload: () => void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

interface State<T> {
  data: T | null;
  error: Error | null;
  isLoading: boolean;
}

/**
 * Loads when the page is shown, when `key` changes, and when it is told to. While the server is away it tries again with
 * growing pauses, and not before the server said. Another key begins from nothing.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<State<T> & { key: string }>({ key, data: null, error: null, isLoading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let pauseMs = FIRST_PAUSE_MS;
    const attempt = async () => {
      setState((before) => ({
        key,
        data: before.key === key ? before.data : null,
        error: before.error,
        isLoading: true,
      }));
      try {
        const data = await latest.current(over.signal);
        if (!over.signal.aborted) setState({ key, data, error: null, isLoading: false });
      } catch (thrown) {
        if (over.signal.aborted) return;
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        setState((before) => ({ ...before, error, isLoading: false }));
        if (!(error instanceof ApiError) || !error.isPassing) return;
        timer = setTimeout(() => void attempt(), Math.max(pauseMs, error.retryAfterMs));
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      }
    };
    void attempt();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const isOther = state.key !== key;
  return {
    data: isOther ? null : state.data,
    error: isOther ? null : state.error,
    isLoading: isOther || state.isLoading,
    isStale: !isOther && state.data !== null && state.error !== null,
    reload,
  };
}
