import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, nullable, oneOf, unixSeconds } from "../../http/openai.ts";
import { MAX_PAIRS, MAX_TEXT } from "../attaching/schema.ts";
import { RankingOptions } from "../ranking-options.ts";
import { GivenItem, OutputItem } from "./items.ts";
import { LecternNote } from "../lectern-note.ts";

/** What else of the output can be asked for; the first has an effect. */
const INCLUDES = [
  "file_search_call.results",
  "web_search_call.results",
  "web_search_call.action.sources",
  "message.input_image.image_url",
  "computer_call_output.output.image_url",
  "code_interpreter_call.outputs",
  "reasoning.encrypted_content",
  "message.output_text.logprobs",
] as const;
export type Include = (typeof INCLUDES)[number];

const LONGEST = 1024 * 1024;
/** Members of an object in a form of its own; what is inside them is bounded by the body. */
const MOST_MEMBERS = 1024;
const free = () => Type.Record(Type.String(), Type.Unknown(), { maxProperties: MOST_MEMBERS });
const name = () => Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$", maxLength: 64 });
const include = () =>
  Type.Array(oneOf(INCLUDES), {
    maxItems: 32,
    description: "`file_search_call.results`: the passages that were found. The others are accepted, without effect.",
  });
const short = (description: string) =>
  Type.Optional(nullable(Type.String({ maxLength: 1024 }), { description: `${description} Without effect.` }));

export const FileSearchTool = Type.Object(
  {
    type: Type.Literal("file_search"),
    vector_store_ids: Type.Array(Type.String({ maxLength: 256 }), { minItems: 1, maxItems: 10 }),
    max_num_results: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 20 })),
    ranking_options: Type.Optional(RankingOptions),
    filters: Type.Optional(nullable(free(), { description: "As in a search." })),
  },
  { $id: "FileSearchTool", additionalProperties: false },
);
export type FileSearchTool = Static<typeof FileSearchTool>;

const FunctionTool = Type.Object(
  {
    type: Type.Literal("function"),
    name: name(),
    description: Type.Optional(nullable(Type.String({ maxLength: LONGEST }))),
    parameters: Type.Optional(nullable(free())),
    strict: Type.Optional(nullable(Type.Boolean())),
  },
  { $id: "FunctionTool", additionalProperties: false, description: "Without effect where no language model answers." },
);

export const ToolChoice = Type.Union([
  oneOf(["none", "auto", "required"]),
  Type.Object({ type: Type.Literal("file_search") }, { additionalProperties: false }),
  Type.Object({ type: Type.Literal("function"), name: name() }, { additionalProperties: false }),
  Type.Object(
    {
      type: Type.Literal("allowed_tools"),
      mode: oneOf(["auto", "required"]),
      tools: Type.Array(free(), { maxItems: 128 }),
    },
    { additionalProperties: false },
  ),
]);
export type ToolChoice = Static<typeof ToolChoice>;

const TextFormat = Type.Union([
  Type.Object({ type: Type.Literal("text") }, { additionalProperties: false }),
  Type.Object({ type: Type.Literal("json_object") }, { additionalProperties: false }),
  Type.Object(
    {
      type: Type.Literal("json_schema"),
      name: name(),
      schema: free(),
      strict: Type.Optional(nullable(Type.Boolean())),
      description: Type.Optional(nullable(Type.String({ maxLength: LONGEST }))),
    },
    { additionalProperties: false },
  ),
]);

const Reasoning = Type.Object(
  {
    effort: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
    summary: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
    generate_summary: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
    context: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
    mode: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  },
  { additionalProperties: false },
);

/** A character may be two of the units in which schemas count, so the exact check comes after. */
const Metadata = Type.Record(Type.String(), Type.String({ maxLength: 2 * MAX_TEXT }), { maxProperties: MAX_PAIRS });

