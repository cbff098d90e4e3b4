import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, idText, listSchema, nullable, oneOf, unixSeconds } from "../../../http/openai.ts";
import {
  AssistantTool,
  FunctionName,
  includeQuery,
  MAX_CHARACTERS,
  Metadata,
  ResponseFormat,
  RunResources,
  sampling,
  ShownMetadata,
  ShownResources,
  shownSampling,
  ShownTool,
  upTo,
} from "../tools-schema.ts";
import { LecternNote } from "../../lectern-note.ts";
import { CreateThreadBody, GivenMessages } from "../threads/schema.ts";

const ToolChoice = Type.Union([
  oneOf(["none", "auto", "required"]),
  Type.Object({ type: Type.Literal("file_search") }, { additionalProperties: false }),
  Type.Object(
    {
      type: Type.Literal("function"),
      function: Type.Object({ name: FunctionName }, { additionalProperties: false }),
    },
    { additionalProperties: false },
  ),
]);

const Truncation = Type.Object(
  {
    type: oneOf(["auto", "last_messages"]),
    last_messages: Type.Optional(nullable(Type.Integer({ minimum: 1 }))),
  },
  { additionalProperties: false },
);

const tokens = () => Type.Optional(nullable(Type.Integer({ minimum: 256 })));

/** What both ways to make a run take; what is not given, or null, is the assistant's. */
const basics = () => ({
  assistant_id: idText(),
  model: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
  instructions: Type.Optional(nullable(upTo(MAX_CHARACTERS))),
  tools: Type.Optional(nullable(Type.Array(AssistantTool, { maxItems: 20 }))),
  ...sampling(),
  tool_choice: Type.Optional(nullable(ToolChoice)),
  parallel_tool_calls: Type.Optional(nullable(Type.Boolean())),
  max_prompt_tokens: tokens(),
  max_completion_tokens: tokens(),
  truncation_strategy: Type.Optional(nullable(Truncation)),
  metadata: Type.Optional(nullable(Metadata)),
  stream: Type.Optional(nullable(Type.Boolean())),
});

export const CreateRunBody = Type.Object(
  {
    ...basics(),
    additional_instructions: Type.Optional(nullable(upTo(MAX_CHARACTERS))),
    additional_messages: Type.Optional(nullable(GivenMessages)),
  },
  { $id: "CreateRunRequest", additionalProperties: false },
);
export type CreateRunBody = Static<typeof CreateRunBody>;

export const CreateThreadAndRunBody = Type.Object(
  {
    ...basics(),
    thread: Type.Optional(nullable(CreateThreadBody)),
    tool_resources: Type.Optional(nullable(RunResources, { description: "In place of the assistant's." })),
  },
  { $id: "CreateThreadAndRunRequest", additionalProperties: false },
);
export type CreateThreadAndRunBody = Static<typeof CreateThreadAndRunBody>;

export const ModifyRunBody = Type.Object(
  { metadata: Type.Optional(nullable(Metadata)) },
  { $id: "ModifyRunRequest", additionalProperties: false },
);

export const SubmitToolOutputsBody = Type.Object(
  {
    tool_outputs: Type.Array(
      Type.Object(
        {
          tool_call_id: idText(),
          output: Type.Optional(nullable(upTo(MAX_CHARACTERS))),
        },
        { additionalProperties: false },
      ),
      { maxItems: 128 },
    ),
    stream: Type.Optional(nullable(Type.Boolean())),
  },
  { $id: "SubmitToolOutputsRequest", additionalProperties: false },
);
export type SubmitToolOutputsBody = Static<typeof SubmitToolOutputsBody>;

export const RunUsage = Type.Object(
  {
    prompt_tokens: Type.Integer({ description: "Of the queries, where no language model answers." }),
    completion_tokens: Type.Integer(),
    total_tokens: Type.Integer(),
    prompt_token_details: Type.Object({ cached_tokens: Type.Integer() }),
    completion_tokens_details: Type.Object({ reasoning_tokens: Type.Integer() }),
  },
  { $id: "RunUsage" },
);
export type RunUsage = Static<typeof RunUsage>;

const RunNote = Type.Object(
  {
    answered_by: nullable(oneOf(["model", "extractive"]), { description: "Null until it ends." }),
    model: nullable(Type.String()),
    rounds: LecternNote.properties.rounds,
    ignored: LecternNote.properties.ignored,
    warnings: LecternNote.properties.warnings,
  },
  { $id: "RunNote" },
);

const RequiredAction = Type.Object({
  type: Type.Literal("submit_tool_outputs"),
  submit_tool_outputs: Type.Object({
    tool_calls: Type.Array(
      Type.Object({
        id: Type.String(),
        type: Type.Literal("function"),
        function: Type.Object({ name: Type.String(), arguments: Type.String() }),
      }),
    ),
  }),
});

export const RunError = Type.Object({
  code: oneOf(["server_error", "rate_limit_exceeded", "invalid_prompt"]),
  message: Type.String(),
});

export const Run = Type.Object(
  {
    id: Type.String({ description: "`run_…`" }),
    object: Type.Literal("thread.run"),
    created_at: unixSeconds("When it was asked for."),
    assistant_id: Type.String(),
    thread_id: Type.String(),
    status: oneOf([
      "queued",
      "in_progress",
      "requires_action",
      "cancelling",
      "cancelled",
      "failed",
      "completed",
      "incomplete",
      "expired",
    ]),
    started_at: nullable(Type.Integer()),
    expires_at: nullable(Type.Integer(), { description: "Null once it has ended otherwise." }),
    cancelled_at: nullable(Type.Integer()),
    failed_at: nullable(Type.Integer()),
    completed_at: nullable(Type.Integer()),
    required_action: nullable(RequiredAction),
    last_error: nullable(RunError),
    model: Type.String({ description: "As given." }),
    instructions: nullable(Type.String()),
    tools: Type.Array(ShownTool),
    tool_resources: ShownResources,
    metadata: ShownMetadata,
    ...shownSampling(),
    max_completion_tokens: nullable(Type.Integer()),
    max_prompt_tokens: nullable(Type.Integer()),
    truncation_strategy: Type.Object({
      type: oneOf(["auto", "last_messages"]),
      last_messages: nullable(Type.Integer()),
    }),
    incomplete_details: nullable(Type.Object({ reason: oneOf(["max_completion_tokens", "max_prompt_tokens"]) })),
    usage: nullable(RunUsage),
    response_format: ResponseFormat,
    tool_choice: ToolChoice,
    parallel_tool_calls: Type.Boolean(),
    lectern: Type.Optional(RunNote),
  },
  { $id: "Run" },
);
export type Run = Static<typeof Run>;

export const RunList = listSchema(Run, "RunList");
export const CreateRunQuery = Type.Object(includeQuery());
export const ListRunsQuery = Type.Object(cursorQuery());
