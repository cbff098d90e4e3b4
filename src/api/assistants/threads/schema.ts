import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, deletedSchema, listSchema, nullable, unixSeconds } from "../../../http/openai.ts";
import { GivenResources, Metadata, ShownMetadata, ShownResources } from "../tools-schema.ts";
import { CreateMessageBody } from "../messages/schema.ts";

/** Messages that a thread is made with, or a run adds, at most. */
export const MOST_MESSAGES = 2048;
export const GivenMessages = Type.Array(CreateMessageBody, { maxItems: MOST_MESSAGES });

export const CreateThreadBody = Type.Object(
  {
    messages: Type.Optional(nullable(GivenMessages, { description: "A conversation that is brought along." })),
    tool_resources: Type.Optional(nullable(GivenResources)),
    metadata: Type.Optional(nullable(Metadata)),
  },
  { $id: "CreateThreadRequest", additionalProperties: false },
);
export type CreateThreadBody = Static<typeof CreateThreadBody>;

export const ModifyThreadBody = Type.Object(
  {
    tool_resources: Type.Optional(nullable(GivenResources)),
    metadata: Type.Optional(nullable(Metadata)),
  },
  { $id: "ModifyThreadRequest", additionalProperties: false },
);
export type ModifyThreadBody = Static<typeof ModifyThreadBody>;

export const Thread = Type.Object(
  {
    id: Type.String({ description: "`thread_…`" }),
    object: Type.Literal("thread"),
    created_at: unixSeconds("When it was made."),
    metadata: ShownMetadata,
    tool_resources: ShownResources,
  },
  { $id: "Thread" },
);
export type Thread = Static<typeof Thread>;

export const ThreadList = listSchema(Thread, "ThreadList");
export const ThreadDeleted = deletedSchema("thread.deleted", "ThreadDeleted");
export const ListThreadsQuery = Type.Object(cursorQuery());
