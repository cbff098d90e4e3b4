import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, listSchema, nullable, oneOf, unixSeconds } from "../../../http/openai.ts";
import { includeQuery, ShownMetadata } from "../tools-schema.ts";
import { Attributes } from "../../attaching/schema.ts";
import { RunError, RunUsage } from "./schema.ts";

const optional = <T extends Parameters<typeof nullable>[0]>(schema: T) => Type.Optional(nullable(schema));

export const StepResult = Type.Object(
  {
    file_id: Type.String(),
    file_name: Type.String(),
    score: Type.Number({ minimum: 0, maximum: 1 }),
    attributes: Type.Optional(Attributes),
    content: Type.Optional(
      Type.Array(Type.Object({ type: Type.Literal("text"), text: Type.String() }), {
        description: "With `include`; the text is empty once the file was deleted.",
      }),
    ),
    vector_store_id: Type.Optional(Type.String()),
    chunk_id: Type.Optional(Type.String()),
    chunk_index: Type.Optional(Type.Integer()),
    page: optional(Type.Integer()),
    page_end: optional(Type.Integer()),
    line: optional(Type.Integer()),
    line_end: optional(Type.Integer()),
    heading: Type.Optional(Type.Array(Type.String())),
    start_offset: Type.Optional(Type.Integer()),
    end_offset: Type.Optional(Type.Integer()),
  },
  { $id: "RunStepResult" },
);
export type StepResult = Static<typeof StepResult>;

const Ranking = Type.Object({ ranker: Type.String(), score_threshold: Type.Number() });

export const StepSearch = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("file_search"),
    file_search: Type.Object({ ranking_options: Ranking, results: Type.Array(StepResult) }),
  },
  { $id: "RunStepFileSearch" },
);
export type StepSearch = Static<typeof StepSearch>;

const StepCall = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("function"),
    function: Type.Object({ name: Type.String(), arguments: Type.String(), output: nullable(Type.String()) }),
  },
  { $id: "RunStepFunctionCall" },
);

export const StepDetails = Type.Union([
  Type.Object({
    type: Type.Literal("message_creation"),
    message_creation: Type.Object({ message_id: Type.String() }),
  }),
  Type.Object({
    type: Type.Literal("tool_calls"),
    tool_calls: Type.Array(Type.Union([StepSearch, StepCall])),
  }),
]);
export type StepDetails = Static<typeof StepDetails>;

export const RunStep = Type.Object(
  {
    id: Type.String({ description: "`step_…`" }),
    object: Type.Literal("thread.run.step"),
    created_at: unixSeconds("When it began."),
    run_id: Type.String(),
    assistant_id: Type.String(),
    thread_id: Type.String(),
    type: oneOf(["tool_calls", "message_creation"]),
    status: oneOf(["in_progress", "completed", "failed", "cancelled", "expired"]),
    cancelled_at: nullable(Type.Integer()),
    completed_at: nullable(Type.Integer()),
    expires_at: nullable(Type.Integer()),
    expired_at: nullable(Type.Integer()),
    failed_at: nullable(Type.Integer()),
    last_error: nullable(RunError),
    step_details: StepDetails,
    usage: nullable(RunUsage),
    metadata: ShownMetadata,
  },
  { $id: "RunStep" },
);
export type RunStep = Static<typeof RunStep>;

export const RunStepList = listSchema(RunStep, "RunStepList");
export const GetStepQuery = Type.Object(includeQuery());
export const ListStepsQuery = Type.Object({ ...cursorQuery(), ...includeQuery() });
