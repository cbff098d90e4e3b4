/** What a request wants of a language model, beside what is said in it. */
import type { KeptWish } from "../storage/responses.ts";
import { CHAT } from "./limits.ts";
import type { FileSearchTool } from "./search-tool.ts";

export interface ClientFunction {
  name: string;
  description?: string | null | undefined;
  parameters?: Record<string, unknown> | null | undefined;
  strict?: boolean | null | undefined;
}

export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | { type: "file_search" }
  | { type: "function"; name: string }
  | { type: "allowed_tools"; mode: "auto" | "required"; tools: Record<string, unknown>[] };

export type TextFormat =
  | { type: "text" }
  | { type: "json_object" }
  | {
      type: "json_schema";
      name: string;
      schema: Record<string, unknown>;
      strict?: boolean | null | undefined;
      description?: string | null | undefined;
    };

export interface ChatWish {
  /** Id of the chat model. */
  model: string;
  instructions: string | null;
  functions: readonly ClientFunction[];
  toolChoice: ToolChoice;
  parallelCalls: boolean;
  /** Searches in all. */
  maxToolCalls: number | null;
  /** Of all rounds together. */
  maxOutputTokens: number | null;
  /** Of all rounds together. */
  maxInputTokens: number | null;
  /** Null where they were not given. */
  temperature: number | null;
  topP: number | null;
  format: TextFormat;
  effort: string | null;
  truncation: "auto" | "disabled";
  /** Quoting passages can take the place of an answer. */
  canQuote: boolean;
}

/** From what a Response repeats of its request, and what it does not. */
export function wishOf(model: string, echo: Record<string, unknown>, kept: KeptWish): ChatWish {
  const { temperature, topP, canQuote, strictFunctions } = kept;
  const tools = echo["tools"] as readonly ({ type: string } & ClientFunction)[];
  const functions = tools
    .filter(({ type }) => type === "function")
    .map((one) => ({ ...one, strict: strictFunctions.includes(one.name) }));
  return {
    model,
    instructions: echo["instructions"] as string | null,
    functions,
    toolChoice: echo["tool_choice"] as ToolChoice,
    parallelCalls: echo["parallel_tool_calls"] as boolean,
    maxToolCalls: echo["max_tool_calls"] as number | null,
    maxOutputTokens: echo["max_output_tokens"] as number | null,
    maxInputTokens: null,
    temperature,
    topP,
    format: (echo["text"] as { format: TextFormat }).format,
    effort: (echo["reasoning"] as { effort: string | null }).effort,
    truncation: echo["truncation"] as ChatWish["truncation"],
    canQuote,
  };
}

/** What is left of the tools, and whether one has to be called. */
export interface Offer {
  functions: readonly ClientFunction[];
  /** Documents may be searched. */
  hasSearch: boolean;
  /** Before anything is answered. */
  isSearchForced: boolean;
  /** Given to the model's server in the first round. */
  forced: "required" | { type: "function"; function: { name: string } } | null;
}

/** Whether the model can ask for more passages; the first are found before it is asked. */
export function maySearch({ hasSearch }: Offer, { maxInputTokens: most }: ChatWish): boolean {
  return hasSearch && (most === null || most >= CHAT.searchTokens);
}

/** A search that is wanted is made before the model is asked; so the model's server is never told that it must. */
export function offerOf(wish: ChatWish, searches: readonly { tool: FileSearchTool }[]): Offer {
  const { functions, toolChoice: choice } = wish;
  const hasSearch = searches.length > 0;
  const all: Offer = { functions, hasSearch, isSearchForced: false, forced: null };
  if (choice === "none") return { functions: [], hasSearch: false, isSearchForced: false, forced: null };
  if (choice === "auto") return all;
  if (choice === "required") return hasSearch ? { ...all, isSearchForced: true } : { ...all, forced: "required" };
  if (choice.type === "file_search") return { ...all, isSearchForced: hasSearch };
  if (choice.type === "function") return { ...all, forced: { type: "function", function: { name: choice.name } } };
  const named = (type: string, name: string | null) =>
    choice.tools.some((tool) => tool["type"] === type && (name === null || tool["name"] === name));
  const allowed: Offer = {
    ...all,
    functions: functions.filter(({ name }) => named("function", name)),
    hasSearch: hasSearch && named("file_search", null),
  };
  if (choice.mode !== "required") return allowed;
  if (allowed.hasSearch) return { ...allowed, isSearchForced: true };
  return allowed.functions.length === 0 ? allowed : { ...allowed, forced: "required" };
}
