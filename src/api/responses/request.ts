/** From a body as clients send it to a request that is valid here, and what of it is without effect. */
import { AppError } from "../../errors.ts";
import { assertNone, compileValidator } from "../../http/validate.ts";
import { shown } from "../../platform/words.ts";
import { checkPairs } from "../attaching/input.ts";
import type { KeptWish } from "../../storage/responses.ts";
import { CreateResponseBody, type Echo, type FileSearchTool, type Include } from "./schema.ts";

export interface RequestRules {
  /** What becomes of tools that are not here. */
  unsupportedTools: "refuse" | "ignore";
}

export interface ReadRequest {
  body: CreateResponseBody;
  echo: Echo;
  include: Include[];
  /** The tools that search, with their place in the request. */
  searches: { tool: FileSearchTool; param: string }[];
  /** Paths of tools that were left out. */
  ignored: string[];
}

/** Members that would need what is not here. */
const UNSUPPORTED = ["prompt", "moderation", "context_management"];
const TOOLS: readonly unknown[] = ["file_search", "function"];
/** Tools that search documents at most: each searches up to ten stores. */
const MOST_SEARCHES = 10;
const WITHOUT_EFFECT = ["instructions", "temperature", "top_p", "max_tool_calls"] as const;

const validator = compileValidator(CreateResponseBody);

/** Throws a 400 for what is not valid. */
export function readRequest(sent: unknown, rules: RequestRules): ReadRequest {
  const { body, ignored } = validBody(sent, rules);
  const { input, metadata, tools, background, store } = body;
  if (input.length === 0) throw invalid("input", "it is empty");
  if (metadata) checkPairs(metadata, "metadata");
  if (background === true && store === false)
    throw invalid("background", "a Response that is answered in the background has to be stored");
  if (body.conversation && body.previous_response_id)
    throw invalid("conversation", "it cannot be given together with 'previous_response_id'");
  if (body.conversation && store === false)
    throw invalid("conversation", "a Response that is not stored cannot be part of one");
  checkFunctions(tools ?? []);
  const searches = (tools ?? []).flatMap((tool, i) =>
    tool.type === "file_search" ? [{ tool, param: `tools[${i}]` }] : [],
  );
  if (searches.length > MOST_SEARCHES) {
    const text = `Invalid 'tools': at most ${MOST_SEARCHES} tools of type 'file_search' are accepted, but got ${searches.length} instead.`;
    throw new AppError("array_above_max_length", text, { param: "tools" });
  }
  return {
    body,
    echo: echoOf(body),
    include: body.include ?? [],
    searches,
    ignored,
  };
}

function validBody(sent: unknown, rules: RequestRules): { body: CreateResponseBody; ignored: string[] } {
  const ignored: string[] = [];
  const prepared = isObject(sent) ? prepare(sent, rules, ignored) : sent;
  const { value, problem } = validator.read(prepared);
  assertNone(problem);
  return { body: value as CreateResponseBody, ignored };
}

/** Forms that the schema does not have, brought into its own. */
function prepare(sent: Record<string, unknown>, { unsupportedTools }: RequestRules, ignored: string[]): object {
  for (const name of UNSUPPORTED) {
    if (sent[name] === undefined || sent[name] === null) continue;
    const text = `Unsupported parameter: '${name}' is not supported by this server.`;
    throw new AppError("unsupported_parameter", text, { param: name });
  }
  const rest = Object.fromEntries(Object.entries(sent).filter(([key]) => !UNSUPPORTED.includes(key)));
  const { input, tools } = rest;
  if (Array.isArray(input)) rest["input"] = input.map(withType);
  if (Array.isArray(tools)) {
    rest["tools"] = tools.filter((tool: unknown, i) => {
      if (!isObject(tool) || typeof tool["type"] !== "string" || TOOLS.includes(tool["type"])) return true;
      const param = `tools[${i}].type`;
      if (unsupportedTools === "refuse") {
        const text = `Tool type '${shown(tool["type"])}' is not supported by this server. Supported: 'file_search', 'function'.`;
        throw new AppError("unsupported_value", text, { param });
      }
      ignored.push(`tools[${i}]`);
      return false;
    });
  }
  return rest;
}

/** A body whose list of items of this name may have items without their types. */
export function withTypes(sent: unknown, name: string): unknown {
  if (!isObject(sent) || !Array.isArray(sent[name])) return sent;
  return { ...sent, [name]: sent[name].map(withType) };
}

/** Messages come without their type, and references too. */
function withType(item: unknown): unknown {
  if (!isObject(item) || (item["type"] !== undefined && item["type"] !== null)) return item;
  if (Object.hasOwn(item, "role")) return { ...item, type: "message" };
  return Object.hasOwn(item, "id") ? { ...item, type: "item_reference" } : item;
}

