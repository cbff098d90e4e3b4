import { EXTRACTIVE_MODEL } from "../../answers/limits.ts";
import { LARGE_BODY, NO_BODY } from "../../http/body-limit.ts";
import { type Frame, frameStream } from "../../http/frames.ts";
import { listPage, readCursor } from "../../http/openai.ts";
import { type Call, type Operation, operation } from "../../http/operation.ts";
import { ItemList } from "./items.ts";
import type { ResponseEvent } from "./events.ts";
import { pageOf } from "./page.ts";
import { type Answered, hasEnded, modelOf, showItem, showResponse, type View } from "./present.ts";
import {
  CreateResponseBody,
  GetResponseQuery,
  InputTokens,
  ListItemsQuery,
  Response,
  ResponseDeleted,
} from "./schema.ts";
import type { ResponsesService } from "./service.ts";

const PATH = "/v1/responses";
/** When a client that polls should ask again. */
const POLL_AFTER_MS = 200;
/** Characters of a header at most that names what was ignored; the body has all of it. */
const MOST_IGNORED = 1_000;

const STORES = [
  "vector_store_not_found",
  "vector_store_expired",
  "vector_store_suspended",
  "invalid_filter",
  "embedding_model_unavailable",
  "embedding_provider_error",
  "reranker_unavailable",
  "overloaded",
] as const;
const CHAT_FAILURES = [
  "context_length_exceeded",
  "chat_model_without_tools",
  "chat_model_rejected_request",
  "chat_model_unavailable",
  "chat_model_timeout",
  "chat_model_rejected_key",
  "chat_model_not_found",
] as const;
const EXAMPLE = {
  model: EXTRACTIVE_MODEL,
  input: "How long do refunds take?",
  tools: [{ type: "file_search", vector_store_ids: ["vs_abc123"] }],
};

