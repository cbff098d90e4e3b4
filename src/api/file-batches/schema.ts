import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, oneOf } from "../../http/openai.ts";
import { AttachFileBody, Attributes, ChunkingStrategyRequest, FILE_STATUSES } from "../attaching/schema.ts";
import { FileCounts } from "../store-schema.ts";

export const FileBatch = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("vector_store.files_batch"),
    created_at: Type.Integer({ description: "Unix seconds." }),
    vector_store_id: Type.String(),
    status: oneOf(FILE_STATUSES),
    file_counts: FileCounts,
  },
  { $id: "VectorStoreFileBatch" },
);
export type FileBatch = Static<typeof FileBatch>;

/** What the server can be set to at most. */
const MAX_FILES = 100_000;

export const CreateBatchBody = Type.Object(
  {
    file_ids: Type.Optional(
      Type.Array(idText({ minLength: 1 }), {
        minItems: 1,
        maxItems: MAX_FILES,
        description: "At most 2000, unless the server is set otherwise.",
      }),
    ),
    files: Type.Optional(
      Type.Array(AttachFileBody, {
        minItems: 1,
        maxItems: MAX_FILES,
        description: "At most 2000, unless the server is set otherwise.",
      }),
    ),
    attributes: Type.Optional(Attributes),
    metadata: Type.Optional(Attributes),
    chunking_strategy: Type.Optional(ChunkingStrategyRequest),
  },
  {
    $id: "CreateFileBatchRequest",
    additionalProperties: false,
    description:
      "Exactly one of `file_ids` and `files`. `attributes` (or `metadata`, another name) are those of `file_ids`; ignored with `files`.",
  },
);
export type CreateBatchBody = Static<typeof CreateBatchBody>;
