import { type Api, ApiError } from "../api.ts";
import type { FileCounts } from "../../api/store-schema.ts";
import type { FileStatus, Progress } from "../../api/attaching/schema.ts";

export interface FileNews {
  id: string;
  status: FileStatus;
  progress: Progress | null;
}

export interface StoreNews {
  file_counts: FileCounts;
  files: FileNews[];
  chunks_per_second: number;
  eta_seconds: number | null;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Tells what happens in a store until it is left; a stream that breaks is opened again, and `onAway` hears why it is not
 * open, null once it is.
 */
export function followStore(
  api: Api,
  storeId: string,
  listener: { onNews: (news: StoreNews) => void; onAway: (why: Error | null) => void },
): () => void {
  const over = new AbortController();
  void (async () => {
    let pauseMs = FIRST_PAUSE_MS;
    while (!over.signal.aborted) {
      let why: Error = new ApiError("", { status: 0, code: "unreachable", requestId: "" });
      try {
        const path = `vector_stores/${encodeURIComponent(storeId)}/events?follow=true`;
        for await (const { event, data } of api.events(path, over.signal)) {
          if (over.signal.aborted) return;
          pauseMs = FIRST_PAUSE_MS;
          listener.onAway(null);
          if (event === "progress") listener.onNews(data as StoreNews);
        }
      } catch (error) {
        if (over.signal.aborted) return;
        if (error instanceof Error) why = error;
      }
      listener.onAway(why);
      await pause(Math.max(pauseMs, why instanceof ApiError ? why.retryAfterMs : 0), over.signal);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  })();
  return () => over.abort();
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
