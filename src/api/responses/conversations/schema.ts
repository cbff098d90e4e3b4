import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, nullable, unixSeconds } from "../../../http/openai.ts";
import { GivenItem } from "../items.ts";
import { GetResponseQuery } from "../schema.ts";
import { MAX_PAIRS, MAX_TEXT } from "../../attaching/schema.ts";

/** Items that are added at once. */
const MOST_ITEMS = 20;

/** A character may be two of the units in which schemas count, so the exact check comes after. */
const metadata = () =>
  Type.Optional(
    nullable(Type.Record(Type.String(), Type.String({ maxLength: 2 * MAX_TEXT }), { maxProperties: MAX_PAIRS })),
  );

export const CreateConversationBody = Type.Object(
  { items: Type.Optional(nullable(Type.Array(GivenItem, { maxItems: MOST_ITEMS }))), metadata: metadata() },
  { $id: "CreateConversationRequest", additionalProperties: false },
);

export const UpdateConversationBody = Type.Object(
  { metadata: metadata() },
  { $id: "UpdateConversationRequest", additionalProperties: false },
);

export const CreateItemsBody = Type.Object(
  { items: Type.Array(GivenItem, { minItems: 1, maxItems: MOST_ITEMS }) },
  { $id: "CreateConversationItemsRequest", additionalProperties: false },
);

export const Conversation = Type.Object(
  {
    id: Type.String({ description: "`conv_…`" }),
    object: Type.Literal("conversation"),
    created_at: unixSeconds("When it was made."),
    metadata: Type.Record(Type.String(), Type.String()),
  },
  { $id: "Conversation" },
);
export type Conversation = Static<typeof Conversation>;

export const ConversationDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("conversation.deleted"), deleted: Type.Boolean() },
  { $id: "ConversationDeleted" },
);

const { include } = GetResponseQuery.properties;

export const IncludeQuery = Type.Object({ include });
export const ListQuery = Type.Object({ ...cursorQuery(), include });
