import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../helpers/server.ts";
import type { Judgments } from "./measures.ts";

/** A retrieval test set in BEIR's layout: corpus.jsonl, queries.jsonl, qrels.tsv. */
export interface EvalSet {
  name: string;
  documents: { id: string; title: string; text: string }[];
  queries: {
    id: string;
    text: string;
    judgments: Judgments;
    /** Of the answer, any of them; none where they are not known. */ words: string[];
  }[];
}

const ARCHIVE = join(ROOT, "../shared/data/eval-dev.tar.xz");

/** The folder of the test sets: `given`, or the archive beside the checkout unpacked into `into`; null where it is not there. */
export async function setsFolder(given: string | undefined, into: string): Promise<string | null> {
  if (given !== undefined) return given;
  if (!existsSync(ARCHIVE)) return null;
  mkdirSync(into, { recursive: true });
  await Bun.$`tar xJf ${ARCHIVE} -C ${into}`.quiet();
  const inner = join(into, "eval-dev");
  return existsSync(inner) ? inner : into;
}

/** As they are put into a server: what has no text cannot be. */
export function indexable({ documents }: EvalSet): { id: string; text: string }[] {
  return documents
    .map(({ id, title, text }) => ({ id, text: title === "" ? text : `${title}\n\n${text}` }))
    .filter(({ text }) => text.trim() !== "");
}

/** With about so many documents: all that answer a question, and others evenly taken. */
export function pooled(set: EvalSet, count: number): EvalSet {
  if (count >= set.documents.length) return set;
  const answers = new Set(
    set.queries.flatMap(({ judgments }) => [...judgments].flatMap(([id, g]) => (g > 0 ? [id] : []))),
  );
  const others = set.documents.filter(({ id }) => !answers.has(id));
  const step = others.length / Math.max(0, count - (set.documents.length - others.length));
  const kept = new Set(others.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step)));
  return { ...set, documents: set.documents.filter((one) => answers.has(one.id) || kept.has(one)) };
}

/** Of the same documents in several languages; their judgments have the same ids. */
export function isTranslated(set: string): boolean {
  return set.startsWith("xquad");
}

const QUESTIONS_ACROSS = 200;

/** About so many of a set's questions, evenly taken: in every language the same ones. */
export function sampled({ queries }: EvalSet, count = QUESTIONS_ACROSS): EvalSet["queries"] {
  const step = Math.max(1, Math.floor(queries.length / count));
  return queries.filter((_, i) => i % step === 0);
}

/** Folders below `root` that hold a test set, sorted by name. */
export function setNames(root: string): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, "corpus.jsonl")))
    .map((entry) => entry.name)
    .toSorted();
}

export async function readSet(root: string, name: string): Promise<EvalSet> {
  const lines = async <T>(file: string) =>
    (await Bun.file(join(root, name, file)).text())
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line) as T);
  const corpus = await lines<{ _id: string; title?: string; text: string }>("corpus.jsonl");
  const queries = await lines<{ _id: string; text: string }>("queries.jsonl");
  const answers = existsSync(join(root, name, "answers.jsonl"))
    ? await lines<{ _id: string; answers: string[] }>("answers.jsonl")
    : [];
  const words = new Map(answers.map((one) => [one._id, one.answers]));
  const judged = new Map<string, Map<string, number>>();
  for (const line of (await Bun.file(join(root, name, "qrels.tsv")).text()).split("\n")) {
    const [query, document, grade] = line.split("\t");
    if (query === undefined || document === undefined || !Number.isFinite(Number(grade))) continue;
    judged.set(query, (judged.get(query) ?? new Map<string, number>()).set(document, Number(grade)));
  }
  return {
    name,
    documents: corpus.map(({ _id, title, text }) => ({ id: _id, title: title ?? "", text })),
    queries: queries.flatMap(({ _id, text }) => {
      const judgments = judged.get(_id);
      return judgments === undefined ? [] : [{ id: _id, text, judgments, words: words.get(_id) ?? [] }];
    }),
  };
}

/** Documents joined into long ones, with the place of each, for finding the right chunk of a long file. */
export interface LongSet {
  name: string;
  files: { id: string; text: string }[];
  queries: {
    text: string;
    /** Places that answer it: code points into the file's text. */ spans: {
      file: string;
      start: number;
      end: number;
      grade: number;
    }[];
  }[];
}

const PASSAGES_A_FILE = 40;

/** Joins every 40 passages, in the corpus's order, into one file. */
export function joinPassages(set: EvalSet): LongSet {
  const files: LongSet["files"] = [];
  const places = new Map<string, { file: string; start: number; end: number }>();
  for (let at = 0; at < set.documents.length; at += PASSAGES_A_FILE) {
    const file = `long-${files.length}`;
    let text = "";
    let length = 0;
    for (const { id, title, text: body } of set.documents.slice(at, at + PASSAGES_A_FILE)) {
      const passage = `${title === "" ? "" : `${title}\n\n`}${body}\n\n`;
      const end = length + [...passage].length;
      places.set(id, { file, start: length, end });
      text += passage;
      length = end;
    }
    files.push({ id: file, text });
  }
  const queries = set.queries.map(({ text, judgments }) => ({
    text,
    spans: [...judgments].flatMap(([id, grade]) => {
      const place = places.get(id);
      return place === undefined || grade <= 0 ? [] : [{ ...place, grade }];
    }),
  }));
  return { name: `${set.name}-long`, files, queries: queries.filter((query) => query.spans.length > 0) };
}