/** `/v1/responses` */
export function responseOperations(responses: ResponsesService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createResponse",
        summary: "Answer a question from documents",
        description:
          "With a chat model its answer, with citations of the passages that it was given; without one the best passages, quoted word for word and cited. With `stream` the answer comes as OpenAI's server-sent events; with `background` it is worked on after the answer to this request.",
        tag: "Responses",
        role: "read",
        body: CreateResponseBody,
        readsBody: true,
        bodyLimit: LARGE_BODY,
        response: Response,
        returns: "The answer",
        errors: [
          ...STORES,
          "missing_required_parameter",
          "invalid_value",
          "unsupported_parameter",
          "unsupported_value",
          "language_model_required",
          "previous_response_not_found",
          "item_not_found",
          "tool_calls_unpaired",
          "model_not_found",
          ...CHAT_FAILURES,
        ],
        examples: { body: EXAMPLE },
      },
      async (call) => {
        const begun = await responses.begin(call, call.body);
        const { view, row } = begun;
        markMode(call, row);
        call.keepOpen();
        if (row.background) {
          const queued = await responses.queue(begun);
          if (!begun.isStreamed) return shown(call, queued, view);
          return followed(responses, call, row.id, { next: 0, view });
        }
        if (!begun.isStreamed) {
          const answered = await responses.answer(begun, call.signal);
          markMode(call, answered.row);
          return shown(call, answered, view);
        }
        return eventStream((gone) => responses.stream(begun, AbortSignal.any([gone, call.signal])));
      },
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/input_tokens`,
        operationId: "countResponseInputTokens",
        summary: "Count the tokens of a request",
        description: "Instructions, tools and input. Nothing is searched.",
        tag: "Responses",
        role: "read",
        body: CreateResponseBody,
        readsBody: true,
        bodyLimit: LARGE_BODY,
        response: InputTokens,
        returns: "The number",
        errors: ["missing_required_parameter", "invalid_value", "unsupported_parameter", "unsupported_value"],
        examples: { body: EXAMPLE },
      },
      async (call) => {
        const asker = { tenant: call.caller.tenantId, signal: call.signal };
        const tokens = await responses.inputTokens(call.body, asker);
        return { object: "response.input_tokens", input_tokens: tokens };
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{response_id}`,
        operationId: "getResponse",
        summary: "Retrieve an answer",
        tag: "Responses",
        role: "read",
        query: GetResponseQuery,
        streamsWith: "stream",
        bodyLimit: NO_BODY,
        response: Response,
        returns: "The answer, or with `stream` its events",
        errors: ["response_not_found", "invalid_value"],
      },
      async (call) => {
        const id = call.params.response_id;
        const answered = await responses.get(call.caller, id);
        const { include: before } = answered.row.request;
        markMode(call, answered.row);
        const include = call.query.include ?? [];
        if (call.query.stream !== true) return shown(call, answered, { dialect: call.dialect, include });
        call.keepOpen();
        const view: View = { dialect: call.dialect, include: [...include, ...(before as View["include"])] };
        return followed(responses, call, id, { next: (call.query.starting_after ?? -1) + 1, view });
      },
    ),
    operation(
      {
        method: "DELETE",
        path: `${PATH}/{response_id}`,
        operationId: "deleteResponse",
        summary: "Delete an answer and its items",
        tag: "Responses",
        role: "read",
        bodyLimit: NO_BODY,
        response: ResponseDeleted,
        returns: "That it is gone",
        errors: ["response_not_found"],
      },
      async (call) => {
        const id = call.params.response_id;
        await responses.remove(call.caller, id);
        return { id, object: "response.deleted", deleted: true };
      },
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{response_id}/cancel`,
        operationId: "cancelResponse",
        summary: "Cancel an answer in the background",
        description: "One that has ended stays as it is.",
        tag: "Responses",
        role: "read",
        bodyLimit: NO_BODY,
        response: Response,
        returns: "The answer",
        errors: ["response_not_found", "response_not_cancellable"],
      },
      async (call) => {
        const answered = await responses.cancel(call.caller, call.params.response_id);
        markMode(call, answered.row);
        return shown(call, answered, { dialect: call.dialect, include: [] });
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{response_id}/input_items`,
        operationId: "listInputItems",
        summary: "List what an answer was asked with",
        description: "Its own input, not that of the Responses before it.",
        tag: "Responses",
        role: "read",
        query: ListItemsQuery,
        bodyLimit: NO_BODY,
        response: ItemList,
        returns: "A page of items",
        errors: ["response_not_found", "invalid_value"],
      },
      async (call) => {
        const { dialect, query } = call;
        const items = await responses.inputItems(call.caller, call.params.response_id);
        const view = { dialect, include: query.include ?? [] };
        const all = items.flatMap((item) => showItem(item, view) ?? []);
        const { data, hasMore } = pageOf(all, readCursor(query));
        return listPage(data, hasMore, dialect);
      },
    ),
  ];
}

type Asker = Pick<Call, "callerNow" | "headers" | "signal" | "stopping">;

function shown(call: Pick<Call, "headers">, answered: Answered, view: View): Response {
  if (!hasEnded(answered)) call.headers.set("openai-poll-after-ms", String(POLL_AFTER_MS));
  return showResponse(answered, view);
}

function followed(responses: ResponsesService, call: Asker, id: string, { next, view }: { next: number; view: View }) {
  const over = AbortSignal.any([call.signal, call.stopping]);
  return eventStream((gone) =>
    responses.follow(call.callerNow, id, { next, view, signal: AbortSignal.any([gone, over]) }),
  );
}

/** An answer's events as a body: made when the client takes them, ended when it leaves. */
function eventStream(events: (signal: AbortSignal) => AsyncGenerator<ResponseEvent>): globalThis.Response {
  return frameStream((gone) => framed(events(gone)));
}

async function* framed(events: AsyncGenerator<ResponseEvent>): AsyncGenerator<Frame> {
  for await (const event of events) yield { event: event.type, data: event };
}

/** For clients that cannot see the object. */
function markMode({ headers }: Pick<Call, "headers">, row: Answered["row"]): void {
  const model = modelOf(row);
  headers.set("x-lectern-answer-mode", model === EXTRACTIVE_MODEL ? "extractive" : "model");
  headers.set("x-lectern-answer-model", model);
  const named = row.request.ignored.join(",");
  if (named !== "")
    headers.set("x-lectern-ignored", named.length > MOST_IGNORED ? `${named.slice(0, MOST_IGNORED)}...` : named);
}
