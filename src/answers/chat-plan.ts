/** What of a conversation a language model is given: everything is known before anything is searched or asked. */
import type { ChatModel } from "../chat/chat-models.ts";
import { ChatError } from "../chat/failures.ts";
import { AppError } from "../errors.ts";
import type { TextAnalysis, TextAsker } from "../index/text-analysis.ts";
import type { KeptItem, KeptResult } from "../storage/response-items.ts";
import { type AttachedParts, type ChatMessage, conversationOf, withoutOldest } from "./chat-messages.ts";
import { type ChatWish, maySearch, type Offer, offerOf } from "./chat-wish.ts";
import { CHAT } from "./limits.ts";
import { costsOf, sumOf } from "./message-costs.ts";
import { searchFunction } from "./search-function.ts";
import { PASSAGE_RULES } from "./shown-passages.ts";
import type { Question } from "./answering.ts";
import type { SearchContext } from "./searcher.ts";

export interface ChatRequest extends SearchContext {
  question: Question;
  wish: ChatWish;
  /** The conversation, oldest first. */
  history: readonly KeptItem[];
}

export interface Plan {
  request: ChatRequest;
  model: ChatModel;
  offer: Offer;
  /** What clients say to the model as its system. */
  system: string;
  messages: ChatMessage[];
  /** Where the last turn begins. */
  turn: number;
  /** Tokens of what is no message. */
  fixedTokens: number;
  /** Tokens of passages in all, and of everything that may come beside the answer. */
  passageBudget: number;
  freeTokens: number;
  /** Of this turn something is done already. */
  goesOn: boolean;
  /** Found before, in the same turn. */
  shownBefore: KeptResult[];
  warnings: string[];
}

export interface PlanDeps {
  texts: Pick<TextAnalysis, "count">;
  attached: (asker: TextAsker) => AttachedParts;
  takesTools: (model: ChatModel) => boolean;
}

/** Not even the last turn fits into what a client allows for the prompts. */
export class PromptTooLong extends AppError {
  constructor(most: number) {
    super("context_length_exceeded", `The prompt does not fit into the ${most} tokens that are left for it.`, {
      param: "max_prompt_tokens",
    });
  }
}

/** Throws a 400 where the conversation does not fit, or the model cannot do what is asked. */
export async function planOf(
  deps: PlanDeps,
  { request, model }: { request: ChatRequest; model: ChatModel },
  asker: TextAsker,
): Promise<Plan> {
  const { wish, history } = request;
  const offer = offerOf(wish, request.tools);
  if (offer.functions.length > 0 && !deps.takesTools(model)) throw withoutTools(model);
  const { system, messages, turn, warnings } = await conversationOf(history, deps.attached(asker));
  const instructions = [wish.instructions ?? "", ...system].filter((text) => text.trim() !== "").join("\n\n");
  const tools = deps.takesTools(model) && maySearch(offer, wish) ? [searchFunction(offer.functions)] : [];
  const fixed = [instructions, offer.hasSearch ? PASSAGE_RULES : "", JSON.stringify([...offer.functions, ...tools])];
  const { fixed: fixedTokens, messages: costs } = await costsOf(deps.texts, { fixed, messages }, asker);
  const window = Math.floor(model.contextTokens * CHAT.share) - answerTokens(wish, model);
  const allowed = wish.maxInputTokens === null ? null : Math.floor(wish.maxInputTokens * CHAT.share);
  const available = Math.min(window, allowed ?? window) - fixedTokens;
  const rest = available - (costs[turn] ?? 0);
  const passageBudget = offer.hasSearch ? Math.max(0, Math.min(Math.floor(rest / 2), CHAT.passageTokens)) : 0;
  const budget = available - passageBudget;
  if (sumOf(costs) > budget && wish.truncation === "disabled") throw tooLong();
  const kept = withoutOldest(messages, costs, { turn, budget });
  if (kept === null) throw allowed !== null && allowed < window ? new PromptTooLong(allowed) : tooLong();
  if (kept.left > 0)
    warnings.push(`${kept.left} of ${messages.length} messages were left out: the oldest did not fit.`);
  return {
    request,
    model,
    offer,
    system: instructions,
    messages: kept.messages,
    turn: kept.turn,
    fixedTokens,
    passageBudget,
    freeTokens: available - sumOf(costs.slice(kept.left)),
    goesOn: isGoingOn(history.at(-1)),
    shownBefore: foundInTurn(history),
    warnings,
  };
}

export function withoutTools({ id }: ChatModel): ChatError {
  const text = `The chat model '${id}' takes no functions; ask without 'tools' of type 'function', or choose another model.`;
  return new ChatError("chat_model_without_tools", text, { param: "tools" });
}

function tooLong(): AppError {
  const text = "Your input exceeds the context window of this model. Please adjust your input and try again.";
  return new AppError("context_length_exceeded", text, { param: "input" });
}

/** Never more than half of all: a client's wish for a long answer is no reason to refuse its question. */
function answerTokens({ maxOutputTokens }: ChatWish, { contextTokens }: ChatModel): number {
  const wished = maxOutputTokens ?? Math.min(CHAT.answerTokens, contextTokens / 4);
  return Math.ceil(Math.min(wished, contextTokens / 2));
}

/** What a function gave is new, or a search after which the process was stopped: the turn is under way. */
function isGoingOn(last: KeptItem | undefined): boolean {
  return last?.type === "function_call_output" || (last?.type === "file_search_call" && last.results !== null);
}

/** Passages that were found since the last message of the user: the turn goes on. */
function foundInTurn(history: readonly KeptItem[]): KeptResult[] {
  const from = history.findLastIndex((item) => item.type === "message" && item.role === "user");
  return history
    .slice(from + 1)
    .flatMap((item) => (item.type === "file_search_call" ? (item.results ?? []) : []))
    .filter(({ text }) => text !== "");
}
