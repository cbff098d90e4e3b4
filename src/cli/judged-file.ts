import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { UsageError, VerbFailed } from "./terminal.ts";

/** A query with its answers, as a file says it. */
export interface FileJudgment {
  query: string;
  relevant: Answer[];
}

/** `name`: a file's id, name, path or name without its ending. */
export type Answer = { name: string; grade: number } | { chunk: string; grade: number };

const Line = Type.Object({
  query: Type.String({ minLength: 1 }),
  relevant: Type.Array(
    Type.Union([
      Type.String({ minLength: 1 }),
      Type.Object({
        file_id: Type.Optional(Type.String()),
        filename: Type.Optional(Type.String()),
        chunk_id: Type.Optional(Type.String()),
        grade: Type.Optional(Type.Number({ minimum: 0 })),
      }),
    ]),
    { minItems: 1 },
  ),
});
const BeirQuery = Type.Object({ _id: Type.String(), text: Type.String({ minLength: 1 }) });

/** Where a test set in BEIR's layout has its judgments. */
const QRELS = ["qrels/test.tsv", "qrels.tsv"];

/** Reads JSON lines, or a folder in BEIR's layout. Throws `UsageError` that names the line at fault. */
export async function readJudgedFile(path: string): Promise<FileJudgment[]> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new VerbFailed(`There is no file ${JSON.stringify(path)}.`);
  const read = stat.isDirectory() ? await readBeir(path) : await readLines(path, Line, toJudgment);
  if (read.length === 0) throw new VerbFailed(`${path} holds no judged queries.`);
  return read;
}

function toJudgment({ query, relevant }: Static<typeof Line>, place: string): FileJudgment {
  return {
    query,
    relevant: relevant.map((answer): Answer => {
      if (typeof answer === "string") return { name: answer, grade: 1 };
      const { file_id: id, filename, chunk_id: chunk, grade = 1 } = answer;
      const [name, ...others] = [id, filename, chunk].filter((one) => one !== undefined);
      if (name === undefined || others.length > 0)
        throw new VerbFailed(`${place}: every answer has one of file_id, filename and chunk_id.`);
      return chunk === undefined ? { name, grade } : { chunk, grade };
    }),
  };
}

async function readBeir(folder: string): Promise<FileJudgment[]> {
  const queriesPath = join(folder, "queries.jsonl");
  const qrelsPath = QRELS.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!existsSync(queriesPath) || qrelsPath === undefined) {
    throw new UsageError(`${folder} has no queries.jsonl with qrels/test.tsv, which a test set in BEIR's layout has.`);
  }
  const answers = new Map<string, Answer[]>();
  for (const line of (await Bun.file(qrelsPath).text()).split("\n")) {
    const [query, name, score] = line.trimEnd().split("\t");
    const grade = Number(score);
    // The head of the table, and documents judged to be no answer (some sets have negative grades for them).
    if (!query || !name || !score || !(grade > 0)) continue;
    answers.set(query, [...(answers.get(query) ?? []), { name, grade }]);
  }
  const queries = await readLines(queriesPath, BeirQuery, ({ _id, text }) => ({ id: _id, text }));
  return queries.flatMap(({ id, text }) => {
    const relevant = answers.get(id);
    return relevant === undefined ? [] : [{ query: text, relevant }];
  });
}

async function readLines<S extends typeof Line | typeof BeirQuery, T>(
  path: string,
  schema: S,
  read: (line: Static<S>, place: string) => T,
): Promise<T[]> {
  const lines = (await Bun.file(path).text()).split("\n").entries();
  return [...lines].flatMap(([i, line]) => {
    if (line.trim() === "") return [];
    const place = `${path}, line ${i + 1}`;
    const parsed = parseJson(line, place);
    if (Value.Check(schema, parsed)) return [read(parsed, place)];
    const wanted = Object.keys(schema.properties).join(" and ");
    throw new VerbFailed(`${place}: expected an object with ${wanted}.`);
  });
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new VerbFailed(`${place}: this is not valid JSON.`);
  }
}

/** A store's file as its names are looked up. */
export interface NamedFile {
  id: string;
  filename: string;
  /** Attribute `path`, as `lectern ingest` sets it. */
  path: string | null;
}

/**
 * Finds a file by its id, path, name, or name without its ending, in this order. Undefined for a name that nothing has;
 * throws `UsageError` for one that several files have.
 */
export function fileFinder(files: readonly NamedFile[]): (name: string) => string | undefined {
  const kinds = [
    indexBy(files, (file) => file.id),
    indexBy(files, (file) => file.path),
    indexBy(files, (file) => file.filename),
    indexBy(files, (file) => file.filename.replace(/\.[^.]+$/, "")),
  ];
  return (name) => {
    const found = kinds.find((ids) => ids.has(name))?.get(name) ?? [];
    if (found.length > 1) {
      throw new VerbFailed(`${found.length} files of the store are named ${name}; say which by its path or id.`);
    }
    return found[0];
  };
}

function indexBy(files: readonly NamedFile[], key: (file: NamedFile) => string | null): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const file of files) {
    const name = key(file);
    if (name === null) continue;
    const known = ids.get(name);
    if (known === undefined) ids.set(name, [file.id]);
    else known.push(file.id);
  }
  return ids;
}
