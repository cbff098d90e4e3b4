/**
 * Answers a request with whatever answers here: a language model, or quotations. For requests and for the jobs that answer
 * in the background alike.
 */
import type { ChatModels } from "../chat/chat-models.ts";
import { ChatError } from "../chat/failures.ts";
import type { Clock } from "../platform/clock.ts";
import type { ErrorCode } from "../errors.ts";
import { queriesOf } from "../search/questions.ts";
import type { KeptItem } from "../storage/response-items.ts";
import type { ResponseEnd } from "../storage/responses.ts";
import type { Answering, AnswerRequest } from "./answering.ts";
import type { ChatAnswering } from "./chat-answering.ts";
import type { Plan } from "./chat-plan.ts";
import type { ChatWish } from "./chat-wish.ts";
import { EXTRACTIVE_MODEL, FALLBACK_LEAD, QUOTED_LEAD } from "./limits.ts";
import { type AnswerWriter, paragraphsOf } from "./steps.ts";

export interface RespondRequest extends AnswerRequest {
  /** Null: quotations are the answer. */
  chat: { wish: ChatWish; history: readonly KeptItem[] } | null;
}

/** A request that can be answered: nothing is wrong with it that could be told before. */
export interface Prepared {
  request: RespondRequest;
  plan: Plan | null;
}

export interface Responding {
  /** Throws everything that a client is told before an answer begins. */
  prepare(request: RespondRequest, signal: AbortSignal): Promise<Prepared>;
  /** Writes the answer. Throws what went wrong, with what was open left open. */
  respond(prepared: Prepared, writer: AnswerWriter, signal: AbortSignal): Promise<ResponseEnd>;
}

export interface RespondingDeps {
  answering: Answering;
  chatAnswering: ChatAnswering;
  models: Pick<ChatModels, "list">;
  clock: Clock;
  settings: () => { answerFallback: "none" | "extractive" };
}

/** Failures of a chat model's server: another answer can take its place. */
const SERVER: readonly ErrorCode[] = [
  "chat_model_unavailable",
  "chat_model_timeout",
  "chat_model_rejected_key",
  "chat_model_not_found",
  "rate_limit_exceeded",
];

export function createResponding(deps: RespondingDeps): Responding {
  return new ServerResponding(deps);
}

class ServerResponding implements Responding {
  readonly #deps: RespondingDeps;

  constructor(deps: RespondingDeps) {
    this.#deps = deps;
  }

  async prepare(request: RespondRequest, signal: AbortSignal): Promise<Prepared> {
    const { chat } = request;
    if (chat === null) return { request, plan: null };
    return { request, plan: await this.#deps.chatAnswering.plan({ ...request, ...chat }, signal) };
  }

  async respond({ request, plan }: Prepared, writer: AnswerWriter, signal: AbortSignal): Promise<ResponseEnd> {
    if (plan === null) {
      const lead = this.#deps.models.list().length > 0 ? { lead: QUOTED_LEAD } : {};
      return await this.#quote({ ...request, ...lead }, writer, { signal, warnings: [] });
    }
    const answered = await this.#deps.chatAnswering.answer(plan, writer, signal);
    if (!("error" in answered)) {
      const { status, reason, usage, rounds, warnings } = answered;
      const outcome = { usage, error: null, reason, warnings, rounds, cuts: writer.cuts };
      return { status, at: this.#deps.clock.nowSeconds(), outcome, output: writer.items };
    }
    const { error, found } = answered;
    if (!this.#mayQuote(error, plan, writer)) throw error;
    const warnings = [`The chat model '${plan.model.id}' could not be reached; passages are quoted instead.`];
    const again = { ...request, lead: FALLBACK_LEAD, ...(found === null ? {} : { found }) };
    return await this.#quote(again, writer, { signal, warnings });
  }

  /** One delta a paragraph, each with its citation after it. */
  async #quote(
    request: AnswerRequest,
    writer: AnswerWriter,
    { signal, warnings }: { signal: AbortSignal; warnings: string[] },
  ): Promise<ResponseEnd> {
    const { found, tools, question } = request;
    const isSearched =
      found === undefined && tools.length > 0 && queriesOf(question.text, question.previous).length > 0;
    if (isSearched) writer.search();
    const answer = await this.#deps.answering.answer(request, signal);
    if (isSearched) writer.searched(answer.queries, answer.results);
    const citations = [...answer.citations];
    writer.openMessage();
    let written = 0;
    for (const paragraph of paragraphsOf(answer.text)) {
      writer.text(paragraph);
      written += [...paragraph].length;
      for (let next = citations[0]; next !== undefined && next.index <= written; next = citations[0]) {
        writer.cite(next);
        citations.shift();
      }
    }
    const status = answer.isCut ? "incomplete" : "completed";
    writer.endMessage(status);
    const outcome = {
      usage: answer.tokens,
      error: null,
      reason: answer.isCut ? ("max_output_tokens" as const) : null,
      warnings: [...warnings, ...answer.warnings],
      model: EXTRACTIVE_MODEL,
      rounds: 0,
    };
    return { status, at: this.#deps.clock.nowSeconds(), outcome, output: writer.items };
  }

  #mayQuote(error: unknown, { request }: Plan, writer: AnswerWriter): boolean {
    if (this.#deps.settings().answerFallback !== "extractive" || !request.wish.canQuote) return false;
    if (!(error instanceof ChatError) || error.hasBegun || !SERVER.includes(error.code)) return false;
    return writer.said === null && writer.items.every(({ type }) => type === "file_search_call");
  }
}
