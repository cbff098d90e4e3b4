import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, deletedSchema, idText, listSchema, nullable, oneOf, unixSeconds } from "../../http/openai.ts";
import type { ListBounds } from "../../http/openai.ts";

export const REQUEST_PURPOSES = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] as const;
const PURPOSES = [...REQUEST_PURPOSES, "assistants_output", "batch_output", "fine-tune-results"] as const;

/** The list of files is the one with other bounds, and without `before`. */
export const FILE_LIST: ListBounds = { max: 10_000, default: 10_000, before: false };

export const ExpiresAfter = Type.Object(
  {
    anchor: oneOf(["created_at"], { description: "The time from which the seconds count." }),
    seconds: Type.Integer({ minimum: 3600, maximum: 2_592_000, description: "Between an hour and 30 days." }),
  },
  { $id: "FileExpirationAfter", additionalProperties: false, description: "When the file is to be deleted by itself." },
);

export const OpenAIFile = Type.Object(
  {
    id: Type.String({ description: "`file-…`" }),
    object: Type.Literal("file"),
    bytes: Type.Integer({ description: "Size of the content." }),
    created_at: unixSeconds("When it was uploaded, Unix seconds."),
    expires_at: Type.Optional(
      nullable(Type.Integer(), { description: "When it deletes itself, Unix seconds; null for never." }),
    ),
    filename: Type.String({ description: "Display text; never a path on the server." }),
    purpose: oneOf(PURPOSES, { description: "As given at upload." }),
    status: oneOf(["uploaded", "processed", "error"], { description: "Deprecated at OpenAI; always `processed`." }),
    status_details: Type.Optional(nullable(Type.String(), { description: "Deprecated at OpenAI." })),
  },
  { $id: "OpenAIFile", description: "An uploaded document." },
);
export type OpenAIFile = Static<typeof OpenAIFile>;

export const FileList = listSchema(OpenAIFile, "FileList");
export const DeletedFile = deletedSchema("file", "DeletedFile");

const { before: _none, ...fileCursor } = cursorQuery(FILE_LIST);
export const ListFilesQuery = Type.Object({
  ...fileCursor,
  purpose: Type.Optional(idText({ description: "Only files of this purpose." })),
});

/** The multipart form of an upload, as the API document shows it. */
export const UploadForm = Type.Object(
  {
    file: Type.String({ format: "binary", description: "The document." }),
    purpose: oneOf(REQUEST_PURPOSES, { description: "`assistants` or `user_data` for documents to search." }),
    expires_after: Type.Optional(ExpiresAfter),
  },
  { $id: "CreateFileRequest", additionalProperties: false },
);

/** The form's text fields, once read. */
export const UploadFields = Type.Object(
  { purpose: oneOf(REQUEST_PURPOSES), expires_after: Type.Optional(ExpiresAfter) },
  { additionalProperties: false },
);
export type UploadFields = Static<typeof UploadFields>;
