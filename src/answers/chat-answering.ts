/**
 * Answers with a language model: searches first, or when it asks, gives it the passages, and turns the numbers that it
 * writes after statements into citations. Functions of the client are its own to run: the answer ends with their calls.
 */
import type { ChatModel, ChatModels } from "../chat/chat-models.ts";
import { ChatError } from "../chat/failures.ts";
import { AppError } from "../errors.ts";
import { shown } from "../platform/words.ts";
import { type ChatRequest, type Plan, type PlanDeps, planOf } from "./chat-plan.ts";
import { type ChatAnswered, ChatTurn, type TurnDeps } from "./chat-turn.ts";
import { CHAT, EXTRACTIVE_MODEL } from "./limits.ts";
import type { Found } from "./searcher.ts";
import type { AnswerWriter } from "./steps.ts";

export interface ChatAnsweringDeps extends TurnDeps, Pick<PlanDeps, "attached"> {
  models: Pick<ChatModels, "get">;
}

/** An answer that failed; what it had found can be used. */
export interface ChatFailed {
  error: unknown;
  found: Found | null;
}

export interface ChatAnswering {
  /** Throws everything that a client is told before an answer begins. */
  plan(request: ChatRequest, signal: AbortSignal): Promise<Plan>;
  /** Writes the answer; a failure is given, not thrown, and leaves open what was open. */
  answer(plan: Plan, writer: AnswerWriter, signal: AbortSignal): Promise<ChatAnswered | ChatFailed>;
}

/**
 * The chat model that answers where a client gives this name, or none; null where passages are quoted. Throws a 404 for a
 * name that is not known, where names are not taken for the default.
 */
export function modelFor(
  models: Pick<ChatModels, "get" | "resolve">,
  name: string | null,
  { strictModels }: { strictModels: boolean },
): ChatModel | null {
  if (name === EXTRACTIVE_MODEL) return null;
  if (name !== null && strictModels && models.get(name) === null) {
    const text = `The model \`${shown(name)}\` does not exist or you do not have access to it.`;
    throw new AppError("model_not_found", text);
  }
  return models.resolve(name);
}

export function createChatAnswering(deps: ChatAnsweringDeps): ChatAnswering {
  const takesTools = (model: ChatModel) => deps.support.has(model);
  return {
    async plan(request, signal) {
      const model = deps.models.get(request.wish.model);
      if (model === null) {
        const text = `The chat model '${shown(request.wish.model)}' is not set up on this server any more.`;
        throw new ChatError("chat_model_unavailable", text, { isFinal: true });
      }
      return await planOf({ ...deps, takesTools }, { request, model }, { tenant: request.tenantId, signal });
    },
    async answer(plan, writer, signal) {
      const limit = AbortSignal.timeout(CHAT.longestMs);
      const turn = new ChatTurn(deps, { plan, writer }, AbortSignal.any([signal, limit]));
      try {
        return await turn.run();
      } catch (error) {
        const isLate = limit.aborted && !signal.aborted;
        const late = () =>
          new ChatError("chat_model_timeout", `The chat model '${plan.model.id}' took too long.`, { hasBegun: true });
        return { error: isLate ? late() : error, found: turn.firstFound };
      }
    },
  };
}
