import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Migration } from "../../api/migrations/schema.ts";
import type { Api } from "../api.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { announce } from "./live.ts";
import { type Loaded, useLoad } from "./use-load.ts";

export type Verb = "cancel" | "promote" | "rollback";

export interface Migrations {
  /** The newest first. */
  list: Loaded<Migration[]>;
  /** The one that has not ended. */
  current: Migration | null;
  /** What was asked of which, until it is done. */
  asked: Asked | null;
  ask: (id: string, verb: Verb) => Promise<void>;
}

interface Asked {
  id: string;
  verb: Verb;
  /** What it was when that was asked. */
  status: Migration["status"];
}

const SHOWN = 50;
const REST_MS = 1000;
/** While it waits for a decision, which may be made elsewhere. */
const WAITING_REST_MS = 5000;
const ENDED: ReadonlySet<Migration["status"]> = new Set(["completed", "rolled_back", "cancelled", "failed"]);

/** The migrations of a store, looked at again while one gets on; `onChange` when the store has another index. */
export function useMigrations(api: Api, store: string, onChange: () => void): Migrations {
  const path = `vector_stores/${encodeURIComponent(store)}/migrations`;
  const list = useLoad(path, async (signal) => {
    return (await api.get<{ data: Migration[] }>(`${path}?limit=${SHOWN}`, signal)).data;
  });
  const [asked, setAsked] = useState<Asked | null>(null);
  const current = list.data?.find(({ status }) => !ENDED.has(status)) ?? null;
  const isDone = asked !== null && list.data?.find(({ id }) => id === asked.id)?.status !== asked.status;
  const waitsMs = current?.status === "ready" ? WAITING_REST_MS : REST_MS;
  const rest = asked !== null ? REST_MS : current === null ? null : waitsMs;
  useEffect(() => {
    if (rest === null || list.isLoading) return;
    const timer = setTimeout(list.reload, rest);
    return () => clearTimeout(timer);
  }, [rest, list.isLoading]);
  useEffect(() => {
    if (isDone) setAsked(null);
  }, [isDone]);
  // The ends say which index is live.
  const ends = (list.data ?? []).map(({ id, status }) => `${id} ${ENDED.has(status) ? status : ""}`).join();
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (list.data === null) return;
    if (before.current !== null && before.current !== ends) onChange();
    before.current = ends;
  }, [ends, list.data === null]);
  useNews(current);
  const ask = useCallback(
    async (id: string, verb: Verb) => {
      const status = list.data?.find((one) => one.id === id)?.status;
      await api.send("POST", `${path}/${encodeURIComponent(id)}/${verb}`);
      if (status !== undefined) setAsked({ id, verb, status });
      list.reload();
    },
    [api, path, list.data],
  );
  return { list, current, asked, ask };
}

/** Says aloud how it gets on. */
function useNews(current: Migration | null): void {
  const words = MODEL_WORDS.progress;
  const { chunks_done: done, chunks_total: total } = current?.progress ?? { chunks_done: 0, chunks_total: 0 };
  const news =
    current === null
      ? ""
      : `${words.statuses[current.status]}${current.status === "building" ? `, ${words.done(done, total)}` : ""}`;
  useEffect(() => {
    if (news !== "") announce(news);
  }, [news]);
}
