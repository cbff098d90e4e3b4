import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable, oneOf } from "../http/openai.ts";
import { ChunkingStrategyRequest } from "./attaching/schema.ts";

/** `expired` wins over the others; no further value is ever sent in `status`. */
const STORE_STATUSES = ["expired", "in_progress", "completed"] as const;
const LIFECYCLES = ["active", "suspended", "deleting", "deleted"] as const;

export const FileCounts = Type.Object(
  {
    in_progress: Type.Integer(),
    completed: Type.Integer(),
    failed: Type.Integer(),
    cancelled: Type.Integer(),
    total: Type.Integer(),
  },
  { $id: "FileCounts" },
);
export type FileCounts = Static<typeof FileCounts>;

export const ExpiresAfter = Type.Object(
  { anchor: Type.Literal("last_active_at"), days: Type.Integer({ minimum: 1, maximum: 365 }) },
  { $id: "VectorStoreExpirationAfter", additionalProperties: false },
);
export type ExpiresAfter = Static<typeof ExpiresAfter>;

export const Metadata = Type.Record(Type.String(), Type.Unknown(), {
  $id: "Metadata",
  // More have no room in so many bytes.
  maxProperties: 4096,
  description:
    "Any JSON object of at most 4096 bytes; values that are no text are answered as JSON text, but in the dialect `fightclub`. (`openai-strict`: at most 16 pairs of strings.)",
});

const INDEX_TYPES = ["auto", "exact", "hnsw"] as const;

const IndexType = oneOf(INDEX_TYPES, {
  description:
    "How vectors are searched: every one compared (`exact`), through a graph on disk that is built in the background " +
    "and finds nearly all (`hnsw`), or the one or the other by size (`auto`, the default).",
});

export const IndexInfo = Type.Object(
  {
    generation: Type.Integer(),
    type: oneOf(["exact", "hnsw"], { description: "What answers now." }),
    model: Type.String({ description: "The model that really runs." }),
    model_revision: Type.String(),
    dimensions: Type.Integer(),
    chunks: Type.Integer(),
    vectors: Type.Integer(),
  },
  { $id: "VectorStoreIndex" },
);
export type IndexInfo = Static<typeof IndexInfo>;

const StoreProgress = Type.Object(
  {
    files_left: Type.Integer(),
    eta_seconds: nullable(
      Type.Integer({
        description: "Until they are indexed, by the pace of the last minutes; `null` while that cannot be told.",
      }),
    ),
  },
  { $id: "VectorStoreProgress" },
);

export const VectorStore = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("vector_store"),
    created_at: Type.Integer({ description: "Unix seconds." }),
    name: Type.String(),
    description: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    usage_bytes: Type.Integer({
      description: "UTF-8 text and vectors kept for the attached files.",
    }),
    file_counts: FileCounts,
    status: oneOf(STORE_STATUSES),
    expires_after: Type.Optional(nullable(ExpiresAfter)),
    expires_at: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    last_active_at: Type.Union([Type.Integer(), Type.Null()]),
    metadata: nullable(Metadata),
    bytes: Type.Optional(Type.Integer({ description: "Sum of the attached files' sizes." })),
    embedding_model: Type.Optional(Type.String({ description: "As asked for; `index.model` is what runs." })),
    embedding_dimensions: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    last_used_at: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    lifecycle: Type.Optional(oneOf(LIFECYCLES)),
    progress: Type.Optional(StoreProgress),
    index: Type.Optional(IndexInfo),
  },
  { $id: "VectorStore" },
);
export type VectorStore = Static<typeof VectorStore>;

export const VectorStoreDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("vector_store.deleted"), deleted: Type.Boolean() },
  { $id: "VectorStoreDeleted" },
);
export type VectorStoreDeleted = Static<typeof VectorStoreDeleted>;

/** Names have a bound in bytes beside. */
const MAX_LONG_TEXT = 16_384;
const LongText = Type.String({ maxLength: MAX_LONG_TEXT });

export const CreateStoreBody = Type.Object(
  {
    name: Type.Optional(Type.Union([LongText, Type.Null()], { description: "At most 256 bytes." })),
    description: Type.Optional(Type.Union([LongText, Type.Null()])),
    file_ids: Type.Optional(Type.Array(idText({ minLength: 1 }), { maxItems: 500 })),
    expires_after: Type.Optional(nullable(ExpiresAfter)),
    chunking_strategy: Type.Optional(ChunkingStrategyRequest),
    metadata: Type.Optional(nullable(Metadata)),
    embedding_model: Type.Optional(
      idText({
        description: "A model of `GET /v1/models`; the server's default when left out.",
      }),
    ),
    dimensions: Type.Optional(Type.Integer({ description: "Positive: shorter vectors, where the model can." })),
    index_type: Type.Optional(IndexType),
  },
  { $id: "CreateVectorStoreRequest", additionalProperties: false },
);
export type CreateStoreBody = Static<typeof CreateStoreBody>;

export const UpdateStoreBody = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: MAX_LONG_TEXT, description: "At most 256 bytes." })),
    description: Type.Optional(Type.Union([LongText, Type.Null()])),
    expires_after: Type.Optional(nullable(ExpiresAfter, { description: "`null` clears the policy." })),
    metadata: Type.Optional(nullable(Metadata)),
    index_type: Type.Optional(IndexType),
  },
  { $id: "UpdateVectorStoreRequest", additionalProperties: false },
);
export type UpdateStoreBody = Static<typeof UpdateStoreBody>;
