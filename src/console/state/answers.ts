import type { Response as Answered } from "../../api/responses/schema.ts";
import { type Api, ApiError } from "../api.ts";

type Message = Extract<Answered["output"][number], { type: "message" }>;
/** A place that an answer quotes. */
export type FileCitation = Extract<Message["content"][number], { type: "output_text" }>["annotations"][number];
type SearchCall = Extract<Answered["output"][number], { type: "file_search_call" }>;
/** A passage that was found for an answer. */
export type Found = NonNullable<SearchCall["results"]>[number];

/** A question and as much of its answer as has come. */
export interface Turn {
  question: string;
  text: string;
  citations: FileCitation[];
  searched: string[];
  found: Found[];
  responseId: string | null;
  /** `broken`: the stream ended before the answer did. */
  state: "running" | "done" | "broken" | "failed";
  error: Error | null;
}

/** What the next question is asked with. */
export interface AnswerOptions {
  /** Beside the store of the page. */
  stores: readonly string[];
  /** A chat model, or empty for the one that the server has. */
  model: string;
  /** JSON text, empty for none. */
  filter: string;
}

export interface Question {
  store: string;
  question: string;
  options: AnswerOptions;
  /** The answer before, whose thread this goes on. */
  previous: string | null;
  signal: AbortSignal;
}

interface Told {
  type?: string;
  delta?: string;
  annotation?: FileCitation;
  message?: string;
  code?: string | null;
  item?: { type?: string; queries?: string[]; results?: Found[] | null };
  response?: { id?: string; error?: { message?: string; code?: string } | null };
}

/** The answer as it grows; the last turn is done, broken or failed. */
export async function* askQuestion(api: Api, asked: Question): AsyncGenerator<Turn> {
  const { store, question, options, previous, signal } = asked;
  let turn: Turn = {
    question,
    text: "",
    citations: [],
    searched: [],
    found: [],
    responseId: previous,
    state: "running",
    error: null,
  };
  yield turn;
  const filters = options.filter === "" ? {} : { filters: JSON.parse(options.filter) as object };
  const tools = [{ type: "file_search", vector_store_ids: [store, ...options.stores], ...filters }];
  const thread = previous === null ? {} : { previous_response_id: previous };
  const model = options.model === "" ? {} : { model: options.model };
  try {
    const include = ["file_search_call.results"];
    const body = { input: question, tools, stream: true, include, ...model, ...thread };
    for await (const { data } of api.events("responses", signal, body)) {
      turn = grown(turn, data as Told);
      yield turn;
    }
    if (turn.state === "running") yield { ...turn, state: "broken" };
  } catch (thrown) {
    const isBroken = turn.text !== "" || !(thrown instanceof ApiError);
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    yield isBroken ? { ...turn, state: "broken" } : { ...turn, state: "failed", error };
  }
}

function grown(turn: Turn, told: Told): Turn {
  switch (told.type) {
    case "response.output_text.delta":
      return { ...turn, text: turn.text + (told.delta ?? "") };
    case "response.output_text.annotation.added":
      return told.annotation === undefined ? turn : { ...turn, citations: [...turn.citations, told.annotation] };
    case "response.output_item.done":
      return told.item?.type === "file_search_call" ? withSearch(turn, told.item) : turn;
    case "response.completed":
    case "response.incomplete":
      return { ...turn, state: "done", responseId: told.response?.id ?? turn.responseId };
    case "error":
      return { ...turn, state: "failed", error: failure(told) };
    case "response.failed":
      return { ...turn, state: "failed", error: turn.error ?? failure(told.response?.error ?? {}) };
    default:
      return turn;
  }
}

/** A chat model searches as often as it likes. */
function withSearch(turn: Turn, { queries = [], results }: NonNullable<Told["item"]>): Turn {
  const known = new Set(turn.found.map(({ chunk_id: id }) => id));
  const found = (results ?? []).filter(({ chunk_id: id }) => id === undefined || !known.has(id));
  return { ...turn, searched: [...turn.searched, ...queries], found: [...turn.found, ...found] };
}

/** Passages that were found and that the answer does not quote. */
export function leftOut({ found, citations }: Pick<Turn, "found" | "citations">): Found[] {
  return found.filter(({ file_id: file, start_offset: from = 0, end_offset: to = Infinity }) => {
    const isQuoted = (one: FileCitation) => one.file_id === file && isWithin(one, from, to);
    return !citations.some(isQuoted);
  });
}

/** A citation without a place is of any. */
function isWithin({ start_offset: start, end_offset: end }: FileCitation, from: number, to: number): boolean {
  return start === undefined || end === undefined || (start < to && end > from);
}

function failure({ message, code }: Pick<Told, "message" | "code">): ApiError {
  return new ApiError(message ?? "", { status: 500, code: code ?? "", requestId: "" });
}
