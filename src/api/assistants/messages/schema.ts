import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, deletedSchema, idText, listSchema, nullable, oneOf, unixSeconds } from "../../../http/openai.ts";
import { MAX_CHARACTERS, Metadata, ShownMetadata, upTo } from "../tools-schema.ts";

const Detail = Type.Optional(oneOf(["auto", "low", "high"]));

export const GivenContentPart = Type.Union([
  Type.Object({ type: Type.Literal("text"), text: upTo(MAX_CHARACTERS, 1) }, { additionalProperties: false }),
  Type.Object(
    {
      type: Type.Literal("image_url"),
      image_url: Type.Object(
        { url: Type.String({ maxLength: 2 * MAX_CHARACTERS }), detail: Detail },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      type: Type.Literal("image_file"),
      image_file: Type.Object({ file_id: idText(), detail: Detail }, { additionalProperties: false }),
    },
    { additionalProperties: false },
  ),
]);
export type GivenContentPart = Static<typeof GivenContentPart>;

const GivenAttachment = Type.Object(
  {
    file_id: idText(),
    tools: Type.Optional(
      Type.Array(Type.Object({ type: oneOf(["file_search", "code_interpreter"]) }, { additionalProperties: false }), {
        maxItems: 2,
      }),
    ),
  },
  { additionalProperties: false },
);

export const CreateMessageBody = Type.Object(
  {
    role: oneOf(["user", "assistant"]),
    content: Type.Union([upTo(MAX_CHARACTERS, 1), Type.Array(GivenContentPart, { minItems: 1, maxItems: 10 })]),
    attachments: Type.Optional(
      nullable(Type.Array(GivenAttachment, { maxItems: 10 }), {
        description: "With `file_search` a file goes into the thread's vector store, which is made if there is none.",
      }),
    ),
    metadata: Type.Optional(nullable(Metadata)),
  },
  { $id: "CreateMessageRequest", additionalProperties: false },
);
export type CreateMessageBody = Static<typeof CreateMessageBody>;

export const ModifyMessageBody = Type.Object(
  { metadata: Type.Optional(nullable(Metadata)) },
  { $id: "ModifyMessageRequest", additionalProperties: false },
);
export type ModifyMessageBody = Static<typeof ModifyMessageBody>;

export const MessageCitation = Type.Object(
  {
    type: Type.Literal("file_citation"),
    text: Type.String({ description: "The marker: exactly the text from `start_index` to `end_index`." }),
    start_index: Type.Integer({ description: "In Unicode code points." }),
    end_index: Type.Integer(),
    file_citation: Type.Object({
      file_id: Type.String(),
      quote: Type.Optional(
        Type.String({ description: "An exact slice of the file's content; empty once the file was deleted." }),
      ),
      chunk_id: Type.Optional(Type.String()),
      page: Type.Optional(nullable(Type.Integer())),
      start_offset: Type.Optional(Type.Integer({ description: "Code points into the file's `/content`." })),
      end_offset: Type.Optional(Type.Integer()),
    }),
  },
  { $id: "MessageCitation" },
);
export type MessageCitation = Static<typeof MessageCitation>;

export const MessageContent = Type.Union([
  Type.Object({
    type: Type.Literal("text"),
    text: Type.Object({ value: Type.String(), annotations: Type.Array(MessageCitation) }),
  }),
  Type.Object({
    type: Type.Literal("image_url"),
    image_url: Type.Object({ url: Type.String(), detail: Type.String() }),
  }),
  Type.Object({
    type: Type.Literal("image_file"),
    image_file: Type.Object({ file_id: Type.String(), detail: Type.String() }),
  }),
]);
export type MessageContent = Static<typeof MessageContent>;

export const Message = Type.Object(
  {
    id: Type.String({ description: "`msg_…`" }),
    object: Type.Literal("thread.message"),
    created_at: unixSeconds("When it was posted or begun."),
    assistant_id: nullable(Type.String()),
    thread_id: Type.String(),
    run_id: nullable(Type.String(), { description: "The run that wrote it." }),
    role: oneOf(["user", "assistant"]),
    content: Type.Array(MessageContent),
    attachments: Type.Array(
      Type.Object({ file_id: Type.String(), tools: Type.Array(Type.Object({ type: Type.String() })) }),
    ),
    metadata: ShownMetadata,
    status: oneOf(["in_progress", "completed", "incomplete"]),
    incomplete_details: nullable(Type.Object({ reason: Type.String() })),
    completed_at: nullable(Type.Integer()),
    incomplete_at: nullable(Type.Integer()),
  },
  { $id: "Message" },
);
export type Message = Static<typeof Message>;

export const MessageList = listSchema(Message, "MessageList");
export const MessageDeleted = deletedSchema("thread.message.deleted", "MessageDeleted");
export const ListMessagesQuery = Type.Object({
  ...cursorQuery(),
  run_id: Type.Optional(idText({ description: "Only those that this run wrote." })),
});
