/** What of a conversation a language model is given: everything is known before anything is searched or asked. */
import type { ChatModel } from "../chat/chat-models.ts";
import { ChatError } from "../chat/failures.ts";
import { AppError } from "../errors.ts";
import type { TextAnalysis, TextAsker } from "../index/text-analysis.ts";
import type { KeptItem, KeptResult } from "../storage/response-items.ts";
import { type AttachedParts, type ChatMessage, conversationOf, textIn, withoutOldest } from "./chat-messages.ts";
import { type ChatWish, type Offer, offerOf } from "./chat-wish.ts";
import { CHAT } from "./limits.ts";
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

/** Throws a 400 where the conversation does not fit, or the model cannot do what is asked. */
export async function planOf(
  deps: PlanDeps,
  { request, model }: { request: ChatRequest; model: ChatModel },
  asker: TextAsker,
): Promise<Plan> {
  const { wish, history, tools } = request;
  const offer = offerOf(wish, tools);
  if (offer.functions.length > 0 && !deps.takesTools(model)) throw withoutTools(model);
  const { system, messages, turn, warnings } = await conversationOf(history, deps.attached(asker));
  const instructions = [wish.instructions ?? "", ...system].filter((text) => text.trim() !== "").join("\n\n");
  const fixed = [instructions, offer.hasSearch ? PASSAGE_RULES : "", JSON.stringify(offer.functions)];
  const counts = await deps.texts.count([...fixed, ...messages.map(textIn)], asker);
  const fixedTokens = counts.slice(0, fixed.length).reduce((sum, count) => sum + count, 0);
  const costs = messages.map((message, i) => (counts[fixed.length + i] ?? 0) + CHAT.messageTokens + imagesIn(message));
  const available = Math.floor(model.contextTokens * CHAT.share) - answerTokens(wish, model) - fixedTokens;
  const rest = available - (costs[turn] ?? 0);
  const passageBudget = offer.hasSearch ? Math.max(0, Math.min(Math.floor(rest / 2), CHAT.passageTokens)) : 0;
  const budget = available - passageBudget;
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  if (total > budget && wish.truncation === "disabled") throw tooLong();
  const kept = withoutOldest(messages, costs, { turn, budget });
  if (kept === null) throw tooLong();
  if (kept.left > 0)
    warnings.push(`${kept.left} of ${messages.length} messages were left out: the oldest did not fit.`);
  const keptTokens = costs.slice(kept.left).reduce((sum, cost) => sum + cost, 0);
  return {
    request,
    model,
    offer,
    system: instructions,
    messages: kept.messages,
    turn: kept.turn,
    passageBudget,
    freeTokens: available - keptTokens,
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

function imagesIn({ content }: ChatMessage): number {
  if (!Array.isArray(content)) return 0;
  return CHAT.imageTokens * content.filter((part) => part.type === "image_url").length;
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
