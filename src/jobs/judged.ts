import type { MeasuredHit } from "../search/measured.ts";
import type { Relevant } from "../storage/judgments.ts";
import type { Grades } from "./measures.ts";

/** How hits are held against what was judged. */
export interface Yardstick {
  grades: Grades;
  onePerFile: boolean;
  /** Hits to ask for, so that `k` of them can be told apart. */
  results(k: number): number;
  /** Ids as in `grades`, best first. */
  rank(hits: readonly MeasuredHit[]): string[];
  /** Null where nobody judged it. */
  grade(hit: MeasuredHit): number | null;
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
  const keyOf = (hit: MeasuredHit) => (filesAreJudged && !chunks.has(hit.chunk) ? hit.file : chunkKey(hit.chunk));
  const isMixed = filesAreJudged && chunks.size > 0;
  return {
    grades,
    onePerFile: filesAreJudged && !isMixed,
    results: (k) => (isMixed ? MOST_RESULTS : k),
    rank: (hits) => [...new Set(hits.map(keyOf))],
    grade: (hit) => grades.get(keyOf(hit)) ?? null,
  };
}

/** Whether there is anything to be found. A query may have been judged by what is no answer alone. */
export function hasAnswer(relevant: readonly Relevant[]): boolean {
  return relevant.some(({ grade }) => grade > 0);
}

/** Every chunk stands for its file: for comparing generations, whose chunks are not the same ones. */
export function byFile(relevant: readonly Relevant[]): Relevant[] {
  return relevant.map(({ file, grade }) => ({ file, chunk: null, grade }));
}

/** No file's id looks like it. */
function chunkKey(chunk: number): string {
  return `#${chunk}`;
}
