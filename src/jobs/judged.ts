import type { Relevant } from "../storage/judgments.ts";
import type { Grades } from "./measures.ts";

/** A search for a measurement: the one that users make, but it leaves no trace in the log and is no use of the store. */
export type MeasuredSearch = (asked: MeasuredQuery, signal: AbortSignal) => Promise<MeasuredAnswer>;

export type Mode = "hybrid" | "vector" | "keyword";

export interface MeasuredQuery {
  tenantId: string;
  storeId: string;
  /** `generation.id`; null: the one that is live. */
  generation: number | null;
  query: string;
  mode: Mode;
  results: number;
  /** Only the best chunk of each file. */
  onePerFile: boolean;
}

export interface Hit {
  file: string;
  chunk: number;
}

export type MeasuredAnswer =
  | {
      ok: true;
      /** Number of the generation that answered, within its store. */
      generation: number;
      /** Best first. */
      hits: Hit[];
      ms: { total: number; embed: number };
    }
  /** `passing`: it may work later. */
  | { ok: false; code: string; message: string; passing: boolean };

/** How hits are held against what was judged. */
export interface Yardstick {
  grades: Grades;
  onePerFile: boolean;
  /** Hits to ask for, so that `k` of them can be told apart. */
  results(k: number): number;
  /** Ids as in `grades`, best first. */
  rank(hits: readonly Hit[]): string[];
}

/** A search gives no more. */
const MOST_RESULTS = 50;

/**
 * Where files were judged, a file counts once, with its best chunk; where chunks were, each chunk is a result of its own.
 * Where both were, a judged chunk counts as itself and every other one as its file.
 */
export function yardstick(relevant: readonly Relevant[]): Yardstick {
  const grades = new Map<string, number>();
  const note = (id: string, grade: number) => grades.set(id, Math.max(grade, grades.get(id) ?? 0));
  const chunks = new Set<number>();
  let filesAreJudged = false;
  for (const { file, chunk, grade } of relevant) {
    if (chunk !== null) {
      chunks.add(chunk);
      note(chunkKey(chunk), grade);
    } else if (file !== null) {
      filesAreJudged = true;
      note(file, grade);
    }
  }
  const keyOf = (hit: Hit) => (filesAreJudged && !chunks.has(hit.chunk) ? hit.file : chunkKey(hit.chunk));
  const isMixed = filesAreJudged && chunks.size > 0;
  return {
    grades,
    onePerFile: filesAreJudged && !isMixed,
    results: (k) => (isMixed ? MOST_RESULTS : k),
    rank: (hits) => [...new Set(hits.map(keyOf))],
  };
}

/** Every chunk stands for its file: for comparing generations, whose chunks are not the same ones. */
export function byFile(relevant: readonly Relevant[]): Relevant[] {
  return relevant.map(({ file, grade }) => ({ file, chunk: null, grade }));
}

/** No file's id looks like it. */
function chunkKey(chunk: number): string {
  return `#${chunk}`;
}
