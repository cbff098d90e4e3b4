/**
 * The events of an answer, made from the answer itself: what has been sent of one that goes on is the beginning of what
 * it will have been when it has ended. So an answer can be followed, left, and taken up again at any event, and one that
 * was stored plays back the same.
 */
import { countCodePoints } from "../../platform/code-points.ts";
import type { FileSearchCall, OutputMessage } from "./items.ts";
import { type Answered, hasEnded, showResponse, type View } from "./present.ts";
import type { Response } from "./schema.ts";

export interface ResponseEvent {
  type: string;
  sequence_number: number;
  [member: string]: unknown;
}

type Unnumbered = Omit<ResponseEvent, "sequence_number"> & { type: string };

/** Every event so far. An item whose status is not one of an end is open, and the last. */
export function eventsOf(answered: Answered, view: View): ResponseEvent[] {
  return [...opening(answered, view), ...rest(answered, view)].map(({ type, ...members }, i) => ({
    type,
    sequence_number: i,
    ...members,
  }));
}

function* opening({ row }: Answered, view: View): Generator<Unnumbered> {
  const stage = (status: "queued" | "in_progress"): Response =>
    showResponse({ row: { ...row, status, completed_at: null, outcome: null }, output: [] }, view);
  yield { type: "response.created", response: stage(row.background ? "queued" : "in_progress") };
  if (row.background) yield { type: "response.queued", response: stage("queued") };
  // Whether one that was cancelled had begun is not known any more, and nothing came of it.
  if (row.status !== "queued" && row.status !== "cancelled")
    yield { type: "response.in_progress", response: stage("in_progress") };
}

function* rest(answered: Answered, view: View): Generator<Unnumbered> {
  const response = showResponse(answered, view);
  for (const [index, item] of response.output.entries())
    yield* item.type === "message" ? messageEvents(item, index) : searchEvents(item, index);
  if (!hasEnded(answered)) return;
  if (response.status === "failed") yield* failure(response, view);
  // There is no event for the end of one that was cancelled.
  else if (response.status !== "cancelled") yield { type: `response.${response.status}`, response };
}

function* failure(response: Response, view: View): Generator<Unnumbered> {
  const { code = "server_error", message = "", type = "server_error", param = null } = response.error ?? {};
  const nested = view.dialect === "openai-strict" ? {} : { error: { type, code, message, param } };
  yield { type: "error", code, message, param, ...nested };
  yield { type: "response.failed", response };
}

function* searchEvents(item: FileSearchCall, output_index: number): Generator<Unnumbered> {
  const at = { output_index, item_id: item.id };
  yield {
    type: "response.output_item.added",
    output_index,
    item: { ...item, status: "in_progress", queries: [], results: null },
  };
  yield { type: "response.file_search_call.in_progress", ...at };
  yield { type: "response.file_search_call.searching", ...at };
  if (item.status === "in_progress" || item.status === "searching") return;
  if (item.status === "completed") yield { type: "response.file_search_call.completed", ...at };
  yield { type: "response.output_item.done", output_index, item };
}

function* messageEvents(item: OutputMessage, output_index: number): Generator<Unnumbered> {
  yield { type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", content: [] } };
  for (const [content_index, part] of item.content.entries()) {
    if (part.type !== "output_text") continue;
    const at = { item_id: item.id, output_index, content_index };
    const { text, annotations, logprobs } = part;
    yield {
      type: "response.content_part.added",
      ...at,
      part: { type: part.type, annotations: [], logprobs, text: "" },
    };
    let written = 0;
    let cited = 0;
    for (const delta of paragraphsOf(text)) {
      yield { type: "response.output_text.delta", ...at, delta, logprobs };
      written += countCodePoints(delta);
      for (; cited < annotations.length && (annotations[cited]?.index ?? 0) <= written; cited++)
        yield {
          type: "response.output_text.annotation.added",
          ...at,
          annotation_index: cited,
          annotation: annotations[cited],
        };
    }
    yield { type: "response.output_text.done", ...at, text, logprobs };
    yield { type: "response.content_part.done", ...at, part };
  }
  yield { type: "response.output_item.done", output_index, item };
}

/** One delta a paragraph; joined they are the text. */
function paragraphsOf(text: string): string[] {
  return text.split(/(?=\n\n)/);
}
