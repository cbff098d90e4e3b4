import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, idText, listSchema, nullable, oneOf } from "../../http/openai.ts";

export const FILE_STATUSES = ["in_progress", "completed", "cancelled", "failed"] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

/** What lists can be ordered by. */
export const FILE_SORTS = ["created_at", "filename", "bytes", "status"] as const;
export type FileSortName = (typeof FILE_SORTS)[number];

/** OpenAI's limits. A character may be two of the units in which schemas count, so the exact check comes after. */
export const MAX_PAIRS = 16;
export const MAX_TEXT = 512;
const AttributeText = Type.String({ maxLength: MAX_TEXT * 2 });

export const Attributes = Type.Record(Type.String(), Type.Union([AttributeText, Type.Number(), Type.Boolean()]), {
  $id: "VectorStoreFileAttributes",
  maxProperties: MAX_PAIRS,
  description:
    "At most 16 pairs; keys of at most 64 characters; values are strings of at most 512 characters, numbers or booleans.",
});
export type Attributes = Static<typeof Attributes>;

const StaticChunking = Type.Object(
  {
    max_chunk_size_tokens: Type.Integer({
      minimum: 100,
      maximum: 4096,
      description: "Tokens (cl100k_base) in a chunk. Default 800.",
    }),
    chunk_overlap_tokens: Type.Integer({
      minimum: 0,
      description: "Tokens shared by neighbouring chunks, at most half of `max_chunk_size_tokens`. Default 400.",
    }),
  },
  { $id: "StaticChunkingStrategy", additionalProperties: false },
);

export const ChunkingStrategyRequest = Type.Object(
  {
    type: oneOf(["auto", "static"]),
    static: Type.Optional(StaticChunking),
    max_chunk_size_tokens: Type.Optional(Type.Integer({ description: "As in `static`; some clients write it here." })),
    chunk_overlap_tokens: Type.Optional(Type.Integer({ description: "As in `static`; some clients write it here." })),
  },
  {
    $id: "ChunkingStrategyRequest",
    additionalProperties: false,
    description: "How the text is cut; `auto` is 800 tokens with 400 of overlap.",
  },
);
export type ChunkingStrategyRequest = Static<typeof ChunkingStrategyRequest>;

export const ChunkingStrategyResponse = Type.Union(
  [
    Type.Object({ type: Type.Literal("static"), static: StaticChunking }, { title: "static" }),
    Type.Object({ type: Type.Literal("other") }, { title: "other" }),
  ],
  { $id: "ChunkingStrategyResponse" },
);
export type ChunkingStrategyResponse = Static<typeof ChunkingStrategyResponse>;

export const Progress = Type.Object(
  {
    stage: oneOf(["queued", "parse", "chunk", "embed", "index"]),
    done: Type.Integer(),
    total: Type.Integer(),
  },
  { $id: "IngestProgress", description: "How far an ingest is, in units of its stage." },
);
export type Progress = Static<typeof Progress>;

export const VectorStoreFile = Type.Object(
  {
    id: Type.String({ description: "The id of the file." }),
    object: Type.Literal("vector_store.file"),
    usage_bytes: Type.Integer({
      description: "UTF-8 text and vectors kept for the file; 0 until completed.",
    }),
    created_at: Type.Integer({ description: "Unix seconds." }),
    vector_store_id: Type.String(),
    status: oneOf(FILE_STATUSES),
    last_error: nullable(
      Type.Object({
        code: oneOf(["server_error", "unsupported_file", "invalid_file"]),
        message: Type.String(),
      }),
    ),
    chunking_strategy: ChunkingStrategyResponse,
    attributes: nullable(Attributes),
    metadata: Type.Optional(nullable(Attributes, { description: "Mirror of `attributes`." })),
    filename: Type.Optional(Type.String()),
    bytes: Type.Optional(Type.Integer({ description: "Size of the file as uploaded." })),
    chunks: Type.Optional(Type.Integer()),
    progress: Type.Optional(Progress),
    warnings: Type.Optional(Type.Array(Type.String())),
  },
  { $id: "VectorStoreFile" },
);
export type VectorStoreFile = Static<typeof VectorStoreFile>;

export const VectorStoreFileList = listSchema(VectorStoreFile, "VectorStoreFileList");
/** Query of both lists of files in a store. */
export const FileListQuery = Type.Object({
  ...cursorQuery(),
  filter: Type.Optional(oneOf(FILE_STATUSES, { description: "Only files in this state." })),
});

export const VectorStoreFileDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("vector_store.file.deleted"), deleted: Type.Boolean() },
  { $id: "VectorStoreFileDeleted" },
);
export type VectorStoreFileDeleted = Static<typeof VectorStoreFileDeleted>;

export const FileContentPage = Type.Object(
  {
    object: Type.Literal("vector_store.file_content.page"),
    data: Type.Array(Type.Object({ type: Type.Literal("text"), text: Type.String() })),
    has_more: Type.Boolean(),
    next_page: nullable(Type.String()),
    file_id: Type.Optional(Type.String()),
    filename: Type.Optional(Type.String()),
    attributes: Type.Optional(nullable(Attributes)),
  },
  {
    $id: "VectorStoreFileContent",
    description: "The text that was indexed; offsets of chunks count code points in its concatenation.",
  },
);
export type FileContentPage = Static<typeof FileContentPage>;

export const AttachFileBody = Type.Object(
  {
    file_id: idText({ minLength: 1 }),
    attributes: Type.Optional(Attributes),
    chunking_strategy: Type.Optional(ChunkingStrategyRequest),
    metadata: Type.Optional(Attributes),
  },
  {
    $id: "AttachFileRequest",
    additionalProperties: false,
    description: "`metadata` is another name of `attributes`.",
  },
);
export type AttachFileBody = Static<typeof AttachFileBody>;

export const UpdateFileBody = Type.Object(
  {
    attributes: Type.Optional(nullable(Attributes, { description: "Replaces the whole map; `null` clears it." })),
    metadata: Type.Optional(nullable(Attributes, { description: "Another name of `attributes`." })),
  },
  { $id: "UpdateFileAttributesRequest", additionalProperties: false },
);
export type UpdateFileBody = Static<typeof UpdateFileBody>;
