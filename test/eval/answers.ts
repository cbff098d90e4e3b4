/**
 * Answers without a language model, judged: a question put to its own documents is to be answered with a quotation from
 * one that was judged relevant, and put to documents about something else it is to be refused. Sets that have the words
 * of the answer tell whether the quotation holds them, too.
 */
import { json } from "../helpers/api.ts";
import type { TestServer } from "../helpers/server.ts";
import { WEAK } from "../../src/answers/limits.ts";
import type { Judgments } from "./measures.ts";

/** Questions of each set that are asked; spread over the set. */
const QUESTIONS = 60;

export interface AnsweredQuestion {
  /** The best passage's score: what the two bounds are compared with. */
  score: number;
  kind: Responded["kind"];
  /** The first quotation is from a relevant document; null for a question about something else. */
  isRight: boolean | null;
  /** A quotation has the words of the answer; null where they are not known. */
  hasWords: boolean | null;
}

export interface AskedStore {
  storeId: string;
  /** The document's name in the set, by the file's id. */
  documentOf: (fileId: string) => string;
}

interface Response {
  output: {
    type: string;
    results?: FoundPassage[] | null;
    content?: { text: string; annotations: { file_id: string; quote: string }[] }[];
  }[];
}

export interface FoundPassage {
  file_id: string;
  score: number;
  text: string;
}

/** What a question is told without a language model. */
export interface Responded {
  kind: "answer" | "weak" | "nothing";
  /** Best first. */
  results: FoundPassage[];
  quoted: { file_id: string; quote: string }[];
}

export interface Asked {
  text: string;
  /** null: about something else. */
  judgments: Judgments | null;
  words: readonly string[];
}

/** As many as are asked of a set. */
export function sampleOf<Question>(all: readonly Question[]): Question[] {
  const step = Math.max(1, all.length / QUESTIONS);
  return Array.from({ length: Math.min(QUESTIONS, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}

export async function respond(server: TestServer, storeId: string, text: string): Promise<Responded> {
  const { output } = await json<Response>(server, "POST", "/v1/responses", {
    model: "lectern-extractive",
    input: text,
    store: false,
    include: ["file_search_call.results"],
    tools: [{ type: "file_search", vector_store_ids: [storeId] }],
  });
  const results = output.find(({ type }) => type === "file_search_call")?.results ?? [];
  const said = output.find(({ type }) => type === "message")?.content?.[0];
  const quoted = said?.annotations ?? [];
  const isWeak = said?.text.startsWith(WEAK) === true;
  return { kind: quoted.length === 0 ? "nothing" : isWeak ? "weak" : "answer", results, quoted };
}

export async function ask(server: TestServer, store: AskedStore, asked: Asked): Promise<AnsweredQuestion> {
  const { kind, results, quoted } = await respond(server, store.storeId, asked.text);
  const [first] = quoted;
  const { judgments, words } = asked;
  return {
    score: results[0]?.score ?? 0,
    kind,
    isRight:
      judgments === null ? null : first !== undefined && (judgments.get(store.documentOf(first.file_id)) ?? 0) > 0,
    hasWords: words.length === 0 ? null : quoted.some(({ quote }) => words.some((one) => holds(quote, one))),
  };
}

/** Every set counts the same. */
export function answerFigures(sets: readonly (readonly AnsweredQuestion[])[]): Record<string, number> {
  const own = sets.map((set) => set.filter(({ isRight }) => isRight !== null));
  const foreign = sets.map((set) => set.filter(({ isRight }) => isRight === null));
  const given = own.map((set) => set.filter(({ kind }) => kind === "answer"));
  const worded = given.map((set) => set.filter(({ hasWords }) => hasWords !== null));
  return {
    "answers given to their own store": meanShare(own, ({ kind }) => kind === "answer"),
    "answers quoting the right document": meanShare(given, ({ isRight }) => isRight === true),
    "answers quoting the words of the answer": meanShare(worded, ({ hasWords }) => hasWords === true),
    "answers refused by a wrong store": meanShare(foreign, ({ kind }) => kind === "nothing"),
    "answers not given by a wrong store": meanShare(foreign, ({ kind }) => kind !== "answer"),
  };
}

function meanShare(
  sets: readonly (readonly AnsweredQuestion[])[],
  holdsFor: (one: AnsweredQuestion) => boolean,
): number {
  const shares = sets.filter((set) => set.length > 0).map((set) => set.filter(holdsFor).length / set.length);
  return shares.reduce((sum, one) => sum + one, 0) / Math.max(1, shares.length);
}

function holds(quote: string, words: string): boolean {
  return plain(quote).includes(plain(words));
}

function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/\s+/gu, " ");
}
