/** What a run of a thread gives a language model: the conversation, with what the run did so far, and its wishes. */
import type { KeptInputPart, KeptItem } from "../storage/response-items.ts";
import type { StepRow } from "../storage/run-steps.ts";
import type { KeptRunRequest } from "../storage/runs.ts";
import type { KeptMessagePart, KeptTokens } from "../storage/thread-items.ts";
import type { MessageRow } from "../storage/thread-messages.ts";
import type { Found } from "./searcher.ts";
import type { ChatWish, ClientFunction, TextFormat, ToolChoice } from "./chat-wish.ts";

/** Messages of the thread, oldest first, without those of the run; then what its steps did. */
export function historyOfRun(
  thread: readonly MessageRow[],
  { steps, messages }: { steps: readonly StepRow[]; messages: readonly MessageRow[] },
): KeptItem[] {
  const done = steps.flatMap(({ id, details }): KeptItem[] => {
    if (details.type === "message_creation") return messages.filter((one) => one.id === details.message_id).map(itemOf);
    const searches = details.tool_calls.flatMap((call): KeptItem[] =>
      call.type === "file_search"
        ? [{ id, type: "file_search_call", status: "completed", queries: call.queries, results: call.results }]
        : [],
    );
    const calls = details.tool_calls.flatMap((call) => (call.type === "function" ? [call] : []));
    return [
      ...searches,
      ...calls.map(({ id: call, name, arguments: text }): KeptItem => ({
        id,
        type: "function_call",
        status: "completed",
        call_id: call,
        name,
        arguments: text,
      })),
      ...calls.map(({ id: call, output }): KeptItem => ({
        id,
        type: "function_call_output",
        status: "completed",
        call_id: call,
        output: output ?? "",
      })),
    ];
  });
  return [...thread.map(itemOf), ...done];
}

/** What a run had found before its process was stopped, without the text of files that are gone. */
export function foundByRun(steps: readonly StepRow[]): { found?: Found } {
  for (const { details, status } of steps)
    if (details.type === "tool_calls" && status === "completed")
      for (const call of details.tool_calls)
        if (call.type === "file_search") {
          const results = call.results.filter(({ text }) => text !== "");
          return { found: { queries: call.queries, results, warnings: [] } };
        }
  return {};
}

function itemOf({ id, role, content }: MessageRow): KeptItem {
  if (role === "user")
    return { id, type: "message", status: "completed", role, content: content.map((part) => inputOf(part)) };
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const said = { type: "output_text" as const, text, annotations: [], logprobs: [] };
  return { id, type: "message", status: "completed", role, content: [said] };
}

function inputOf(part: KeptMessagePart): KeptInputPart {
  if (part.type === "text") return { type: "input_text", text: part.text };
  if (part.type === "image_url")
    return { type: "input_image", detail: part.image_url.detail, image_url: part.image_url.url };
  return { type: "input_image", detail: part.image_file.detail, file_id: part.image_file.file_id };
}

/**
 * Sampling is left to the model's server where it is OpenAI's default, for then nobody need have asked for it.
 * `spent`: by earlier rounds of the run.
 */
export function wishOfRun(
  request: KeptRunRequest,
  model: string,
  { hasSearch, spent }: { hasSearch: boolean; spent: KeptTokens },
): ChatWish {
  const { instructions, temperature, top_p: topP, reasoning_effort: effort, parallel_tool_calls } = request;
  const toolChoice = choiceOf(request.tool_choice);
  const format = formatOf(request.response_format);
  const isForced = typeof toolChoice === "object" && toolChoice.type === "function";
  return {
    model,
    instructions,
    functions: request.tools.flatMap((tool) =>
      tool["type"] === "function" ? [tool["function"] as ClientFunction] : [],
    ),
    toolChoice,
    parallelCalls: parallel_tool_calls,
    maxToolCalls: null,
    maxOutputTokens: left(request.max_completion_tokens, spent.output),
    maxInputTokens: left(request.max_prompt_tokens, spent.input),
    temperature: temperature === 1 ? null : temperature,
    topP: topP === 1 ? null : topP,
    format,
    effort,
    truncation: "auto",
    canQuote: hasSearch && toolChoice !== "none" && !isForced && format.type === "text",
  };
}

function left(most: number | null, spent: number): number | null {
  return most === null ? null : Math.max(0, most - spent);
}

function choiceOf(choice: unknown): ToolChoice {
  if (choice === "none" || choice === "required") return choice;
  const { type, function: named } = (choice ?? {}) as { type?: string; function?: { name: string } };
  if (type === "file_search") return { type };
  return type === "function" && named !== undefined ? { type, name: named.name } : "auto";
}

function formatOf(format: unknown): TextFormat {
  const { type, json_schema: schema } = (format ?? {}) as { type?: string; json_schema?: object };
  if (type === "json_schema") return { type, ...schema } as TextFormat;
  return type === "json_object" ? { type } : { type: "text" };
}
