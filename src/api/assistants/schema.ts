import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, deletedSchema, listSchema, nullable, unixSeconds } from "../../http/openai.ts";
import {
  AssistantTool,
  GivenResources,
  MAX_CHARACTERS,
  Metadata,
  ResponseFormat,
  sampling,
  ShownMetadata,
  ShownResources,
  shownSampling,
  ShownTool,
  upTo,
} from "./tools-schema.ts";

export const MAX_NAME = 256;
export const MAX_DESCRIPTION = 512;
const Model = Type.String({
  maxLength: 256,
  description: "Any name; it is resolved when a run starts.",
});

const changeable = () => ({
  name: Type.Optional(nullable(upTo(MAX_NAME))),
  description: Type.Optional(nullable(upTo(MAX_DESCRIPTION))),
  instructions: Type.Optional(nullable(upTo(MAX_CHARACTERS))),
  tools: Type.Optional(nullable(Type.Array(AssistantTool, { maxItems: 128 }))),
  tool_resources: Type.Optional(nullable(GivenResources)),
  metadata: Type.Optional(nullable(Metadata)),
  ...sampling(),
});

export const CreateAssistantBody = Type.Object(
  { model: Model, ...changeable() },
  { $id: "CreateAssistantRequest", additionalProperties: false },
);
export type CreateAssistantBody = Static<typeof CreateAssistantBody>;

export const ModifyAssistantBody = Type.Object(
  { model: Type.Optional(Model), ...changeable() },
  {
    $id: "ModifyAssistantRequest",
    additionalProperties: false,
    description:
      "What is left out stays; null clears. `tools`, and each member of `tool_resources`, is replaced whole.",
  },
);
export type ModifyAssistantBody = Static<typeof ModifyAssistantBody>;

export const Assistant = Type.Object(
  {
    id: Type.String({ description: "`asst_…`" }),
    object: Type.Literal("assistant"),
    created_at: unixSeconds("When it was made."),
    name: nullable(Type.String()),
    description: nullable(Type.String()),
    model: Type.String(),
    instructions: nullable(Type.String()),
    tools: Type.Array(ShownTool),
    ...shownSampling(),
    tool_resources: ShownResources,
    metadata: ShownMetadata,
    response_format: ResponseFormat,
  },
  { $id: "Assistant" },
);
export type Assistant = Static<typeof Assistant>;

export const AssistantList = listSchema(Assistant, "AssistantList");
export const AssistantDeleted = deletedSchema("assistant.deleted", "AssistantDeleted");
export const ListQuery = Type.Object(cursorQuery());
