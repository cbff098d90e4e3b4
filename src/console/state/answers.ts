import type { Response as Answered } from "../../api/responses/schema.ts";
import { type Api, ApiError } from "../api.ts";

type Message = Extract<Answered["output"][number], { type: "message" }>;
/** A place that an answer quotes. */
export type FileCitation = Extract<Message["content"][number], { type: "output_text" }>["annotations"][number];

/** A question and as much of its answer as has come. */
export interface Turn {
  question: string;
  text: string;
  citations: FileCitation[];
  searched: string[];
  responseId: string | null;
  /** `broken`: the stream ended before the answer did. */
  state: "running" | "done" | "broken" | "failed";
  error: Error | null;
}

export interface Question {
  store: string;
  question: string;
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
  item?: { type?: string; queries?: string[] };
  response?: { id?: string };
}

/** The answer as it grows; the last turn is done, broken or failed. */
export async function* askQuestion(api: Api, { store, question, previous, signal }: Question): AsyncGenerator<Turn> {
  let turn: Turn = {
    question,
    text: "",
    citations: [],
    searched: [],
    responseId: previous,
    state: "running",
    error: null,
  };
  yield turn;
  const tools = [{ type: "file_search", vector_store_ids: [store] }];
  const thread = previous === null ? {} : { previous_response_id: previous };
  try {
    const body = { input: question, tools, stream: true, ...thread };
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
      return told.item?.type === "file_search_call" ? { ...turn, searched: told.item.queries ?? [] } : turn;
    case "response.completed":
    case "response.incomplete":
      return { ...turn, state: "done", responseId: told.response?.id ?? turn.responseId };
    case "error":
      return { ...turn, state: "failed", error: failure(told) };
    case "response.failed":
      return { ...turn, state: "failed" };
    default:
      return turn;
  }
}

function failure({ message, code }: Told): ApiError {
  return new ApiError(message ?? "", { status: 500, code: code ?? "", requestId: "" });
}
