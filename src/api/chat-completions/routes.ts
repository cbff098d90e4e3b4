import { EXTRACTIVE_MODEL } from "../../answers/limits.ts";
import type { ChatClient } from "../../chat/client.ts";
import type { ChatModel, ChatModels } from "../../chat/chat-models.ts";
import { AppError } from "../../errors.ts";
import { jsonLimit } from "../../http/body-limit.ts";
import { type Operation, operation } from "../../http/operation.ts";
import { assertNone, compileValidator } from "../../http/validate.ts";
import { shown } from "../../platform/words.ts";
import { ChatCompletionBody } from "./schema.ts";

export interface CompletionDeps {
  chat: { models: Pick<ChatModels, "get" | "resolve">; client: Pick<ChatClient, "pass"> };
  settings: () => { strictModels: boolean };
}

/** A conversation with pictures in it. */
const BODY = jsonLimit(16 * 1024 * 1024, 100_000);

const validator = compileValidator(ChatCompletionBody);

/** `/v1/chat/completions`: passed on to a chat model, so that one address serves a whole application. */
export function completionOperations(deps: CompletionDeps): Operation[] {
  const modelOf = (name: string | null): ChatModel => {
    const { chat, settings } = deps;
    if (name !== null && name !== EXTRACTIVE_MODEL && settings().strictModels && chat.models.get(name) === null) {
      const text = `The model \`${shown(name)}\` does not exist or you do not have access to it.`;
      throw new AppError("model_not_found", text);
    }
    const model = name === EXTRACTIVE_MODEL ? null : chat.models.resolve(name);
    if (model !== null) return model;
    const text = "This server has no language model for chats. POST /v1/responses answers from documents without one.";
    throw new AppError("language_model_required", text, { param: "model" });
  };
  return [
    operation(
      {
        method: "POST",
        path: "/v1/chat/completions",
        operationId: "createChatCompletion",
        summary: "Pass a chat on to a chat model",
        description:
          "The body goes to the chat model that `model` names, with only that name rewritten, and its answer comes back unchanged, streamed or not. Nothing is searched, added or stored.",
        tag: "Responses",
        role: "read",
        body: ChatCompletionBody,
        readsBody: true,
        bodyLimit: BODY,
        response: { mediaType: "application/json", description: "As the chat model's server answers." },
        returns: "The chat model's answer",
        errors: [
          "language_model_required",
          "model_not_found",
          "context_length_exceeded",
          "chat_model_rejected_request",
          "chat_model_unavailable",
          "chat_model_timeout",
          "chat_model_rejected_key",
          "chat_model_not_found",
        ],
        examples: { body: { model: "gpt-4o", messages: [{ role: "user", content: "Hello" }] } },
      },
      async (call) => {
        const sent: unknown = call.body;
        assertNone(validator.read(sent).problem);
        const body = sent as Record<string, unknown>;
        const name = body["model"];
        const model = modelOf(typeof name === "string" ? name : null);
        call.headers.set("x-lectern-answer-model", model.id);
        call.keepOpen();
        return await deps.chat.client.pass(model, body, { tenant: call.caller.tenantId, signal: call.signal });
      },
    ),
  ];
}
