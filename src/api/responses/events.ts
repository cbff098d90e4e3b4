/**
 * The events of an answer, made of the steps by which it came: those of one that goes on are the beginning of those that it
 * will have had when it has ended. So an answer can be followed, left, and taken up again at any event, and one that was
 * stored plays back the same.
 */
import { type AnswerStep, stepsOf } from "../../answers/steps.ts";
import { type Answered, citationOf, hasEnded, outputItem, showResponse, type View } from "./present.ts";
import type { Response } from "./schema.ts";

export interface ResponseEvent {
  type: string;
  sequence_number: number;
  [member: string]: unknown;
}

/** Every event so far. An item whose status is not one of an end is open, and the last. */
export function eventsOf(answered: Answered, view: View): ResponseEvent[] {
  const { row, output } = answered;
  const events = new Events(row, view);
  const made = [...events.opening()];
  // Whether one that was cancelled had begun is known only by what came of it.
  if (output.length > 0 || (row.status !== "queued" && row.status !== "cancelled")) made.push(...events.begun());
  for (const step of stepsOf(output, row.outcome?.cuts ?? {})) made.push(...events.step(step));
  made.push(...events.ending(answered));
  return made;
}

/** Makes the events of one answer, in order. */
export class Events {
  readonly #row: Answered["row"];
  readonly #view: View;
  #next = 0;
  /** The item that is open, and of a message its annotations. */
  #output = 0;
  #item = "";
  #annotation = 0;
  #text: string[] = [];

  constructor(row: Answered["row"], view: View) {
    this.#row = row;
    this.#view = view;
  }

  *opening(): Generator<ResponseEvent> {
    const { background } = this.#row;
    yield this.#event("response.created", { response: this.#stage(background ? "queued" : "in_progress") });
    if (background) yield this.#event("response.queued", { response: this.#stage("queued") });
  }

  *begun(): Generator<ResponseEvent> {
    yield this.#event("response.in_progress", { response: this.#stage("in_progress") });
  }

  *step(step: AnswerStep): Generator<ResponseEvent> {
    switch (step.type) {
      case "search": {
        const item = { id: step.id, type: "file_search_call", status: "in_progress", queries: [], results: null };
        yield* this.#added(step.id, item);
        yield this.#event("response.file_search_call.in_progress", this.#searchPlace());
        yield this.#event("response.file_search_call.searching", this.#searchPlace());
        return;
      }
      case "searched":
        if (step.item.status === "completed")
          yield this.#event("response.file_search_call.completed", this.#searchPlace());
        yield* this.#done(step.item);
        return;
      case "message": {
        const item = { id: step.id, type: "message", status: "in_progress", role: "assistant", content: [] };
        yield* this.#added(step.id, item);
        const part = { type: "output_text", annotations: [], logprobs: [], text: "" };
        yield this.#event("response.content_part.added", { ...this.#textPlace(), part });
        return;
      }
      case "text":
        this.#text.push(step.delta);
        yield this.#event("response.output_text.delta", { ...this.#textPlace(), delta: step.delta, logprobs: [] });
        return;
      case "citation":
        yield this.#event("response.output_text.annotation.added", {
          ...this.#textPlace(),
          annotation_index: this.#annotation++,
          annotation: citationOf(step.citation, this.#view),
        });
        return;
      case "said": {
        const [item] = outputItem(step.item, this.#view);
        const part = item?.type === "message" ? item.content[0] : undefined;
        yield this.#event("response.output_text.done", {
          ...this.#textPlace(),
          text: this.#text.join(""),
          logprobs: [],
        });
        yield this.#event("response.content_part.done", { ...this.#textPlace(), part });
        yield* this.#done(step.item);
        return;
      }
      case "call":
        yield* this.#added(step.item.id, { ...step.item, status: "in_progress", arguments: "" });
        return;
      case "called": {
        const { name, arguments: text } = step.item;
        const at = { item_id: this.#item, output_index: this.#output };
        if (text !== "") yield this.#event("response.function_call_arguments.delta", { ...at, delta: text });
        yield this.#event("response.function_call_arguments.done", { ...at, name, arguments: text });
        yield* this.#done(step.item);
      }
    }
  }

  *ending(answered: Answered): Generator<ResponseEvent> {
    if (!hasEnded(answered)) return;
    const response = showResponse(answered, this.#view);
    if (response.status === "failed") yield* this.#failure(response);
    // There is no event for the end of one that was cancelled.
    else if (response.status !== "cancelled") yield this.#event(`response.${response.status}`, { response });
  }

  *#failure(response: Response): Generator<ResponseEvent> {
    const { code = "server_error", message = "", type = "server_error", param = null } = response.error ?? {};
    const nested = this.#view.dialect === "openai-strict" ? {} : { error: { type, code, message, param } };
    yield this.#event("error", { code, message, param, ...nested });
    yield this.#event("response.failed", { response });
  }

  *#added(id: string, item: object): Generator<ResponseEvent> {
    this.#item = id;
    this.#annotation = 0;
    this.#text = [];
    yield this.#event("response.output_item.added", { output_index: this.#output, item });
  }

  *#done(item: Parameters<typeof outputItem>[0]): Generator<ResponseEvent> {
    const [shown] = outputItem(item, this.#view);
    yield this.#event("response.output_item.done", { output_index: this.#output++, item: shown });
  }

  #searchPlace(): { output_index: number; item_id: string } {
    return { output_index: this.#output, item_id: this.#item };
  }

  #textPlace(): { item_id: string; output_index: number; content_index: number } {
    return { item_id: this.#item, output_index: this.#output, content_index: 0 };
  }

  #stage(status: "queued" | "in_progress"): Response {
    const row = { ...this.#row, status, completed_at: null, outcome: null };
    return showResponse({ row, output: [] }, this.#view);
  }

  #event(type: string, members: Record<string, unknown>): ResponseEvent {
    return { type, sequence_number: this.#next++, ...members };
  }
}
