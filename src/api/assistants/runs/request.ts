/** From a request for a run to what is kept of it: the assistant's where it says nothing, and what is without effect. */
import { AppError } from "../../../errors.ts";
import type { AssistantRow } from "../../../storage/assistants.ts";
import type { KeptRunRequest } from "../../../storage/runs.ts";
import type { KeptResources } from "../../../storage/thread-items.ts";
import { checkLength, isObject } from "../body.ts";
import { fileSearchIn, keptTools, type ToolRules } from "../tools.ts";
import { MAX_CHARACTERS } from "../tools-schema.ts";
import type { CreateRunBody } from "./schema.ts";

/** What is read of both kinds of request. */
export type RunBody = Omit<CreateRunBody, "additional_messages">;

export interface RunRules extends ToolRules {
  /** The chat model that answers where this name is given; null: passages are quoted. Throws for a name that is not known. */
  chatModel: (name: string) => { id: string } | null;
}

/** Throws a 400 for a tool that can never be chosen. */
export function refuseToolChoice(sent: unknown): void {
  const choice = isObject(sent) ? sent["tool_choice"] : undefined;
  if (!isObject(choice) || choice["type"] !== "code_interpreter") return;
  const text = "Tool 'code_interpreter' is not supported by this server and cannot be chosen.";
  throw new AppError("unsupported_value", text, { param: "tool_choice" });
}

/** `own`: the run's resources, in place of the assistant's. Throws what a client is told of a request that cannot be answered. */
export function keptRequest(
  body: RunBody,
  { definition }: AssistantRow,
  { own, ...rules }: RunRules & { own: KeptResources },
): KeptRunRequest {
  checkLength(body.instructions, MAX_CHARACTERS, "instructions");
  checkLength(body.additional_instructions, MAX_CHARACTERS, "additional_instructions");
  const instructions = body.instructions ?? definition.instructions;
  const all = [instructions, body.additional_instructions].filter((text) => text != null && text !== "");
  const request = {
    model: body.model ?? definition.model,
    instructions: all.length === 0 ? instructions : all.join("\n\n"),
    tools: body.tools == null ? definition.tools : keptTools(body.tools, rules),
    tool_resources: own,
    temperature: body.temperature ?? definition.temperature,
    top_p: body.top_p ?? definition.top_p,
    reasoning_effort: body.reasoning_effort ?? definition.reasoning_effort,
    max_completion_tokens: body.max_completion_tokens ?? null,
    max_prompt_tokens: body.max_prompt_tokens ?? null,
    truncation_strategy: truncationOf(body),
    response_format: body.response_format ?? definition.response_format,
    tool_choice: body.tool_choice ?? "auto",
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    stores: (own.file_search ?? definition.tool_resources.file_search)?.vector_store_ids ?? [],
    ignored: [] as string[],
  };
  const model = rules.chatModel(request.model);
  if (model !== null) return { ...request, answers: model.id, ignored: unused(request) };
  assertAnswerable(request);
  return { ...request, ignored: withoutEffect(request, body) };
}

function truncationOf({ truncation_strategy: given }: RunBody): KeptRunRequest["truncation_strategy"] {
  const { type = "auto", last_messages: last = null } = given ?? {};
  if (type === "last_messages" && last === null) {
    const param = "truncation_strategy.last_messages";
    throw new AppError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
  }
  return { type, last_messages: type === "auto" ? null : last };
}

/** What only a language model could answer. */
function assertAnswerable({ tools, tool_choice: choice, response_format: format }: KeptRunRequest): void {
  const refuse = (param: string) => {
    const text =
      "This server has no language model; it answers from documents only. Give a file_search tool with a vector store.";
    return new AppError("language_model_required", text, { param });
  };
  const searches = fileSearchIn(tools) !== null;
  const isForced = isObject(choice) && choice["type"] === "function";
  if (choice === "none" || isForced || (choice === "required" && !searches && tools.length > 0))
    throw refuse("tool_choice");
  if (!searches) throw refuse("tools");
  if (isObject(format) && format["type"] !== "text") throw refuse("response_format");
}

function withoutEffect(request: KeptRunRequest, body: RunBody): string[] {
  const { instructions, temperature, top_p, reasoning_effort, tools, max_prompt_tokens } = request;
  const additional = body.additional_instructions ?? "";
  return [
    ...(instructions === null || instructions === "" || instructions === additional ? [] : ["instructions"]),
    ...(additional === "" ? [] : ["additional_instructions"]),
    ...(temperature === 1 ? [] : ["temperature"]),
    ...(top_p === 1 ? [] : ["top_p"]),
    ...(reasoning_effort === null ? [] : ["reasoning_effort"]),
    ...tools.flatMap(({ type }, i) => (type === "file_search" ? [] : [`tools[${i}]`])),
    ...(max_prompt_tokens === null ? [] : ["max_prompt_tokens"]),
  ];
}

/** What is without effect where a language model answers. */
function unused({ tools }: KeptRunRequest): string[] {
  return tools.flatMap(({ type }, i) => (type === "code_interpreter" ? [`tools[${i}]`] : []));
}
