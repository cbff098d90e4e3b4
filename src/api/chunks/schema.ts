import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable } from "../../http/openai.ts";
import { Attributes } from "../attaching/schema.ts";

/** Ready-made vectors of one request at most. */
const MAX_VECTORS = 1000;

/** Characters of one text, and of all texts of one request, at most. */
const MAX_CONTENT_CHARACTERS = 256 * 1024;
export const MAX_CONTENTS_CHARACTERS = 4 * 1024 * 1024;
/** Of a vector; more than any model has. */
export const MAX_DIMENSIONS = 16_384;

export const Chunk = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("vector_store.chunk"),
    vector_store_id: Type.String(),
    file_id: Type.String(),
    filename: Type.String(),
    chunk_index: Type.Integer(),
    text: Type.String(),
    tokens: Type.Integer({ description: "cl100k_base tokens." }),
    start_offset: Type.Integer({ description: "Code points into the file's `/content`." }),
    end_offset: Type.Integer(),
    page: Type.Union([Type.Integer(), Type.Null()]),
    page_end: Type.Union([Type.Integer(), Type.Null()]),
    line: Type.Union([Type.Integer(), Type.Null()], {
      description: "1-based line of the file's text; null where it has pages.",
    }),
    line_end: Type.Union([Type.Integer(), Type.Null()]),
    heading: Type.Array(Type.String()),
    attributes: nullable(Attributes),
  },
  { $id: "VectorStoreChunk" },
);
export type Chunk = Static<typeof Chunk>;

export const InsertVectorBody = Type.Object(
  {
    content: Type.String({ minLength: 1, maxLength: MAX_CONTENT_CHARACTERS }),
    embedding: Type.Optional(
      Type.Array(Type.Number(), { maxItems: MAX_DIMENSIONS, description: "Embedded here when left out." }),
    ),
    metadata: Type.Optional(Attributes),
    attributes: Type.Optional(Attributes),
    file_id: Type.Optional(idText({ description: "The file they belong to; `inline` of the store when left out." })),
  },
  { $id: "InsertEmbeddingRequest", additionalProperties: false },
);
export type InsertVectorBody = Static<typeof InsertVectorBody>;

export const InsertVectorsBody = Type.Object(
  { embeddings: Type.Array(InsertVectorBody, { minItems: 1, maxItems: MAX_VECTORS }) },
  { $id: "InsertEmbeddingsRequest", additionalProperties: false },
);
export type InsertVectorsBody = Static<typeof InsertVectorsBody>;

/** What came in a body of lines. */
export const InsertedLines = Type.Object(
  {
    object: Type.Literal("embedding.stream"),
    vector_store_id: Type.String(),
    inserted: Type.Integer({ description: "Embeddings that stand: as many as there were lines." }),
  },
  { $id: "InsertedEmbeddingStream" },
);
export type InsertedLines = Static<typeof InsertedLines>;

export const InsertedVector = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("embedding"),
    vector_store_id: Type.String(),
    content: Type.String(),
    metadata: nullable(Attributes),
    created_at: Type.Integer(),
  },
  { $id: "InsertedEmbedding" },
);
export type InsertedVector = Static<typeof InsertedVector>;

export const InsertedVectors = Type.Object(
  {
    object: Type.Literal("embedding.batch"),
    data: Type.Array(InsertedVector),
    created_at: Type.Integer(),
  },
  { $id: "InsertedEmbeddings" },
);
export type InsertedVectors = Static<typeof InsertedVectors>;
