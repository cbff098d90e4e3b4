import { Type } from "@sinclair/typebox";
import { ExpiresAfter, OpenAIFile, REQUEST_PURPOSES } from "../stored-files/schema.ts";
import { idText, nullable, oneOf, unixSeconds } from "../../http/openai.ts";

/** Bytes of one part, and of a whole upload. */
export const MAX_PART_BYTES = 64 * 1024 * 1024;
const MAX_UPLOAD_BYTES = 8 * 1024 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** Characters; what is kept of it is shorter. */
const MAX_FILENAME = 4096;

export const CreateUpload = Type.Object(
  {
    filename: Type.String({ minLength: 1, maxLength: MAX_FILENAME, description: "The name of the file to be." }),
    purpose: oneOf(REQUEST_PURPOSES, { description: "The purpose of the file to be." }),
    bytes: Type.Integer({
      minimum: 0,
      maximum: MAX_UPLOAD_BYTES,
      description: "The exact size of the whole file, at most 8 GB.",
    }),
    mime_type: Type.String({ maxLength: 127, description: "The file's media type." }),
    expires_after: Type.Optional(ExpiresAfter),
  },
  { $id: "CreateUploadRequest", additionalProperties: false },
);

export const CompleteUpload = Type.Object(
  {
    part_ids: Type.Array(idText(), {
      maxItems: MAX_PARTS,
      description: "The parts, in the order in which they make the file.",
    }),
    md5: Type.Optional(
      idText({ description: "MD5 of the whole file, hexadecimal; the upload is refused where it differs." }),
    ),
  },
  { $id: "CompleteUploadRequest", additionalProperties: false },
);

export const PartForm = Type.Object(
  { data: Type.String({ format: "binary", description: "The bytes of this part, at most 64 MB." }) },
  { $id: "AddUploadPartRequest", additionalProperties: false },
);

export const Upload = Type.Object(
  {
    id: Type.String({ description: "`upload_…`" }),
    object: Type.Literal("upload"),
    bytes: Type.Integer({ description: "The announced size." }),
    created_at: unixSeconds("When it was begun, Unix seconds."),
    filename: Type.String({ description: "The name of the file to be." }),
    purpose: Type.String({ description: "The purpose of the file to be." }),
    status: oneOf(["pending", "completed", "cancelled", "expired"], {
      description: "Parts may be added while it is pending.",
    }),
    expires_at: unixSeconds("An hour after it was begun, Unix seconds."),
    file: Type.Optional(nullable(OpenAIFile, { description: "The file, once completed." })),
  },
  { $id: "Upload", description: "A file that arrives in parts." },
);

export const UploadPart = Type.Object(
  {
    id: Type.String({ description: "`part_…`" }),
    object: Type.Literal("upload.part"),
    created_at: unixSeconds("When it arrived, Unix seconds."),
    upload_id: Type.String({ description: "The upload that it belongs to." }),
  },
  { $id: "UploadPart", description: "Some of an upload's bytes." },
);
