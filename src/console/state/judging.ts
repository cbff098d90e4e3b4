import { useCallback, useState } from "preact/hooks";
import type { Judgment, ShownRelevant } from "../../api/judgment-schema.ts";
import type { SearchResult } from "../../api/search/schema.ts";
import { announce } from "./live.ts";
import { mayWrite, useConsole } from "./console.ts";
import { useLoad } from "./use-load.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

export interface Judging {
  /** Whether the key may judge at all. */
  isAllowed: boolean;
  /** Null where nobody judged the passage, nor all of its file. */
  gradeOf(hit: SearchResult): number | null;
  /** Adds to what is judged for the query; other tabs may do the same. */
  judge(answers: readonly Answer[]): Promise<void>;
  error: Error | null;
}

/** One answer of a judged query, as it is sent. */
export type Answer = { chunk_id: string; grade: number } | { file_id: string; grade: number };

/** A hit's passage, or its file where the passage has no name. */
export function answerOf({ chunk_id: chunk, file_id: file }: SearchResult, grade: number): Answer {
  return chunk === undefined ? { file_id: file, grade } : { chunk_id: chunk, grade };
}

/** What is judged for the query that a page shows, and the way to judge more of it. */
export function useJudging(store: string, query: string): Judging {
  const known = useConsole();
  const { api } = known;
  const isAllowed = mayWrite(known);
  const path = `vector_stores/${encodeURIComponent(store)}/judgments`;
  const key = `${path} ${query}`;
  const [sent, setSent] = useState<{ key: string; judgment: Judgment } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const loaded = useLoad(key, async (signal) => {
    if (!isAllowed || query === "") return [];
    return (await api.get<{ data: Judgment[] }>(`${path}?query=${encodeURIComponent(query)}`, signal)).data;
  });
  const relevant = (sent?.key === key ? sent.judgment : loaded.data?.[0])?.relevant ?? [];
  const judge = useCallback(
    async (answers: readonly Answer[]) => {
      setError(null);
      try {
        const body = { merge: true, judgments: [{ query, relevant: answers }] };
        const { data } = await api.send<{ data: Judgment[] }>("POST", path, body);
        const [judgment] = data;
        if (judgment !== undefined) setSent({ key, judgment });
        const [answer] = answers;
        if (answers.length === 1 && answer !== undefined) announce(QUALITY_WORDS.judging.said(answer.grade));
      } catch (thrown) {
        setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
        throw thrown;
      }
    },
    [api, key],
  );
  return { isAllowed, gradeOf: (hit) => gradeIn(relevant, hit), judge, error };
}

function gradeIn(relevant: readonly ShownRelevant[], hit: SearchResult): number | null {
  const passage = relevant.find(({ chunk_id: chunk }) => chunk !== undefined && chunk === hit.chunk_id);
  const file = relevant.find(({ chunk_id: chunk, file_id: id }) => chunk === undefined && id === hit.file_id);
  return (passage ?? file)?.grade ?? null;
}
