import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import type { Judgment } from "../../api/judgment-schema.ts";
import { type Api, allOf } from "../api.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import type { Answer } from "./judging.ts";

/** Judged queries as JSON Lines, in the form that `lectern eval` reads: files by their names. */

/** A line that is read; an answer's name is of a file: its id, path or name. */
export interface JudgedLine {
  query: string;
  relevant: ({ name: string; grade: number } | { chunk_id: string; grade: number })[];
}

const WORD = QUALITY_WORDS.quality;
const MOST_LINES = 10_000;
/** Judged queries of one request. */
const SENT_AT_ONCE = 200;
const ASKED_AT_ONCE = 4;
const MOST_UNKNOWN = 10;

/** Throws where a line is no judged query, and says which. */
export function linesOf(text: string): JudgedLine[] {
  const lines = [...text.split("\n").entries()].filter(([, line]) => line.trim() !== "");
  if (lines.length > MOST_LINES) throw new Error(WORD.tooManyLines(MOST_LINES));
  return lines.map(([i, line]) => {
    const read = lineOf(line);
    if (read === null) throw new Error(WORD.badLine(i + 1));
    return read;
  });
}

function lineOf(line: string): JudgedLine | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null;
  }
  const { query, relevant } = objectOf(json);
  if (typeof query !== "string" || query.trim() === "" || !Array.isArray(relevant) || relevant.length === 0)
    return null;
  const answers = relevant.map(answerIn);
  return answers.every((one) => one !== null) ? { query, relevant: answers } : null;
}

function answerIn(json: unknown): JudgedLine["relevant"][number] | null {
  if (typeof json === "string") return json === "" ? null : { name: json, grade: 1 };
  const { file_id: id, filename, chunk_id: chunk, grade = 1 } = objectOf(json);
  if (typeof grade !== "number" || !(grade >= 0)) return null;
  if (typeof chunk === "string") return { chunk_id: chunk, grade };
  const name = id ?? filename;
  return typeof name === "string" && name !== "" ? { name, grade } : null;
}

function objectOf(json: unknown): Record<string, unknown> {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}

/** A file by its name, one that is gone by its id, a passage by its own. */
export function lineText({ query, relevant }: Pick<Judgment, "query" | "relevant">): string {
  const answers = relevant.flatMap(({ file_id: file, filename, chunk_id: chunk, grade }): object[] => {
    if (chunk !== undefined) return [{ chunk_id: chunk, grade }];
    return filename === null ? (file === null ? [] : [{ file_id: file, grade }]) : [{ filename, grade }];
  });
  return JSON.stringify({ query, relevant: answers });
}

export interface Imported {
  queries: number;
  /** Names of files that are not in the store; the first few. */
  unknown: string[];
}

/** Adds to what is judged; answers that the store does not have are left out. */
export async function importLines(api: Api, store: string, lines: readonly JudgedLine[]): Promise<Imported> {
  const path = `vector_stores/${encodeURIComponent(store)}`;
  const names = lines.flatMap(({ relevant }) => relevant.flatMap((one) => ("name" in one ? [one.name] : [])));
  const files = await filesNamed(api, path, [...new Set(names)]);
  const unknown = new Set<string>();
  const judgments = lines.flatMap(({ query, relevant }) => {
    const answers = relevant.flatMap((one): Answer[] => {
      if ("chunk_id" in one) return [one];
      const ids = files.get(one.name) ?? [];
      if (ids.length === 0) unknown.add(one.name);
      return ids.map((id) => ({ file_id: id, grade: one.grade }));
    });
    return answers.length === 0 ? [] : [{ query, relevant: answers }];
  });
  if (judgments.length === 0) throw new Error(WORD.emptyFile);
  for (let from = 0; from < judgments.length; from += SENT_AT_ONCE) {
    const sent = judgments.slice(from, from + SENT_AT_ONCE);
    await api.send("POST", `${path}/judgments`, { merge: true, judgments: sent });
  }
  return { queries: judgments.length, unknown: [...unknown].slice(0, MOST_UNKNOWN) };
}

/** Ids of the files that are called so: by id, path or name. Several may have one name. */
async function filesNamed(api: Api, path: string, names: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const waiting = names[Symbol.iterator]();
  const work = async () => {
    for (const name of waiting) {
      if (name.startsWith("file-")) {
        const file = await api.get<VectorStoreFile>(`${path}/files/${encodeURIComponent(name)}`).catch(() => null);
        if (file !== null) {
          found.set(name, [file.id]);
          continue;
        }
      }
      const own = name.slice(name.lastIndexOf("/") + 1);
      const list = `${path}/files?limit=100&filename=${encodeURIComponent(own.slice(0, 256))}`;
      const { data } = await api.get<{ data: VectorStoreFile[] }>(list);
      const byPath = data.filter(({ attributes }) => attributes?.["path"] === name);
      const fitting = byPath.length > 0 ? byPath : data.filter(({ filename }) => filename === name);
      found.set(
        name,
        fitting.map(({ id }) => id),
      );
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work));
  return found;
}

/** Every judged query of a store, a line each. */
export async function exportLines(api: Api, store: string): Promise<string> {
  const path = `vector_stores/${encodeURIComponent(store)}/judgments?limit=100&order=asc`;
  const judgments = await allOf<Judgment>(api, path);
  return judgments.map((one) => `${lineText(one)}\n`).join("");
}