function checkFunctions(tools: NonNullable<CreateResponseBody["tools"]>): void {
  const names = new Set<string>();
  for (const [i, tool] of tools.entries()) {
    if (tool.type !== "function") continue;
    if (names.has(tool.name)) throw invalid(`tools[${i}].name`, `another function is called '${tool.name}' too`);
    names.add(tool.name);
  }
}

/** Whether what has to be called is there. */
export function assertChoice({ tools, tool_choice: choice }: CreateResponseBody): void {
  if (typeof choice !== "object" || choice === null || choice.type === "allowed_tools") return;
  const isThere = (tools ?? []).some(
    (tool) =>
      tool.type === choice.type &&
      (tool.type !== "function" || choice.type !== "function" || tool.name === choice.name),
  );
  if (!isThere) throw invalid("tool_choice", "what it names is not among the tools");
}

/** Paths of members without effect; those of the input come later. */
export function ignoredIn({ body, ignored }: ReadRequest, hasModel: boolean): string[] {
  const { tools, reasoning, top_logprobs: logprobs, text } = body;
  const { effort, ...other } = reasoning ?? {};
  const isGiven = (value: unknown) => value !== undefined && value !== null;
  const hasReasoning = Object.values(hasModel ? other : { ...other, effort }).some(isGiven);
  return [
    ...ignored,
    ...(hasModel ? [] : WITHOUT_EFFECT.filter((name) => isGiven(body[name]))),
    ...(tools ?? []).flatMap(({ type }, i) => (type === "function" && !hasModel ? [`tools[${i}]`] : [])),
    ...(hasReasoning ? ["reasoning"] : []),
    ...((logprobs ?? 0) > 0 ? ["top_logprobs"] : []),
    ...((text?.verbosity ?? "medium") === "medium" ? [] : ["text.verbosity"]),
  ];
}

/** What only a language model could answer: a 400 that says what is missing and what works without; null for the rest. */
export function refusalWithoutModel({ body, searches }: ReadRequest): AppError | null {
  const { tool_choice: choice, text, tools } = body;
  const refuse = (param: string) => {
    const message =
      "This server has no language model; it answers from documents only. Give a file_search tool with vector_store_ids.";
    return new AppError("language_model_required", message, { param });
  };
  if (choice === "none" || (choice === "required" && searches.length === 0 && (tools ?? []).length > 0))
    return refuse("tool_choice");
  if (typeof choice === "object" && choice !== null) {
    const searchesDocuments =
      choice.type === "file_search" ||
      (choice.type === "allowed_tools" && choice.tools.some((tool) => tool["type"] === "file_search"));
    if (!searchesDocuments) return refuse("tool_choice");
  }
  if (searches.length === 0) return refuse("tools");
  return (text?.format?.type ?? "text") === "text" ? null : refuse("text.format");
}

/** What a language model is told beside what the Response repeats. */
export function wishIn(read: ReadRequest): KeptWish {
  const { temperature, top_p: topP, tools } = read.body;
  return {
    temperature: temperature ?? null,
    topP: topP ?? null,
    strictFunctions: (tools ?? []).flatMap((tool) =>
      tool.type === "function" && tool.strict === true ? [tool.name] : [],
    ),
    canQuote: refusalWithoutModel(read) === null,
  };
}

function echoOf(body: CreateResponseBody): Echo {
  return {
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    prompt_cache_key: body.prompt_cache_key ?? null,
    prompt_cache_retention: body.prompt_cache_retention ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    safety_identifier: body.safety_identifier ?? null,
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: { format: body.text?.format ?? { type: "text" }, verbosity: body.text?.verbosity ?? "medium" },
    tool_choice: body.tool_choice ?? "auto",
    tools: (body.tools ?? []).map((tool) =>
      tool.type === "function"
        ? {
            type: tool.type,
            name: tool.name,
            description: tool.description ?? null,
            parameters: tool.parameters ?? null,
            strict: tool.strict ?? true,
          }
        : {
            type: tool.type,
            filters: tool.filters ?? null,
            max_num_results: tool.max_num_results ?? 20,
            ranking_options: { ranker: "auto", score_threshold: 0, ...tool.ranking_options },
            vector_store_ids: tool.vector_store_ids,
          },
    ),
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? "disabled",
    user: body.user ?? null,
    metadata: body.metadata ?? {},
  };
}

export function invalid(param: string, reason: string): AppError {
  return new AppError("invalid_value", `Invalid '${param}': ${reason}.`, { param });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