export const CreateResponseBody = Type.Object(
  {
    model: Type.Optional(
      nullable(Type.String({ maxLength: 256 }), {
        description: "A chat model, or `lectern-extractive`; any other name is the default chat model, or quotes.",
      }),
    ),
    input: Type.Union([Type.String({ maxLength: LONGEST }), Type.Array(GivenItem, { maxItems: 2048 })], {
      description: "The question, or a conversation that ends in it.",
    }),
    instructions: Type.Optional(nullable(Type.String({ maxLength: LONGEST }))),
    tools: Type.Optional(nullable(Type.Array(Type.Union([FileSearchTool, FunctionTool]), { maxItems: 128 }))),
    tool_choice: Type.Optional(nullable(ToolChoice)),
    parallel_tool_calls: Type.Optional(nullable(Type.Boolean())),
    max_tool_calls: Type.Optional(nullable(Type.Integer({ minimum: 1 }))),
    max_output_tokens: Type.Optional(nullable(Type.Integer({ minimum: 16 }))),
    temperature: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 2 }))),
    top_p: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 1 }))),
    top_logprobs: Type.Optional(nullable(Type.Integer({ minimum: 0, maximum: 20 }))),
    text: Type.Optional(
      nullable(
        Type.Object(
          {
            format: Type.Optional(nullable(TextFormat)),
            verbosity: Type.Optional(nullable(oneOf(["low", "medium", "high"]))),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    reasoning: Type.Optional(nullable(Reasoning)),
    include: Type.Optional(nullable(include())),
    store: Type.Optional(nullable(Type.Boolean())),
    previous_response_id: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
    conversation: Type.Optional(
      nullable(
        Type.Union([
          Type.String({ maxLength: 256 }),
          Type.Object({ id: Type.String({ maxLength: 256 }) }, { additionalProperties: false }),
        ]),
        { description: "Its items come before the input; input and output are added to it." },
      ),
    ),
    background: Type.Optional(nullable(Type.Boolean())),
    stream: Type.Optional(nullable(Type.Boolean())),
    stream_options: Type.Optional(
      nullable(
        Type.Object({ include_obfuscation: Type.Optional(nullable(Type.Boolean())) }, { additionalProperties: false }),
      ),
    ),
    truncation: Type.Optional(nullable(oneOf(["auto", "disabled"]))),
    metadata: Type.Optional(nullable(Metadata)),
    user: short("Who asks."),
    safety_identifier: short("Who asks."),
    prompt_cache_key: short("For a cache of prompts."),
    prompt_cache_retention: short("For a cache of prompts."),
    prompt_cache_options: Type.Optional(nullable(free())),
    service_tier: short("Of the service."),
  },
  { $id: "CreateResponseRequest", additionalProperties: false },
);
export type CreateResponseBody = Static<typeof CreateResponseBody>;

const ResponseUsage = Type.Object(
  {
    input_tokens: Type.Integer({ description: "Of the queries, where no language model answers." }),
    input_tokens_details: Type.Object({ cached_tokens: Type.Integer(), cache_write_tokens: Type.Integer() }),
    output_tokens: Type.Integer(),
    output_tokens_details: Type.Object({ reasoning_tokens: Type.Integer() }),
    total_tokens: Type.Integer(),
  },
  { $id: "ResponseUsage" },
);

const ResponseError = Type.Object(
  {
    code: Type.String(),
    message: Type.String(),
    type: Type.Optional(Type.String()),
    param: Type.Optional(nullable(Type.String())),
  },
  { $id: "ResponseError" },
);

const echoed = <T extends Parameters<typeof nullable>[0]>(schema: T) => nullable(schema);

export const Response = Type.Object(
  {
    id: Type.String({ description: "`resp_…`" }),
    object: Type.Literal("response"),
    created_at: unixSeconds("When it was asked for."),
    status: oneOf(["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]),
    background: Type.Boolean(),
    completed_at: nullable(Type.Integer()),
    conversation: Type.Optional(Type.Object({ id: Type.String() })),
    error: nullable(ResponseError),
    incomplete_details: nullable(Type.Object({ reason: oneOf(["max_output_tokens", "content_filter"]) })),
    instructions: echoed(Type.String()),
    max_output_tokens: echoed(Type.Integer()),
    max_tool_calls: echoed(Type.Integer()),
    model: Type.String({ description: "What answered." }),
    output: Type.Array(OutputItem),
    parallel_tool_calls: Type.Boolean(),
    previous_response_id: nullable(Type.String()),
    prompt_cache_key: echoed(Type.String()),
    prompt_cache_retention: echoed(Type.String()),
    reasoning: Type.Object({ effort: nullable(Type.String()), summary: nullable(Type.String()) }),
    safety_identifier: echoed(Type.String()),
    service_tier: oneOf(["auto", "default"]),
    store: Type.Boolean(),
    temperature: Type.Number(),
    text: Type.Object({ format: TextFormat, verbosity: Type.String() }),
    tool_choice: ToolChoice,
    tools: Type.Array(Type.Union([FileSearchTool, FunctionTool])),
    top_logprobs: Type.Integer(),
    top_p: Type.Number(),
    truncation: oneOf(["auto", "disabled"]),
    usage: nullable(ResponseUsage),
    user: echoed(Type.String()),
    metadata: Type.Record(Type.String(), Type.String()),
    lectern: Type.Optional(LecternNote),
  },
  { $id: "Response" },
);
export type Response = Static<typeof Response>;

/** The members of a Response that repeat the request. */
export type Echo = Pick<
  Response,
  | "instructions"
  | "max_output_tokens"
  | "max_tool_calls"
  | "parallel_tool_calls"
  | "prompt_cache_key"
  | "prompt_cache_retention"
  | "reasoning"
  | "safety_identifier"
  | "store"
  | "temperature"
  | "text"
  | "tool_choice"
  | "tools"
  | "top_logprobs"
  | "top_p"
  | "truncation"
  | "user"
  | "metadata"
>;

export const ResponseDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("response.deleted"), deleted: Type.Boolean() },
  { $id: "ResponseDeleted" },
);

export const InputTokens = Type.Object(
  { object: Type.Literal("response.input_tokens"), input_tokens: Type.Integer({ description: "cl100k_base" }) },
  { $id: "ResponseInputTokens" },
);

export const GetResponseQuery = Type.Object({
  include: Type.Optional(include()),
  stream: Type.Optional(Type.Boolean({ description: "Its events instead of the object." })),
  starting_after: Type.Optional(
    Type.Integer({ minimum: 0, description: "With `stream`: number of the last event that was seen." }),
  ),
  include_obfuscation: Type.Optional(Type.Boolean({ description: "Without effect." })),
});

export const ListItemsQuery = Type.Object({ ...cursorQuery(), include: Type.Optional(include()) });
