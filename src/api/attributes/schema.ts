import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { oneOf } from "../../http/openai.ts";

/** Values of an attribute that are shown. */
export const MOST_VALUES = 50;
/** Files that are looked at, the newest first. */
export const MOST_FILES = 20_000;
/** Chunks with attributes of their own that are looked at, the newest first. */
export const MOST_CHUNKS = 20_000;

const ATTRIBUTE_TYPES = ["string", "number", "boolean", "mixed"] as const;

const Attribute = Type.Object(
  {
    key: Type.String(),
    type: oneOf(ATTRIBUTE_TYPES, { description: "Of its values; `mixed` where they are of several." }),
    files: Type.Integer({ description: "Files that have it." }),
    chunks: Type.Integer({ description: "Chunks that have it of their own: ready-made vectors with metadata." }),
    values: Type.Array(
      Type.Object({
        value: Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
        count: Type.Integer({ description: "Files, and chunks of their own, that have this value." }),
      }),
      { maxItems: MOST_VALUES, description: "The most frequent ones first." },
    ),
  },
  { $id: "StoreAttribute", description: "What a filter can ask for." },
);
export type Attribute = Static<typeof Attribute>;

export const StoreAttributes = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(Attribute, { description: "Those that most files and chunks have first." }),
    files_read: Type.Integer({ description: `Files that were looked at: the newest ${MOST_FILES} at most.` }),
    chunks_read: Type.Integer({
      description: `Chunks with attributes of their own that were looked at: the newest ${MOST_CHUNKS} at most.`,
    }),
    has_more: Type.Boolean({ description: "There are files or chunks that were not looked at." }),
  },
  { $id: "StoreAttributeList", description: "Names and values of the attributes of a store's files and chunks." },
);
export type StoreAttributes = Static<typeof StoreAttributes>;
